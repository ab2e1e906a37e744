/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import ai.djl.Device;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.inference.batching.Job;
import io.crossmodal.plugin.inference.batching.JobTimes;
import io.crossmodal.plugin.inference.batching.ModelWorker;
import io.crossmodal.plugin.inference.batching.Operation;
import io.crossmodal.plugin.inference.batching.Priority;
import io.crossmodal.plugin.inference.encoding.BatchedEncoding;
import io.crossmodal.plugin.inference.encoding.DecodingMemory;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.Outcomes;
import io.crossmodal.plugin.inference.encoding.QueryEncodingCache;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.inference.memory.DeviceBudgets;
import io.crossmodal.plugin.inference.memory.GpuMemory;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.registry.LoadedModel;
import io.crossmodal.plugin.inference.registry.LoadedModels;
import io.crossmodal.plugin.inference.registry.ModelCatalog;
import io.crossmodal.plugin.inference.registry.ModelStatus;
import io.crossmodal.plugin.inference.registry.ModelVersion;
import io.crossmodal.plugin.inference.runtime.NativeRuntime;
import io.crossmodal.plugin.inference.scoring.ScoredBy;
import io.crossmodal.plugin.inference.scoring.Scores;
import io.crossmodal.plugin.inference.scoring.Similarities;
import io.crossmodal.plugin.inference.stats.InferenceStats;
import io.crossmodal.plugin.inference.stats.InferenceStats.Counter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * All of a node's inference: step 6 and 7 of a search (queue and fuse), and the encoding of
 * documents and queries. Every method takes a batch and returns at once; the work is done by {@link
 * ModelWorker}, whose threads alone call models. {@link LoadedModels} owns their native memory: the
 * first job that needs a model has it loaded, and it stays until it is unloaded or replaced.
 *
 * <p>Futures of encodings complete on the helper or the decoder, those of scores on the worker:
 * whoever continues a score must not work long. They fail with an {@link InferenceException}, or
 * with an {@link IllegalArgumentException} where the caller's input is to blame. Thread-safe.
 */
public final class ModelService implements AutoCloseable {
  /** Where a model stands on this node. */
  public enum State {
    /** Not asked for yet. */
    NOT_LOADED,
    /** On its way; its jobs wait, those of others do not. */
    LOADING,
    /** Warm. */
    LOADED,
    /** Could not be loaded. */
    FAILED
  }

  private static final int CLOSE_SECONDS = 30;

  private final ModelCatalog catalog;
  private final Executor helper;
  private final Executor decoder;
  private final int helpers;
  private final InferenceStats stats = new InferenceStats();
  private final QueryEncodingCache queries;
  private final MemoryBudget heap;
  private final DecodingMemory decoding;
  private final DeviceBudgets budgets;
  private final LoadedModels models;
  private final ModelWorker worker;
  private volatile InferenceSettings settings;

  /**
   * @param budget for the models' weights and calls
   * @param heap for pictures that are decoded, and what waits for the model or comes out of it
   * @param helper reads queries and runs the continuations of their encodings; must not refuse work
   * @param decoder does the same for documents, whose images keep it busy for as long as bulks
   *     come: a search must not wait behind them
   * @param helpers threads of either that one request may occupy; at least 1
   */
  public ModelService(
      ModelCatalog catalog,
      InferenceSettings settings,
      MemoryBudget budget,
      MemoryBudget heap,
      Executor helper,
      Executor decoder,
      int helpers) {
    this(
        catalog,
        settings,
        budget,
        heap,
        helper,
        decoder,
        helpers,
        () -> settings.device().choose(NativeRuntime.start(settings)));
  }

