/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.Thumbnails;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.batching.Operation;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.text.WordSpan;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Encodes texts, images and queries with the models of this node: embeddings and tokens. Every
 * method returns at once; items are prepared on {@link Threads} and encoded by {@link JobRunner}.
 * The first request that needs a model has it loaded.
 *
 * <p>Futures complete on those threads. They fail with an {@link
 * io.crossmodal.model.inference.InferenceException}, or with an {@link IllegalArgumentException}
 * where the caller's input is to blame. Thread-safe.
 */
public final class EncodingService {
  private final LoadedModels models;
  private final JobRunner worker;
  private final MemoryBudget heap;
  private final Threads threads;
  private final DecodingMemory decoding;
  private final QueryEncodingCache queries;

  /**
   * The threads that prepare items and hand outcomes on.
   *
   * @param queries for those of searches; must not refuse work
   * @param documents for those of documents, whose images keep them busy for as long as bulks come:
   *     a search must not wait behind them; must not refuse work
   * @param perRequest threads of either that one request may occupy; at least 1
   */
  public record Threads(Executor queries, Executor documents, int perRequest) {
    public Threads {
      if (perRequest < 1) {
        throw new IllegalArgumentException("perRequest must be at least 1, got " + perRequest);
      }
    }
  }

  /**
   * @param heap for pictures that are decoded, and what waits for a model or comes out of it
   */
  public EncodingService(
      LoadedModels models, JobRunner worker, MemoryBudget heap, Threads threads) {
    this.models = models;
    this.worker = worker;
    this.heap = heap;
    this.threads = threads;
    this.decoding = new DecodingMemory(heap, worker.stats());
    this.queries = new QueryEncodingCache(worker.settings().queryCacheBytes(), worker.stats());
  }

  /** Returns the models that encode. */
  public LoadedModels models() {
    return models;
  }

  /** Returns the heap that requests share. */
  public MemoryBudget heap() {
    return heap;
  }

  /** Returns how long a search, or a user's own request, waits for its encodings at most. */
  public Duration longestWait() {
    return worker.settings().longestWait();
  }

  /**
   * Encodes texts; blank ones fail, too long ones are cut and say so. Each batch's outcomes are
   * handed on before the next one is encoded.
   *
   * @return completes when the listener has taken the last outcome
   * @throws IllegalArgumentException when there is no such model, or it encodes images alone
   */
  public CompletableFuture<Void> encodeTexts(EncodingRequest<String> request) {
    ModelConfig config = config(request.model());
    if (!config.hasText()) {
      throw new IllegalArgumentException(
          "model ["
              + request.model()
              + "] knows no text, it encodes images of "
              + config.sensors().stream().map(SensorConfig::name).toList());
    }
    int longest = config.text().maxTokens();
    return withBundle(
        request.model(),
        (on, bundle) -> {
          Tokenizer tokenizer = bundle.tokenizer();
          return encode(
              request,
              new Operation.EncodeTexts(on),
              bytes(config, longest),
              tokenizer::tokenize,
              (tokens, encoding) -> {
                if (tokens.truncated()) {
                  worker.stats().of(on.version().id()).increment(Counter.CUT_TEXTS);
                }
                return new Encoded.Success(
                    encoding,
                    tokens.truncated() ? "text cut to the " + longest + " tokens of the model" : "",
                    words(tokenizer, tokens));
              });
        });
  }

  /** Returns the words without the start token, which is the first, and the end token, the last. */
  private static List<WordSpan> words(Tokenizer tokenizer, TokenizedText text) {
    List<WordSpan> spans = tokenizer.spans(text);
    return List.copyOf(spans.subList(1, spans.size() - 1));
  }

  /**
   * Encodes image files: decoded in parallel, one batch ahead of the worker. Each batch's outcomes
   * are handed on before the next one is encoded.
   *
   * @param sensor that took them
   * @return completes when the listener has taken the last outcome
   * @throws IllegalArgumentException when there is no such model, or it has no such sensor
   */
  public CompletableFuture<Void> encodeImages(String sensor, EncodingRequest<byte[]> request) {
    return encodeImages(sensor, PictureOptions.PLAIN, request);
  }

