/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.Encoding;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.inference.InferenceStats.Counter;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * All of a node's inference: step 6 and 7 of a search (queue and fuse), and the encoding of
 * documents and queries. Every method takes a batch and returns at once; the work is done by one
 * worker thread, which owns all models and their native memory, from a bounded queue. A model is
 * loaded by the first job that needs it and stays.
 *
 * <p>Futures of encodings complete on the helper executor, those of scores on the worker: whoever
 * continues a score must not work long. They fail with an {@link InferenceException}, or with an
 * {@link IllegalArgumentException} where the caller's input is to blame. Thread-safe.
 */
public final class ModelService implements AutoCloseable {
  /** Where a model stands on this node. */
  public enum State {
    /** Not asked for yet. */
    NOT_LOADED,
    /** Warm. */
    LOADED,
    /** Could not be loaded; stays so until the node restarts. */
    FAILED
  }

  private static final int CLOSE_SECONDS = 30;

  private final ModelCatalog catalog;
  private final InferenceSettings settings;
  private final Executor helper;
  private final int helpers;
  private final InferenceStats stats = new InferenceStats();
  private final QueryEncodingCache queries;
  private final ThreadPoolExecutor worker;
  private final Map<String, State> states = new ConcurrentHashMap<>();

  // Only the worker touches these while it runs, and close after it ended.
  private final Map<String, FusionModel> loaded = new HashMap<>();
  private final Map<String, InferenceException.ModelUnavailable> failed = new HashMap<>();

  /**
   * @param helper decodes images and runs the continuations of encodings; must not refuse work
   * @param helpers threads of {@code helper} that one request may occupy; at least 1
   */
  public ModelService(
      ModelCatalog catalog, InferenceSettings settings, Executor helper, int helpers) {
    if (helpers < 1) {
      throw new IllegalArgumentException("helpers must be at least 1, got " + helpers);
    }
    this.catalog = catalog;
    this.settings = settings;
    this.helper = helper;
    this.helpers = helpers;
    this.queries = new QueryEncodingCache(settings.queryCacheBytes(), stats);
    this.worker =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.MILLISECONDS,
            new ArrayBlockingQueue<>(settings.queueSize()),
            task -> {
              Thread thread = new Thread(task, "cross-modal-model");
              thread.setDaemon(true);
              return thread;
            });
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

  /**
   * Where a model stands on this node.
   *
   * @throws IllegalArgumentException when there is no such model
   */
  public State state(String model) {
    return states.getOrDefault(catalog.bundle(model).manifest().id(), State.NOT_LOADED);
  }

  /** Jobs that wait for the worker. */
  public int queued() {
    return worker.getQueue().size();
  }

  /**
   * Encodes texts; blank ones fail, too long ones are cut and say so.
   *
   * @return as many outcomes as texts, in their order
   */
  public CompletableFuture<List<Encoded>> encodeTexts(String model, List<String> texts) {
    WordPieceTokenizer tokenizer = catalog.bundle(model).tokenizer();
    int longest = catalog.bundle(model).manifest().config().text().maxTokens();
    return encode(
        texts.size(),
        i -> tokenizer.tokenize(texts.get(i)),
        tokens -> tokens.truncated() ? "text cut to the " + longest + " tokens of the model" : "",
        batch -> {
          stats.add(Counter.ENCODED_TEXTS, batch.size());
          return model(model).encodeTexts(batch);
        });
  }

  /**
   * Encodes image files: decoded in parallel by the helpers, one batch ahead of the worker.
   *
   * @return as many outcomes as images, in their order
   * @throws IllegalArgumentException when the model has no such sensor
   */
  public CompletableFuture<List<Encoded>> encodeImages(
      String model, String sensor, List<byte[]> images) {
    ImagePreprocessor preprocessor = catalog.bundle(model).preprocessor(sensor);
    return encode(
        images.size(),
        i -> preprocessor.preprocess(images.get(i)),
        pixels -> "",
        batch -> {
          stats.add(Counter.ENCODED_IMAGES, batch.size());
          return model(model).encodeImages(sensor, batch);
        });
  }