  /** As the other, with the devices that models are loaded onto. */
  public ModelService(
      ModelCatalog catalog,
      InferenceSettings settings,
      MemoryBudget budget,
      MemoryBudget heap,
      Executor helper,
      Executor decoder,
      int helpers,
      Supplier<List<Device>> devices) {
    if (helpers < 1) {
      throw new IllegalArgumentException("helpers must be at least 1, got " + helpers);
    }
    this.catalog = catalog;
    this.settings = settings;
    this.helper = helper;
    this.decoder = decoder;
    this.helpers = helpers;
    this.queries = new QueryEncodingCache(settings.queryCacheBytes(), stats);
    this.heap = heap;
    this.decoding = new DecodingMemory(heap, stats);
    this.budgets = new DeviceBudgets(budget, NativeRuntime::freeMemory);
    this.worker = new ModelWorker(() -> this.settings, budgets, stats);
    // Also where no model can ever be loaded, for somebody has to tell those who wait.
    worker.start(1);
    this.models =
        new LoadedModels(
            catalog,
            settings,
            budgets,
            () -> {
              List<Device> found = devices.get();
              worker.start(found.size());
              return found;
            },
            worker::wake);
  }

  /**
   * Changes what can change while the node runs: queue, batches, waits. Threads, folder and the
   * cache's size stay.
   */
  public void update(InferenceSettings changed) {
    settings = changed;
    worker.wake();
  }

  public ModelCatalog catalog() {
    return catalog;
  }

  public InferenceStats stats() {
    return stats;
  }

  /** How long a search waits for its scores at most. */
  public Duration longestWait() {
    return settings.longestWait();
  }

  /** The heap that requests share. */
  public MemoryBudget heap() {
    return heap;
  }

  /** Where a model stands on this node. */
  public ModelStatus status(String model) {
    return models.status(model);
  }

  /**
   * Has a model loaded before it is needed, again where that failed, or in another precision.
   *
   * @param precision for this version and those after it, until it is unloaded; null for what it
   *     was, or the node's own
   * @return completes when the current version is warm
   * @throws IllegalArgumentException when there is no such model
   */
  public CompletableFuture<Void> load(String model, PrecisionPolicy precision) {
    return models.load(model, precision);
  }

  /** Frees a model's memory when its last job has ended; the next job has it loaded again. */
  public void unload(String model) {
    models.unload(model);
  }

  /**
   * Follows a change of the catalog: models that are loaded make place for their new versions when
   * those are warm, and go when the catalog has lost them.
   */
  public void refresh() {
    models.refresh();
    stats.retain(catalog::has);
  }

  /**
   * Loads a bundle for once and has it repeat its golden outputs.
   *
   * @return fails with a {@link io.crossmodal.model.bundle.BundleException} where the bundle is to
   *     blame, with an {@link InferenceException} where this node is
   */
  public CompletableFuture<Void> verify(ModelBundle bundle) {
    return models.verify(bundle);
  }

  /** The memory of the GPUs in use, by their names; empty where the CPU computes. */
  public Map<String, GpuMemory> gpus() {
    return budgets.gpus();
  }

  /** Jobs that wait for the worker. */
  public int queued() {
    return worker.queued();
  }

  /**
   * Encodes texts of documents; blank ones fail, too long ones are cut and say so.
   *
   * @return as many outcomes as texts, in their order
   * @throws IllegalArgumentException when the model encodes images alone
   */
  public CompletableFuture<List<Encoded>> encodeTexts(String model, List<String> texts) {
    return collected(texts.size(), outcomes -> encodeTexts(model, texts, outcomes));
  }

  /**
   * Encodes texts as {@link #encodeTexts(String, List)}, and hands each batch's outcomes on before
   * the next one is encoded.
   *
   * @return completes when the last outcome was taken
   */
  public CompletableFuture<Void> encodeTexts(String model, List<String> texts, Outcomes outcomes) {
    return encodeTexts(Asker.documents(), model, texts, outcomes);
  }

  /**
   * Encodes texts as {@link #encodeTexts(String, List, Outcomes)} for somebody who may leave.
   *
   * @param gone done when nobody waits any more: what is not encoded then fails
   */
  public CompletableFuture<Void> encodeTexts(
      String model, List<String> texts, CompletableFuture<?> gone, Outcomes outcomes) {
    return encodeTexts(new Asker(Priority.INGEST, gone), model, texts, outcomes);
  }