  /**
   * Does the same.
   *
   * @param options how the files are read, and what else is made of them
   */
  public CompletableFuture<Void> encodeImages(
      String sensor, PictureOptions options, EncodingRequest<byte[]> request) {
    ModelConfig config = config(request.model());
    SensorConfig from = config.sensor(sensor);
    ImagePreprocessor preprocessor = new ImagePreprocessor(from, options.stretch());
    // From decoding to the outcome, by the tensor itself: two pictures may have the same values.
    Map<PixelTensor, String> thumbnails = Collections.synchronizedMap(new IdentityHashMap<>());
    // Two batches of pictures are on their way while the outcomes of one are handed on.
    long bytes =
        2L * Float.BYTES * from.channels() * from.imageSize() * from.imageSize()
            + bytes(config, config.imageTokens(from));
    return withBundle(
        request.model(),
        (on, bundle) ->
            encode(
                request,
                new Operation.EncodeImages(on, sensor),
                bytes,
                image -> {
                  PixelTensor pixels = decode(request, preprocessor, image);
                  if (options.thumbnails().wanted()) {
                    thumbnails.put(
                        pixels, thumbnail(request, preprocessor, options.thumbnails(), image));
                  }
                  return pixels;
                },
                (pixels, encoding) -> {
                  String thumbnail = thumbnails.remove(pixels);
                  return new Encoded.Success(
                      encoding, "", List.of(), thumbnail == null ? "" : thumbnail);
                }));
  }

  private PixelTensor decode(
      EncodingRequest<byte[]> request, ImagePreprocessor preprocessor, byte[] image) {
    return inMemory(request, preprocessor.bytes(image), () -> preprocessor.preprocess(image));
  }

  private String thumbnail(
      EncodingRequest<byte[]> request,
      ImagePreprocessor preprocessor,
      Thumbnails thumbnails,
      byte[] image) {
    return inMemory(
        request,
        preprocessor.drawnBytes(image, thumbnails.side()),
        () -> thumbnails.of(preprocessor.drawn(image, thumbnails.side())));
  }

  private <T> T inMemory(EncodingRequest<byte[]> request, long bytes, Supplier<T> decode) {
    return request.priority() == Priority.SEARCH
        ? decoding.decodeNow(bytes, decode)
        : decoding.decodeInTurn(bytes, request.cancelled(), decode);
  }

  /**
   * Encodes the query side of a search, or finds it encoded: the query and the rescorer of one
   * search ask for the same.
   *
   * @return the caller's own: to complete it, as by a timeout, says that he does not wait any more,
   *     and takes the encoding out of the queue where he was the last
   * @throws IllegalArgumentException when there is no such model
   */
  public CompletableFuture<Encoded.Success> encodeQuery(String model, QueryInput input) {
    Fingerprints spaces = models.catalog().manifest(model).fingerprints();
    QueryEncodingCache.Key key =
        new QueryEncodingCache.Key(spaces.embeddingSpace() + spaces.tokenSpace(), input.digest());
    return queries.get(
        key,
        cancelled -> {
          int prompts = input instanceof QueryInput.Text text ? text.prompted().size() : 0;
          AtomicReferenceArray<Encoded> all = new AtomicReferenceArray<>(1 + prompts);
          CompletableFuture<Void> encoded;
          try {
            encoded = encodeQuery(model, input, cancelled, all::set);
          } catch (RuntimeException e) {
            return CompletableFuture.failedFuture(e);
          }
          return encoded.thenApply(done -> together(all));
        });
  }