  /**
   * Encodes the query side of a search, or finds it encoded: the query and the rescorer of one
   * search ask for the same.
   */
  public CompletableFuture<Encoded.Success> encodeQuery(String model, QueryInput input) {
    Fingerprints spaces = catalog.bundle(model).manifest().fingerprints();
    QueryEncodingCache.Key key =
        new QueryEncodingCache.Key(spaces.filterSpace() + spaces.tokenSpace(), input.digest());
    return queries.get(
        key,
        () -> {
          CompletableFuture<List<Encoded>> batch;
          try {
            batch = encodeOne(model, input);
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

  private CompletableFuture<List<Encoded>> encodeOne(String model, QueryInput input) {
    if (input instanceof QueryInput.Text text) {
      return encodeTexts(model, List.of(text.text()));
    }
    QueryInput.Image image = (QueryInput.Image) input;
    return encodeImages(model, image.sensor(), List.of(image.bytes()));
  }

  /**
   * Scores text-image pairs with the fusion encoder. One of the lists may hold a single item, which
   * is paired with all of the other; otherwise both have the same length.
   *
   * @param deadline a job still waiting then is dropped unscored
   * @return one pair of logits each; completes on the worker
   */
  public CompletableFuture<PairLogits> score(
      String model, List<TokenBlock> texts, List<TokenBlock> images, Deadline deadline) {
    int pairs = Math.max(texts.size(), images.size());
    float[] itm = new float[pairs];
    float[] filter = new float[pairs];
    return submit(
        "scoring " + pairs + " pairs",
        deadline,
        job -> {
          for (List<Integer> batch : batches(pairs, images)) {
            if (job.abandoned()) {
              throw new InferenceException.DeadlineExceeded(job.what);
            }
            PairLogits part = model(model).score(pick(texts, batch), pick(images, batch));
            for (int i = 0; i < batch.size(); i++) {
              itm[batch.get(i)] = part.itm()[i];
              filter[batch.get(i)] = part.filter()[i];
            }
            stats.increment(Counter.BATCHES);
            stats.add(Counter.PAIRS, batch.size());
          }
          return new PairLogits(itm, filter);
        });
  }

  /** Pairs in batches whose images have equally many tokens, as sensors may differ in size. */
  private List<List<Integer>> batches(int pairs, List<TokenBlock> images) {
    Map<Integer, List<Integer>> bySize = new TreeMap<>();
    for (int i = 0; i < pairs; i++) {
      int size = images.get(images.size() == 1 ? 0 : i).count();
      bySize.computeIfAbsent(size, key -> new ArrayList<>()).add(i);
    }
    List<List<Integer>> batches = new ArrayList<>();
    for (List<Integer> same : bySize.values()) {
      for (int from = 0; from < same.size(); from += settings.scoreBatch()) {
        batches.add(same.subList(from, Math.min(same.size(), from + settings.scoreBatch())));
      }
    }
    return batches;
  }

  private static List<TokenBlock> pick(List<TokenBlock> blocks, List<Integer> batch) {
    return blocks.size() == 1 ? blocks : batch.stream().map(blocks::get).toList();
  }

  /** Ends the worker, fails what waits for it, and frees all native memory. */
  @Override
  public void close() {
    for (Runnable waiting : worker.shutdownNow()) {
      ((Job<?>) waiting).result.completeExceptionally(closing());
    }
    try {
      if (!worker.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException(
            "the model's worker did not end within "
                + CLOSE_SECONDS
                + " s; its native memory stays taken until the process ends");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the model's worker ends", e);
    }
    loaded.values().forEach(FusionModel::close);
    loaded.clear();
    states.clear();
  }

  /**
   * Prepares items on the helpers and encodes them on the worker, batch by batch, so that a bulk of
   * any size holds two batches of prepared items and one place in the queue.
   */
  private <T> CompletableFuture<List<Encoded>> encode(
      int count,
      IntFunction<T> prepare,
      Function<T, String> notice,
      Function<List<T>, List<Encoding>> encode) {
    Encoded[] outcomes = new Encoded[count];
    return encodeFrom(0, prepareBatch(0, outcomes, prepare), outcomes, prepare, notice, encode)
        .thenApplyAsync(
            done -> {
              stats.add(
                  Counter.ENCODE_FAILURES,
                  done.stream().filter(Encoded.Failure.class::isInstance).count());
              return done;
            },
            helper);
  }

  private <T> CompletableFuture<List<Encoded>> encodeFrom(
      int from,
      CompletableFuture<List<T>> prepared,
      Encoded[] outcomes,
      IntFunction<T> prepare,
      Function<T, String> notice,
      Function<List<T>, List<Encoding>> encode) {
    if (from >= outcomes.length) {
      return CompletableFuture.completedFuture(List.of(outcomes));
    }
    int to = Math.min(outcomes.length, from + settings.encodeBatch());
    return prepared.thenCompose(
        items -> {
          CompletableFuture<List<T>> ahead = prepareBatch(to, outcomes, prepare);
          return encodeBatch(items, encode)
              .handle(
                  (encodings, failure) -> {
                    place(from, to, items, encodings, failure, outcomes, notice);
                    return null;
                  })
              .thenCompose(ignored -> encodeFrom(to, ahead, outcomes, prepare, notice, encode));
        });
  }

  private <T> CompletableFuture<List<Encoding>> encodeBatch(
      List<T> items, Function<List<T>, List<Encoding>> encode) {
    if (items.isEmpty()) {
      return CompletableFuture.completedFuture(List.of());
    }
    return submit(
        "encoding " + items.size() + " items",
        Deadline.none(),
        job -> {
          stats.increment(Counter.BATCHES);
          return encode.apply(items);
        });
  }

  /** Gives each item of a batch that was prepared its encoding, or the failure of the batch. */
  private static <T> void place(
      int from,
      int to,
      List<T> items,
      List<Encoding> encodings,
      Throwable failure,
      Encoded[] outcomes,
      Function<T, String> notice) {
    int next = 0;
    for (int i = from; i < to; i++) {
      if (outcomes[i] == null) {
        outcomes[i] =
            failure == null
                ? new Encoded.Success(encodings.get(next), notice.apply(items.get(next)))
                : new Encoded.Failure(unwrap(failure));
        next++;
      }
    }
  }

  /**
   * Prepares one batch in parallel. Items that fail get their outcome here.
   *
   * @return the items that did not fail, in their order
   */
  private <T> CompletableFuture<List<T>> prepareBatch(
      int from, Encoded[] outcomes, IntFunction<T> prepare) {
    int size = Math.min(outcomes.length - from, settings.encodeBatch());
    if (size <= 0) {
      return CompletableFuture.completedFuture(List.of());
    }
    List<T> prepared = new ArrayList<>(size);
    for (int i = 0; i < size; i++) {
      prepared.add(null);
    }
    AtomicInteger next = new AtomicInteger();
    Runnable lane =
        () -> {
          for (int i = next.getAndIncrement(); i < size; i = next.getAndIncrement()) {
            try {
              prepared.set(i, prepare.apply(i + from));
            } catch (RuntimeException e) {
              outcomes[i + from] = new Encoded.Failure(e);
            }
          }
        };
    CompletableFuture<?>[] lanes = new CompletableFuture<?>[Math.min(helpers, size)];
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = CompletableFuture.runAsync(lane, helper);
    }
    return CompletableFuture.allOf(lanes)
        .thenApply(done -> prepared.stream().filter(item -> item != null).toList());
  }

  /** The warm model; loads it if this is its first job. Only the worker calls this. */
  private FusionModel model(String id) {
    FusionModel model = loaded.get(id);
    if (model != null) {
      return model;
    }
    InferenceException.ModelUnavailable before = failed.get(id);
    if (before != null) {
      throw before;
    }
    try {
      FusionModel fresh = load(catalog.bundle(id));
      loaded.put(id, fresh);
      states.put(id, State.LOADED);
      return fresh;
    } catch (InferenceException.ModelUnavailable e) {
      failed.put(id, e);
      states.put(id, State.FAILED);
      throw e;
    }
  }

  private FusionModel load(ModelBundle bundle) {
    NativeRuntime.start(settings);
    try {
      return FusionModel.load(bundle, Files.createDirectories(settings.directory()));
    } catch (BundleException | IOException | RuntimeException e) {
      throw new InferenceException.ModelUnavailable(
          "model [" + bundle.manifest().id() + "] cannot be loaded: " + e.getMessage(), e);
    }
  }

  private <T> CompletableFuture<T> submit(
      String what, Deadline deadline, Function<Job<T>, T> work) {
    Job<T> job = new Job<>(what, deadline, work);
    try {
      worker.execute(job);
    } catch (RejectedExecutionException e) {
      if (worker.isShutdown()) {
        job.result.completeExceptionally(closing());
      } else {
        stats.increment(Counter.REJECTIONS);
        job.result.completeExceptionally(new InferenceException.QueueFull(settings.queueSize()));
      }
    }
    return job.result;
  }

  private static InferenceException closing() {
    return new InferenceException.ModelUnavailable("the node is shutting down", null);
  }

  /** The failure itself, without the wrappings of futures. */
  public static RuntimeException unwrap(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause instanceof RuntimeException known
        ? known
        : new InferenceException.ModelFailed("the model failed: " + cause, cause);
  }

  /** One entry of the worker's queue. */
  private static final class Job<T> implements Runnable {
    private final String what;
    private final Deadline deadline;
    private final Function<Job<T>, T> work;
    private final CompletableFuture<T> result = new CompletableFuture<>();

    private Job(String what, Deadline deadline, Function<Job<T>, T> work) {
      this.what = what;
      this.deadline = deadline;
      this.work = work;
    }

    /** Whether nobody waits for the result any more. */
    private boolean abandoned() {
      return result.isDone() || deadline.expired();
    }

    @Override
    public void run() {
      if (abandoned()) {
        result.completeExceptionally(new InferenceException.DeadlineExceeded(what));
        return;
      }
      try {
        result.complete(work.apply(this));
      } catch (InferenceException e) {
        result.completeExceptionally(e);
      } catch (RuntimeException | LinkageError e) {
        result.completeExceptionally(new InferenceException.ModelFailed(what + " failed: " + e, e));
      } catch (Error e) {
        // Nobody may wait for ever for what the JVM could not do; the node decides about the rest.
        result.completeExceptionally(new InferenceException.ModelFailed(what + " failed: " + e, e));
        throw e;
      }
    }
  }
}
