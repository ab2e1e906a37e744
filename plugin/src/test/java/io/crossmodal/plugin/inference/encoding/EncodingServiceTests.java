/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.test.OpenSearchTestCase;

@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class EncodingServiceTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = TestModels.micro();

  // Scores of one pair alone and in a batch: the sums run in another order.
  private static final float TOLERANCE = 1e-4f;

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return Futures.unwrap(expectThrows(ExecutionException.class, () -> get(future)).getCause());
  }

  public void testABadItemFailsAlone() throws Exception {
    int batch = randomIntBetween(1, 4);
    try (TestService test = new TestService(createTempDir(), 100, batch)) {
      byte[] good = TestModels.png(random(), 20);
      List<byte[]> images = new ArrayList<>();
      List<Boolean> isGood = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        boolean fine = randomBoolean();
        isGood.add(fine);
        images.add(
            fine
                ? good
                : randomFrom(
                    "no image".getBytes(StandardCharsets.UTF_8),
                    TestModels.png(random(), 1),
                    new byte[0]));
      }
      List<Encoded> outcomes = get(TestService.encodeImages(test.get(), "rgb", images));
      assertEquals(images.size(), outcomes.size());
      for (int i = 0; i < outcomes.size(); i++) {
        if (isGood.get(i)) {
          assertThat(outcomes.get(i), instanceOf(Encoded.Success.class));
        } else {
          RuntimeException cause = ((Encoded.Failure) outcomes.get(i)).cause();
          assertThat(cause, instanceOf(IllegalArgumentException.class));
        }
      }
      long goods = isGood.stream().filter(fine -> fine).count();
      assertEquals(goods, test.get().stats().get(Counter.ENCODED_IMAGES));
      assertEquals(images.size() - goods, test.get().stats().get(Counter.ENCODE_FAILURES));
    }
  }

  public void testTextsComeBackInOrderAndSayWhenTheyAreCut() throws Exception {
    try (TestService test = new TestService(createTempDir(), 100, randomIntBetween(1, 3))) {
      List<String> texts = List.of("ab", " ", "abc", "a".repeat(200), "a");
      List<Encoded> outcomes = get(TestService.encodeTexts(test.get(), TestModels.ID, texts));
      int d = MODEL.manifest().config().embeddingDimension();
      for (int i : new int[] {0, 2, 3, 4}) {
        Encoded.Success success = (Encoded.Success) outcomes.get(i);
        Encoding alone =
            ((Encoded.Success)
                    get(TestService.encodeTexts(test.get(), TestModels.ID, List.of(texts.get(i))))
                        .get(0))
                .encoding();
        assertEquals(alone.tokens().count(), success.encoding().tokens().count());
        assertEquals(d, alone.embedding().length);
        assertArrayEquals(alone.embedding(), success.encoding().embedding(), TOLERANCE);
        assertEquals(i == 3, !success.notice().isEmpty());
      }
      assertThat(outcomes.get(1), instanceOf(Encoded.Failure.class));
    }
  }

  /** So that a bulk of any size never holds more than a batch of encodings. */
  public void testOutcomesAreHandedOnBeforeTheNextBatchIsEncoded() throws Exception {
    int batch = randomIntBetween(1, 3);
    try (TestService test = new TestService(createTempDir(), 100, batch)) {
      List<String> texts = new ArrayList<>();
      for (int i = randomIntBetween(batch + 1, 10); i > 0; i--) {
        texts.add(i % 3 == 0 ? " " : "a");
      }
      List<Long> attempted = new ArrayList<>();
      InferenceStats stats = test.get().stats();
      get(
          test.get()
              .encoding()
              .encodeTexts(
                  EncodingRequest.ofDocuments(
                      TestModels.ID,
                      texts,
                      (item, outcome) -> {
                        assertEquals(attempted.size(), item);
                        assertEquals(texts.get(item).isBlank(), outcome instanceof Encoded.Failure);
                        attempted.add(stats.get(Counter.ENCODED_TEXTS));
                      })));
      for (int i = 0; i < texts.size(); i++) {
        int soFar = Math.min(texts.size(), (i / batch + 1) * batch);
        assertEquals(
            "when item " + i + " was handed on",
            texts.subList(0, soFar).stream().filter(text -> !text.isBlank()).count(),
            (long) attempted.get(i));
      }
    }
  }

  /** A bulk's pictures keep the threads that decode them busy for as long as they please. */
  public void testAQueryDoesNotWaitForDocumentsThatAreDecoded() throws Exception {
    ExecutorService helpers = Executors.newFixedThreadPool(1);
    BlockingQueue<Runnable> decoder = new LinkedBlockingQueue<>();
    InferenceSettings settings = TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO);
    try (NodeInference service =
        new NodeInference(
            new ModelCatalog(() -> List.of(MODEL)),
            settings,
            () -> NativeRuntime.devices(settings),
            MemoryBudget.UNLIMITED,
            MemoryBudget.UNLIMITED,
            new EncodingService.Threads(helpers, decoder::add, 2))) {
      byte[] image = TestModels.png(random(), 20);
      CompletableFuture<List<Encoded>> bulk =
          TestService.encodeImages(service, "rgb", List.of(image, image));
      get(service.encoding().encodeQuery(TestModels.ID, new QueryInput.Text("a pond")));
      assertEquals(0, service.stats().get(Counter.ENCODED_IMAGES));
      while (!bulk.isDone()) {
        decoder.take().run();
      }
      assertThat(get(bulk).get(1), instanceOf(Encoded.Success.class));
    } finally {
      helpers.shutdownNow();
    }
  }

  /** Heap of so many bytes; what was taken is counted. */
  private static MemoryBudget heap(long limit, AtomicLong used) {
    return (what, bytes) -> {
      if (used.addAndGet(bytes) > limit) {
        used.addAndGet(-bytes);
        throw new InferenceException.MemoryExceeded(what, bytes, "the test's limit", null);
      }
      return () -> used.addAndGet(-bytes);
    };
  }

  private static TestService service(Path directory, MemoryBudget heap) {
    return new TestService(
        TestService.settings(directory, 100, 4, true, Duration.ZERO), MemoryBudget.UNLIMITED, heap);
  }

  public void testAPictureThatDoesNotFitFailsAlone() throws Exception {
    byte[] small = TestModels.png(random(), 20);
    byte[] large = TestModels.png(random(), 500);
    AtomicLong used = new AtomicLong();
    long limit = MODEL.preprocessor("rgb").bytes(large) - 1;
    try (TestService test = service(createTempDir(), heap(limit, used))) {
      List<Encoded> outcomes =
          get(TestService.encodeImages(test.get(), "rgb", List.of(small, large, small, small)));
      for (int i = 0; i < 4; i++) {
        if (i == 1) {
          RuntimeException cause = ((Encoded.Failure) outcomes.get(i)).cause();
          assertThat(cause, instanceOf(InferenceException.MemoryExceeded.class));
          assertThat(cause.getMessage(), containsString("decoding a picture needs"));
        } else {
          assertThat(outcomes.get(i), instanceOf(Encoded.Success.class));
        }
      }
      assertEquals(0, used.get());
    }
  }

  /** Searches for pictures that wait for memory would take the threads that read all searches. */
  public void testATextIsFoundWhileThereIsNoMemoryForPictures() throws Exception {
    AtomicLong used = new AtomicLong();
    long picture = MODEL.preprocessor("rgb").bytes(TestModels.png(random(), 500));
    MemoryBudget heap = heap(picture * 3 / 2, used);
    ExecutorService helpers = Executors.newFixedThreadPool(2);
    ExecutorService decoder = Executors.newFixedThreadPool(1);
    CountDownLatch decoding = new CountDownLatch(1);
    CountDownLatch over = new CountDownLatch(1);
    MemoryBudget held =
        (what, bytes) -> {
          MemoryBudget.Reservation memory = heap.reserve(what, bytes);
          if (what.startsWith("decoding") && decoding.getCount() > 0) {
            decoding.countDown();
            return () -> {
              await(over);
              memory.close();
            };
          }
          return memory;
        };
    InferenceSettings settings = TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO);
    try (NodeInference service =
        new NodeInference(
            new ModelCatalog(() -> List.of(MODEL)),
            settings,
            () -> NativeRuntime.devices(settings),
            MemoryBudget.UNLIMITED,
            held,
            new EncodingService.Threads(helpers, decoder, 2))) {
      get(service.models().load(TestModels.ID, null));
      CompletableFuture<List<Encoded>> bulk =
          TestService.encodeImages(service, "rgb", List.of(TestModels.png(random(), 500)));
      await(decoding);
      for (int i = 0; i < 4; i++) {
        assertThat(
            failure(
                service
                    .encoding()
                    .encodeQuery(
                        TestModels.ID, new QueryInput.Image("rgb", TestModels.png(random(), 500)))),
            instanceOf(InferenceException.MemoryExceeded.class));
      }
      get(service.encoding().encodeQuery(TestModels.ID, new QueryInput.Text("a pond")));
      assertEquals(4, service.stats().get(Counter.DECODING_REJECTIONS));
      over.countDown();
      assertThat(get(bulk).get(0), instanceOf(Encoded.Success.class));
    } finally {
      over.countDown();
      helpers.shutdownNow();
      decoder.shutdownNow();
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(60, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** OpenSearch ends a process whose heap is exhausted; a future must not hide it. */
  public void testAnErrorReachesTheHandlerOfUncaughtFailures() throws Exception {
    OutOfMemoryError error = new OutOfMemoryError("not really");
    Thread.UncaughtExceptionHandler before = Thread.getDefaultUncaughtExceptionHandler();
    CompletableFuture<Throwable> uncaught = new CompletableFuture<>();
    Thread.setDefaultUncaughtExceptionHandler((thread, failure) -> uncaught.complete(failure));
    MemoryBudget heap =
        (what, bytes) -> {
          if (what.startsWith("decoding")) {
            throw error;
          }
          return () -> {};
        };
    try (TestService test = service(createTempDir(), heap)) {
      CompletableFuture<List<Encoded>> images =
          TestService.encodeImages(test.get(), "rgb", List.of(TestModels.png(random(), 20)));
      assertSame(error, get(uncaught));
      expectThrows(ExecutionException.class, () -> get(images));
    } finally {
      Thread.setDefaultUncaughtExceptionHandler(before);
    }
  }

  /** Two batches of pictures as numbers, and one of encodings. */
  public void testARequestThatDoesNotFitIsRefused() {
    AtomicLong used = new AtomicLong();
    try (TestService test = service(createTempDir(), heap(4000, used))) {
      byte[] picture = TestModels.png(random(), 20);
      Throwable refused =
          failure(TestService.encodeImages(test.get(), "rgb", List.of(picture, picture)));
      assertThat(refused, instanceOf(InferenceException.MemoryExceeded.class));
      assertThat(
          failure(TestService.encodeTexts(test.get(), TestModels.ID, List.of("a", "b", "c", "d"))),
          instanceOf(InferenceException.MemoryExceeded.class));
      assertEquals(0, used.get());
    }
  }

  /** Whatever a request meets: it is encoded, damaged, too large, late, left or cut off. */
  public void testTheHeapIsGivenBackWhateverHappens() throws Exception {
    AtomicLong used = new AtomicLong();
    byte[] small = TestModels.png(random(), 20);
    byte[] large = TestModels.png(random(), 300);
    MemoryBudget heap =
        heap(
            MODEL.preprocessor("rgb").bytes(large)
                + MODEL.preprocessor("rgb").bytes(small)
                + randomIntBetween(0, 500_000),
            used);
    List<CompletableFuture<?>> all = new ArrayList<>();
    TestService test = service(createTempDir(), heap);
    try {
      for (int i = 0; i < 60; i++) {
        CompletableFuture<Void> gone = new CompletableFuture<>();
        List<byte[]> images = new ArrayList<>();
        for (int k = randomIntBetween(1, 9); k > 0; k--) {
          images.add(randomFrom(small, small, large, new byte[] {1, 2}));
        }
        switch (randomIntBetween(0, 3)) {
          case 0 ->
              all.add(
                  test.get()
                      .encoding()
                      .encodeImages(
                          "rgb",
                          EncodingRequest.ofDocuments(TestModels.ID, images, (item, out) -> {})
                              .cancelledBy(gone)));
          case 1 ->
              all.add(
                  test.get()
                      .encoding()
                      .encodeQuery(TestModels.ID, new QueryInput.Image("rgb", images.get(0))));
          case 2 ->
              all.add(
                  test.get()
                      .encoding()
                      .encodeQuery(TestModels.ID, new QueryInput.Text("pond " + i % 7)));
          default ->
              all.add(
                  TestService.encodeTexts(test.get(), TestModels.ID, List.of("a", " ", "road")));
        }
        if (rarely()) {
          gone.complete(null);
        }
        if (rarely()) {
          randomFrom(all).cancel(true);
        }
      }
      if (randomBoolean()) {
        test.get().close();
      }
      for (CompletableFuture<?> future : all) {
        CompletableFuture<?> settled = future.handle((done, failure) -> null);
        get(settled);
      }
      // Who cancelled does not wait for what was begun for him.
      assertBusy(() -> assertEquals(0, used.get()));
    } finally {
      test.close();
    }
  }

  public void testWhatNobodyWaitsForIsNotDecoded() throws Exception {
    AtomicLong decoded = new AtomicLong();
    MemoryBudget heap =
        (what, bytes) -> {
          decoded.addAndGet(what.startsWith("decoding") ? 1 : 0);
          return () -> {};
        };
    try (TestService test = service(createTempDir(), heap)) {
      byte[] picture = TestModels.png(random(), 20);
      CompletableFuture<Void> gone = new CompletableFuture<>();
      List<Encoded> outcomes = new ArrayList<>();
      get(
          test.get()
              .encoding()
              .encodeImages(
                  "rgb",
                  EncodingRequest.ofDocuments(
                          TestModels.ID,
                          Collections.nCopies(40, picture),
                          (item, outcome) -> {
                            outcomes.add(outcome);
                            gone.complete(null);
                          })
                      .cancelledBy(gone)));
      assertEquals(40, outcomes.size());
      assertThat(outcomes.get(0), instanceOf(Encoded.Success.class));
      assertThat(outcomes.get(39), instanceOf(Encoded.Failure.class));
      assertTrue(decoded + " of 40 decoded", decoded.get() <= 8);
      assertEquals(0, test.get().stats().get(Counter.ENCODE_FAILURES));
    }
  }

  public void testAQueryIsEncodedOnce() throws Exception {
    try (TestService test = new TestService(createTempDir(), 100, 8)) {
      QueryInput.Text query = new QueryInput.Text("a pond");
      CompletableFuture<Encoded.Success> first =
          test.get().encoding().encodeQuery(TestModels.ID, query);
      CompletableFuture<Encoded.Success> second =
          test.get().encoding().encodeQuery(TestModels.ID, new QueryInput.Text("a pond"));
      assertSame(get(first).encoding(), get(second).encoding());
      get(test.get().encoding().encodeQuery(TestModels.ID, new QueryInput.Text("a road")));
      assertEquals(2, test.get().stats().get(Counter.ENCODED_TEXTS));
      assertEquals(1, test.get().stats().get(Counter.QUERY_CACHE_HITS));
      assertEquals(2, test.get().stats().get(Counter.QUERY_CACHE_MISSES));
      assertThat(
          failure(test.get().encoding().encodeQuery(TestModels.ID, new QueryInput.Text(" "))),
          instanceOf(IllegalArgumentException.class));
    }
  }

  public void testUnknownModelAndSensor() {
    try (TestService test = new TestService(createTempDir(), 100, 8)) {
      IllegalArgumentException model =
          expectThrows(
              IllegalArgumentException.class,
              () -> TestService.encodeTexts(test.get(), "nothing", List.of("a")).join());
      assertThat(model.getMessage(), containsString("this node has [micro]"));
      expectThrows(
          IllegalArgumentException.class,
          () -> TestService.encodeImages(test.get(), "s1", List.of(new byte[1])).join());
    }
  }
}