  /**
   * For whom something is encoded.
   *
   * @param gone done when nobody waits for it any more
   */
  private record Asker(Priority priority, CompletableFuture<?> gone) {
    /** A bulk, which always waits. */
    private static Asker documents() {
      return new Asker(Priority.INGEST, new CompletableFuture<>());
    }
  }

  private static CompletableFuture<List<Encoded>> collected(
      int count, Function<Outcomes, CompletableFuture<Void>> encode) {
    List<Encoded> all = new ArrayList<>(count);
    return encode.apply((item, outcome) -> all.add(outcome)).thenApply(done -> all);
  }

  private CompletableFuture<Void> encodeTexts(
      Asker asker, String model, List<String> texts, Outcomes outcomes) {
    ModelConfig config = catalog.manifest(model).config();
    if (!config.hasText()) {
      throw new IllegalArgumentException(
          "model ["
              + model
              + "] knows no text, it encodes images of "
              + config.sensors().stream().map(SensorConfig::name).toList());
    }
    int longest = config.text().maxTokens();
    return withModel(
        model,
        (on, bundle) -> {
          WordPieceTokenizer tokenizer = bundle.tokenizer();
          return encode(
              asker,
              new Operation.EncodeTexts(on),
              texts.size(),
              floats(config, longest),
              i -> tokenizer.tokenize(texts.get(i)),
              (tokens, encoding) ->
                  new Encoded.Success(
                      encoding,
                      tokens.truncated()
                          ? "text cut to the " + longest + " tokens of the model"
                          : "",
                      words(tokenizer, tokens)),
              outcomes);
        });
  }

  /** The words without [CLS], which is the first, and [SEP], which is the last. */
  private static List<WordSpan> words(WordPieceTokenizer tokenizer, TokenizedText text) {
    List<WordSpan> spans = tokenizer.spans(text);
    return List.copyOf(spans.subList(1, spans.size() - 1));
  }

  /**
   * Encodes image files of documents: decoded in parallel, one batch ahead of the worker.
   *
   * @return as many outcomes as images, in their order
   * @throws IllegalArgumentException when the model has no such sensor
   */
  public CompletableFuture<List<Encoded>> encodeImages(
      String model, String sensor, List<byte[]> images) {
    return collected(images.size(), outcomes -> encodeImages(model, sensor, images, outcomes));
  }

  /**
   * Encodes image files as {@link #encodeImages(String, String, List)}, and hands each batch's
   * outcomes on before the next one is encoded.
   *
   * @return completes when the last outcome was taken
   */
  public CompletableFuture<Void> encodeImages(
      String model, String sensor, List<byte[]> images, Outcomes outcomes) {
    return encodeImages(Asker.documents(), model, sensor, images, outcomes);
  }

  /**
   * Encodes image files as {@link #encodeImages(String, String, List, Outcomes)} for somebody who
   * may leave.
   *
   * @param gone done when nobody waits any more: what is not encoded then fails
   */
  public CompletableFuture<Void> encodeImages(
      String model,
      String sensor,
      List<byte[]> images,
      CompletableFuture<?> gone,
      Outcomes outcomes) {
    return encodeImages(new Asker(Priority.INGEST, gone), model, sensor, images, outcomes);
  }

  private CompletableFuture<Void> encodeImages(
      Asker asker, String model, String sensor, List<byte[]> images, Outcomes outcomes) {
    ModelConfig config = catalog.manifest(model).config();
    SensorConfig from = config.sensor(sensor);
    ImagePreprocessor preprocessor = new ImagePreprocessor(from);
    // Two batches of pictures are on their way while the outcomes of one are handed on.
    long bytes =
        2L * Float.BYTES * from.channels() * from.imageSize() * from.imageSize()
            + floats(config, config.imageTokens(from));
    return withModel(
        model,
        (on, bundle) ->
            encode(
                asker,
                new Operation.EncodeImages(on, sensor),
                images.size(),
                bytes,
                i -> decode(asker, preprocessor, images.get(i)),
                (pixels, encoding) -> new Encoded.Success(encoding, "", List.of()),
                outcomes));
  }