  /**
   * Returns a query's encoding: tokens and words of the input as it is, and the mean of its
   * prompts' embeddings where it has any.
   */
  private static Encoded.Success together(AtomicReferenceArray<Encoded> all) {
    List<Encoded.Success> successes = new ArrayList<>();
    for (int i = 0; i < all.length(); i++) {
      if (all.get(i) instanceof Encoded.Failure failure) {
        throw failure.cause();
      }
      successes.add((Encoded.Success) all.get(i));
    }
    Encoded.Success own = successes.get(0);
    List<Encoded.Success> prompted = successes.subList(1, successes.size());
    if (prompted.isEmpty()) {
      return own;
    }
    // The longer ones are cut first.
    String notice =
        successes.stream()
            .map(Encoded.Success::notice)
            .filter(said -> !said.isEmpty())
            .findFirst()
            .orElse("");
    return new Encoded.Success(
        own.encoding().withMeanOf(prompted.stream().map(Encoded.Success::encoding).toList()),
        notice,
        own.words());
  }

  private CompletableFuture<Void> encodeQuery(
      String model,
      QueryInput input,
      CompletableFuture<?> cancelled,
      EncodingRequest.Listener listener) {
    if (input instanceof QueryInput.Text text) {
      List<String> texts = new ArrayList<>(List.of(text.text()));
      texts.addAll(text.prompted());
      return encodeTexts(new EncodingRequest<>(model, texts, Priority.SEARCH, cancelled, listener));
    }
    QueryInput.Image image = (QueryInput.Image) input;
    return encodeImages(
        image.sensor(),
        image.options().withoutThumbnails(),
        new EncodingRequest<>(model, List.of(image.bytes()), Priority.SEARCH, cancelled, listener));
  }

  private ModelConfig config(String model) {
    return models.catalog().manifest(model).config();
  }

  /** Returns the bytes of an encoding as it comes from the model. */
  private static long bytes(ModelConfig config, int tokens) {
    return Float.BYTES * ((long) tokens * config.hidden() + config.embeddingDimension());
  }

  /** Runs something while a version of a model stays, once its vocabulary is known. */
  private CompletableFuture<Void> withBundle(
      String model, BiFunction<LoadedModel, ModelBundle, CompletableFuture<Void>> work) {
    return Futures.reportingErrors(
        models.whileLeased(
            model, on -> on.version().bundle().thenCompose(bundle -> work.apply(on, bundle))));
  }

  /**
   * Encodes a request's items.
   *
   * @param bytes heap that an item of a batch takes until it is handed on
   * @param prepare makes an item fit for the operation; an item for which it throws fails
   * @param outcome of a prepared item and its encoding
   */
  private <S, T> CompletableFuture<Void> encode(
      EncodingRequest<S> request,
      Operation<T, Encoding> operation,
      long bytes,
      Function<S, T> prepare,
      BiFunction<T, Encoding, Encoded.Success> outcome) {
    int batch = worker.settings().encodeBatch();
    MemoryBudget.Reservation memory =
        heap.reserve("what is encoded together", bytes * Math.min(request.items().size(), batch));
    CompletableFuture<Void> all;
    try {
      all =
          new BatchedEncoding<>(
                  request.items().size(),
                  batch,
                  request.priority() == Priority.SEARCH ? threads.queries : threads.documents,
                  threads.perRequest,
                  item -> {
                    if (request.cancelled().isDone()) {
                      throw new CancellationException("nobody waits for it any more");
                    }
                    return prepare.apply(request.items().get(item));
                  },
                  items -> submit(request, operation, items),
                  outcome,
                  counting(request, operation.model()))
              .run();
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
    return all.whenComplete((done, failure) -> memory.close());
  }

  private <T> CompletableFuture<List<Encoding>> submit(
      EncodingRequest<?> request, Operation<T, Encoding> operation, List<T> items) {
    Job<T, Encoding> job = new Job<>(operation, items, Deadline.none());
    worker.submit(request.priority(), job);
    CompletableFuture<?> unused =
        request.cancelled().whenComplete((done, cause) -> worker.cancel(job));
    return job.result();
  }

  private EncodingRequest.Listener counting(EncodingRequest<?> request, String model) {
    return (item, encoded) -> {
      if (encoded instanceof Encoded.Failure && !request.cancelled().isDone()) {
        worker.stats().of(model).increment(Counter.ENCODE_FAILURES);
      }
      request.listener().onEncoded(item, encoded);
    };
  }
}