  private PixelTensor decode(Asker asker, ImagePreprocessor preprocessor, byte[] image) {
    long bytes = preprocessor.bytes(image);
    return asker.priority == Priority.SEARCH
        ? decoding.now(bytes, () -> preprocessor.preprocess(image))
        : decoding.inTurn(bytes, asker.gone, () -> preprocessor.preprocess(image));
  }

  /**
   * Encodes the query side of a search, or finds it encoded: the query and the rescorer of one
   * search ask for the same.
   *
   * @return the caller's own: to complete it, as by a timeout, says that he does not wait any more,
   *     and takes the encoding out of the queue where he was the last
   */
  public CompletableFuture<Encoded.Success> encodeQuery(String model, QueryInput input) {
    Fingerprints spaces = catalog.manifest(model).fingerprints();
    QueryEncodingCache.Key key =
        new QueryEncodingCache.Key(spaces.filterSpace() + spaces.tokenSpace(), input.digest());
    return queries.get(
        key,
        gone -> {
          Asker asker = new Asker(Priority.SEARCH, gone);
          CompletableFuture<List<Encoded>> batch;
          try {
            batch = collected(1, outcomes -> encodeOne(asker, model, input, outcomes));
          } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
          }
          return batch.thenApply(
              outcomes -> {
                if (outcomes.get(0) instanceof Encoded.Failure failure) {
                  throw failure.cause();
                }
                return (Encoded.Success) outcomes.get(0);
              });
        });
  }

  private CompletableFuture<Void> encodeOne(
      Asker asker, String model, QueryInput input, Outcomes outcomes) {
    if (input instanceof QueryInput.Text text) {
      return encodeTexts(asker, model, List.of(text.text()), outcomes);
    }
    QueryInput.Image image = (QueryInput.Image) input;
    return encodeImages(asker, model, image.sensor(), List.of(image.bytes()), outcomes);
  }

  /**
   * Scores text-image pairs with the fusion encoder. One of the lists may hold a single item, which
   * is paired with all of the other; otherwise both have the same length.
   *
   * @param deadline pairs still waiting then are dropped unscored
   * @return one pair of logits each, all by the same version of the model; completes on the worker
   */
  public CompletableFuture<Scores> score(
      String model,
      List<? extends Tokens> texts,
      List<? extends Tokens> images,
      Deadline deadline) {
    Tokens sharedImage = texts.size() > 1 && images.size() == 1 ? images.get(0) : null;
    return onPairs(
        model,
        version -> {},
        texts,
        images,
        deadline,
        (on, imageTokens) -> new Operation.Score(on, imageTokens, sharedImage),
        (on, logits, times) -> {
          float[] itm = new float[logits.size()];
          float[] filter = new float[logits.size()];
          for (int i = 0; i < itm.length; i++) {
            itm[i] = logits.get(i).itm();
            filter[i] = logits.get(i).filter();
          }
          return new Scores(new PairLogits(itm, filter), ScoredBy.of(on.version()), times);
        });
  }

  /**
   * Compares images with images by their patches, as {@link
   * io.crossmodal.model.engine.FusionModel#maxSim}. Pairs, deadline and thread as in {@link
   * #score}, with queries for texts; any model can.
   *
   * @return a score each, in [-1, 1]
   */
  public CompletableFuture<Similarities> maxSim(
      String model,
      List<? extends Tokens> queries,
      List<? extends Tokens> images,
      Deadline deadline) {
    return onPairs(
        model,
        version -> {},
        queries,
        images,
        deadline,
        Operation.MaxSim::new,
        (on, values, times) -> new Similarities(values, ScoredBy.of(on.version()), times));
  }

  /**
   * Where the tokens of each pair's text look in its image. Pairs, deadline and thread as in {@link
   * #score}; the patches of each image form a square, see {@link WordPatchWeights#isGrid}.
   *
   * @return a table each
   */
  public CompletableFuture<List<WordPatchWeights>> attention(
      String model,
      List<? extends Tokens> texts,
      List<? extends Tokens> images,
      Deadline deadline) {
    return onPairs(
        model,
        version -> {},
        texts,
        images,
        deadline,
        Operation.Attention::new,
        (on, tables, times) -> tables);
  }

  /** Makes a result of the outcomes of pairs, which are in the pairs' order. */
  private interface Finish<O, R> {
    R apply(LoadedModel on, List<O> outcomes, JobTimes times);
  }

  /**
   * Has the worker do something to pairs.
   *
   * @param check throws where a version of the model cannot do it
   * @param operation on a version of the model and images of M tokens
   */
  private <O, R> CompletableFuture<R> onPairs(
      String model,
      Consumer<ModelVersion> check,
      List<? extends Tokens> texts,
      List<? extends Tokens> images,
      Deadline deadline,
      BiFunction<LoadedModel, Integer, Operation<Operation.Pair, O>> operation,
      Finish<O, R> finish) {
    LoadedModel.Lease lease;
    try {
      lease = models.lease(model);
    } catch (InferenceException e) {
      return CompletableFuture.failedFuture(e);
    }
    LoadedModel on = lease.of();
    try {
      check.accept(on.version());
    } catch (RuntimeException e) {
      lease.close();
      throw e;
    }
    int pairs = texts.isEmpty() || images.isEmpty() ? 0 : Math.max(texts.size(), images.size());
    // A call takes images of equally many tokens, as sensors may differ in size.
    Map<Integer, List<Integer>> bySize = new TreeMap<>();
    for (int i = 0; i < pairs; i++) {
      bySize.computeIfAbsent(of(images, i).count(), m -> new ArrayList<>()).add(i);
    }
    List<O> outcomes = new ArrayList<>(Collections.nCopies(pairs, null));
    CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
    List<Job<?, ?>> jobs = new ArrayList<>();
    for (Map.Entry<Integer, List<Integer>> same : bySize.entrySet()) {
      List<Operation.Pair> chosen =
          same.getValue().stream()
              .map(i -> new Operation.Pair(of(texts, i), of(images, i)))
              .toList();
      Job<Operation.Pair, O> job = new Job<>(operation.apply(on, same.getKey()), chosen, deadline);
      jobs.add(job);
      CompletableFuture<Void> part =
          job.result()
              .thenAccept(
                  done -> {
                    for (int i = 0; i < done.size(); i++) {
                      outcomes.set(same.getValue().get(i), done.get(i));
                    }
                  });
      all = all.thenCombine(part, (before, now) -> null);
    }
    jobs.forEach(job -> worker.submit(Priority.SEARCH, job));
    CompletableFuture<R> result =
        all.thenApply(
            done ->
                finish.apply(
                    on,
                    outcomes,
                    jobs.stream().map(Job::times).reduce(JobTimes.NONE, JobTimes::and)));
    // Whoever gives up takes his jobs out of the queue.
    CompletableFuture<?> unused =
        result.whenComplete(
            (done, failure) -> {
              jobs.forEach(this::abandon);
              lease.close();
            });
    return result;
  }

  private void abandon(Job<?, ?> job) {
    if (job.result().cancel(false)) {
      worker.withdraw(job);
    }
  }

  /** Runs something while a version of a model stays, once its vocabulary is known. */
  private CompletableFuture<Void> withModel(
      String model, BiFunction<LoadedModel, ModelBundle, CompletableFuture<Void>> work) {
    LoadedModel.Lease lease;
    try {
      lease = models.lease(model);
    } catch (InferenceException e) {
      return CompletableFuture.failedFuture(e);
    }
    LoadedModel on = lease.of();
    return Futures.reportingErrors(
        on.version()
            .bundle()
            .thenCompose(bundle -> work.apply(on, bundle))
            .whenComplete((done, failure) -> lease.close()));
  }

  /**
   * What the paper's MLP filter says of pairs, from their class tokens alone. Pairs, deadline and
   * thread as in {@link #score}.
   *
   * @return one logit each
   * @throws IllegalArgumentException when the model has no such filter
   */
  public CompletableFuture<List<Float>> filter(
      String model,
      List<? extends Tokens> texts,
      List<? extends Tokens> images,
      Deadline deadline) {
    return onPairs(
        model,
        ModelService::checkFilter,
        texts.stream().map(Tokens::classToken).toList(),
        images.stream().map(Tokens::classToken).toList(),
        deadline,
        (on, classTokens) -> new Operation.Filter(on),
        (on, logits, times) -> logits);
  }

  private static void checkFilter(ModelVersion version) {
    if (!version.manifest().config().filterMlp()) {
      throw new IllegalArgumentException(
          "[filter_size] needs the MLP filter, which model ["
              + version.id()
              + "] does not have: distil one, or leave [filter_size] 0");
    }
  }

  private static Tokens of(List<? extends Tokens> blocks, int pair) {
    return blocks.get(blocks.size() == 1 ? 0 : pair);
  }

  /** Ends the worker, fails what waits for it, and frees all native memory. */
  @Override
  public void close() {
    try {
      if (!worker.close(CLOSE_SECONDS)) {
        throw new IllegalStateException(
            "the model's worker did not end within "
                + CLOSE_SECONDS
                + " s; its native memory stays taken until the process ends");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the model's worker ends", e);
    }
    models.close();
  }

  /** Bytes of an encoding as it comes from the model. */
  private static long floats(ModelConfig config, int tokens) {
    return Float.BYTES * ((long) tokens * config.hidden() + config.filterDimension());
  }

  /**
   * @param bytes heap that an item of a batch takes until it is handed on
   */
  private <T> CompletableFuture<Void> encode(
      Asker asker,
      Operation<T, Encoding> operation,
      int count,
      long bytes,
      IntFunction<T> prepare,
      BiFunction<T, Encoding, Encoded.Success> outcome,
      Outcomes outcomes) {
    Function<List<T>, CompletableFuture<List<Encoding>>> encode =
        items -> {
          Job<T, Encoding> job = new Job<>(operation, items, Deadline.none());
          worker.submit(asker.priority, job);
          CompletableFuture<?> unused = asker.gone.whenComplete((done, cause) -> abandon(job));
          return job.result();
        };
    Outcomes counted =
        (item, encoded) -> {
          if (encoded instanceof Encoded.Failure && !asker.gone.isDone()) {
            stats.of(operation.model()).add(Counter.ENCODE_FAILURES, 1);
          }
          outcomes.take(item, encoded);
        };
    int batch = settings.encodeBatch();
    MemoryBudget.Reservation memory =
        heap.reserve("what is encoded together", bytes * Math.min(count, batch));
    CompletableFuture<Void> all;
    try {
      all =
          new BatchedEncoding<>(
                  count,
                  batch,
                  asker.priority == Priority.SEARCH ? helper : decoder,
                  helpers,
                  item -> {
                    if (asker.gone.isDone()) {
                      throw new CancellationException("nobody waits for it any more");
                    }
                    return prepare.apply(item);
                  },
                  encode,
                  outcome,
                  counted)
              .run();
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
    return all.whenComplete((done, failure) -> memory.close());
  }

  /**
   * The failure itself, without the wrappings of futures. An Error of the node reaches the handler
   * of uncaught failures as well.
   */
  public static RuntimeException unwrap(Throwable failure) {
    Futures.reportError(failure);
    Throwable cause = Futures.cause(failure);
    return cause instanceof RuntimeException known
        ? known
        : new InferenceException.ModelFailed("the model failed: " + cause, cause);
  }
}
