/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Footprint;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.crossmodal.plugin.inference.scoring.ScoringService.Similarities;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.test.OpenSearchTestCase;

/** What the worker makes of jobs that wait together. */
public class ModelWorkerTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final ModelConfig CONFIG = MODEL.manifest().config();
  private static final float TOLERANCE = 1e-4f;

  /** Holds the worker at its first step, the memory for the model, until jobs have gathered. */
  private static final class Gate implements MemoryBudget {
    private final CountDownLatch open = new CountDownLatch(1);
    private final long limit;
    private final AtomicLong used = new AtomicLong();

    private Gate(long limit) {
      this.limit = limit;
    }

    @Override
    public Reservation reserve(String what, long bytes) {
      try {
        assertTrue(open.await(60, TimeUnit.SECONDS));
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      if (!what.startsWith("model") && bytes > limit) {
        throw new InferenceException.MemoryExceeded(what, bytes, "the test grants " + limit, null);
      }
      used.addAndGet(bytes);
      return () -> used.addAndGet(-bytes);
    }
  }

  /** A search's pairs: one text and some images. */
  private record Search(TokenBlock text, List<TokenBlock> images) {}

  private Search search(int pairs) {
    List<TokenBlock> images = new ArrayList<>();
    for (int i = 0; i < pairs; i++) {
      images.add(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)));
    }
    return new Search(TestModels.tokens(random(), MODEL, randomIntBetween(2, 9)), images);
  }

  private static CompletableFuture<Scores> score(TestService test, Search search) {
    return test.get()
        .scoring()
        .score(
            new ScoringService.Request(
                TestModels.ID, List.of(search.text()), search.images(), Deadline.none()));
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return Futures.unwrap(expectThrows(ExecutionException.class, () -> get(future)).getCause());
  }

  private void assertScoresAreThoseOfEachPairAlone(List<Search> searches, List<Scores> scores)
      throws Exception {
    try (TestService alone = new TestService(createTempDir(), 1000, 1)) {
      for (int s = 0; s < searches.size(); s++) {
        Search search = searches.get(s);
        assertEquals(search.images().size(), scores.get(s).itm().length);
        for (int i = 0; i < search.images().size(); i++) {
          Scores pair =
              get(score(alone, new Search(search.text(), search.images().subList(i, i + 1))));
          assertEquals(pair.itm()[0], scores.get(s).itm()[i], TOLERANCE);
          assertEquals(pair.biEncoder()[0], scores.get(s).biEncoder()[i], TOLERANCE);
        }
      }
    }
  }

  private TestService service(Gate gate, int batch, boolean merge, Duration wait) {
    return new TestService(
        TestService.settings(createTempDir(), 1000, batch, merge, wait),
        gate,
        MemoryBudget.UNLIMITED);
  }

  public void testSearchesThatWaitTogetherShareCalls() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    try (TestService test = service(gate, 16, true, Duration.ZERO)) {
      List<Search> searches = new ArrayList<>();
      List<CompletableFuture<Scores>> futures = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        searches.add(search(randomIntBetween(1, 5)));
        futures.add(score(test, searches.get(i)));
      }
      gate.open.countDown();
      List<Scores> scores = new ArrayList<>();
      for (CompletableFuture<Scores> future : futures) {
        scores.add(get(future));
      }
      assertScoresAreThoseOfEachPairAlone(searches, scores);
      int pairs = searches.stream().mapToInt(search -> search.images().size()).sum();
      InferenceStats stats = test.get().stats();
      assertEquals(pairs, stats.get(Counter.PAIRS));
      // The first search may have been taken up before the others came; the rest is packed.
      int fullest = 1 + (pairs + 15) / 16;
      assertTrue(
          stats.get(Counter.SCORE_BATCHES) + " calls", stats.get(Counter.SCORE_BATCHES) <= fullest);
      assertTrue(stats.get(Counter.MERGED_BATCHES) >= 1);
      assertEquals(9, stats.get(Timing.QUEUE).count());
      assertEquals(stats.get(Counter.SCORE_BATCHES), stats.get(Timing.MODEL).count());
      assertEquals(pairs, stats.of(TestModels.ID).get(Counter.PAIRS));
    }
  }

  public void testWithoutMergingEachSearchHasItsCall() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    try (TestService test = service(gate, 16, false, Duration.ofHours(1))) {
      List<CompletableFuture<Scores>> futures = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        futures.add(score(test, search(2)));
      }
      gate.open.countDown();
      for (CompletableFuture<Scores> future : futures) {
        assertEquals(2, get(future).itm().length);
      }
      assertEquals(5, test.get().stats().get(Counter.SCORE_BATCHES));
      assertEquals(0, test.get().stats().get(Counter.MERGED_BATCHES));
    }
  }

  public void testACallThatIsNotFullWaitsForMore() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    gate.open.countDown();
    try (TestService test = service(gate, 4, true, Duration.ofHours(1))) {
      Search first = search(3);
      Search second = search(1);
      CompletableFuture<Scores> one = score(test, first);
      CompletableFuture<Scores> other = score(test, second);
      assertScoresAreThoseOfEachPairAlone(List.of(first, second), List.of(get(one), get(other)));
      assertEquals(1, test.get().stats().get(Counter.SCORE_BATCHES));
      // What never fills up goes on when the wait is changed.
      CompletableFuture<Scores> patient = score(test, search(2));
      test.get().update(TestService.settings(createTempDir(), 1000, 4, true, Duration.ZERO));
      assertEquals(2, get(patient).itm().length);
    }
  }

  public void testALargeJobLetsASmallOnePass() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    int batch = randomIntBetween(1, 3);
    try (TestService test = service(gate, batch, randomBoolean(), Duration.ZERO)) {
      List<String> order = Collections.synchronizedList(new ArrayList<>());
      CompletableFuture<?> large =
          score(test, search(10 * batch)).whenComplete((scores, failure) -> order.add("large"));
      CompletableFuture<?> small =
          score(test, search(1)).whenComplete((scores, failure) -> order.add("small"));
      gate.open.countDown();
      get(large);
      get(small);
      assertEquals(List.of("small", "large"), order);
    }
  }

  public void testNeitherDocumentsNorSearchesStarve() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    try (TestService test = service(gate, 16, false, Duration.ZERO)) {
      List<String> order = Collections.synchronizedList(new ArrayList<>());
      List<CompletableFuture<?>> all = new ArrayList<>();
      // The worker takes up the first at once and stands at the gate with it.
      all.add(score(test, search(1)));
      for (int i = 0; i < 3; i++) {
        all.add(
            TestService.encodeTexts(test.get(), TestModels.ID, List.of("a"))
                .whenComplete((encoded, failure) -> order.add("document")));
      }
      assertBusy(() -> assertTrue(test.get().queued() >= 3));
      for (int i = 0; i < 100; i++) {
        all.add(score(test, search(1)).whenComplete((scores, failure) -> order.add("search")));
      }
      gate.open.countDown();
      for (CompletableFuture<?> future : all) {
        get(future);
      }
      int first = JobQueues.INGEST_TURN - 2;
      assertEquals(Collections.nCopies(first, "search"), order.subList(0, first));
      assertTrue(
          "documents do not wait for the last search: " + order,
          order.lastIndexOf("document") < order.lastIndexOf("search"));
    }
  }

  public void testWhatDoesNotFitIntoMemoryIsHalved() throws Exception {
    long grants = Footprint.score(CONFIG, 3, 9, TestModels.imageTokens(MODEL));
    Gate gate = new Gate(grants);
    gate.open.countDown();
    try (TestService test = service(gate, 16, true, Duration.ZERO)) {
      Search search = search(10);
      Scores scores = get(score(test, search));
      assertScoresAreThoseOfEachPairAlone(List.of(search), List.of(scores));
      assertTrue(test.get().stats().get(Counter.SPLIT_BATCHES) >= 1);
      assertEquals(MODEL.weightBytes(), gate.used.get());
    }
    assertEquals("all is given back", 0, gate.used.get());
  }

  public void testWhatDoesNotFitAtAllIsRefused() throws Exception {
    Gate gate = new Gate(10);
    gate.open.countDown();
    try (TestService test = service(gate, 16, true, Duration.ZERO)) {
      Throwable failure = failure(score(test, search(4)));
      assertThat(failure, instanceOf(InferenceException.MemoryExceeded.class));
      assertThat(failure.getMessage(), containsString("the test grants 10"));
    }
  }

  public void testAJobThatBreaksTheCallFailsAlone() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    try (TestService test = service(gate, 64, true, Duration.ZERO)) {
      Search before = search(2);
      Search after = search(3);
      int narrow = CONFIG.hidden() / 2;
      int m = TestModels.imageTokens(MODEL);
      Search foreign =
          new Search(before.text(), List.of(new TokenBlock(m, narrow, new float[m * narrow])));
      CompletableFuture<Scores> first = score(test, search(1));
      CompletableFuture<Scores> good = score(test, before);
      CompletableFuture<Scores> bad = score(test, foreign);
      CompletableFuture<Scores> alsoGood = score(test, after);
      gate.open.countDown();
      get(first);
      assertScoresAreThoseOfEachPairAlone(
          List.of(before, after), List.of(get(good), get(alsoGood)));
      assertThat(failure(bad), instanceOf(InferenceException.ModelFailed.class));
      assertEquals(1, test.get().stats().get(Counter.ISOLATED_BATCHES));
    }
  }

  /** A search for which there is no memory at all must not fail those that share its call. */
  public void testAJobThatDoesNotFitFailsAlone() throws Exception {
    int m = TestModels.imageTokens(MODEL);
    Gate gate = new Gate(Footprint.maxSim(CONFIG, 1, 2 * m, m) - 1);
    try (TestService test = service(gate, 64, true, Duration.ZERO)) {
      List<TokenBlock> images = search(2).images();
      List<TokenBlock> small = List.of(TestModels.tokens(random(), MODEL, m));
      List<TokenBlock> large = List.of(TestModels.tokens(random(), MODEL, 2 * m));
      CompletableFuture<Scores> first = score(test, search(1));
      List<CompletableFuture<Similarities>> jobs = new ArrayList<>();
      for (List<TokenBlock> query : List.of(small, large, small)) {
        jobs.add(
            test.get()
                .scoring()
                .maxSim(new ScoringService.Request(TestModels.ID, query, images, Deadline.none())));
      }
      gate.open.countDown();
      get(first);
      assertEquals(2, get(jobs.get(0)).values().size());
      assertThat(failure(jobs.get(1)), instanceOf(InferenceException.MemoryExceeded.class));
      assertEquals(2, get(jobs.get(2)).values().size());
      assertEquals(1, test.get().stats().get(Counter.ISOLATED_BATCHES));
    }
  }

  public void testWhoeverCannotBeServedInTimeIsRefusedAtTheDoor() throws Exception {
    InferenceStats stats = new InferenceStats();
    // No thread: what is submitted waits.
    InferenceSettings settings =
        TestService.settings(createTempDir(), 1000, 10, true, Duration.ZERO);
    DeviceBudgets budgets = new DeviceBudgets(MemoryBudget.UNLIMITED, gpu -> 0);
    ModelWorker worker = new ModelWorker(() -> settings, budgets, stats);
    LoadedModels models =
        new LoadedModels(
            new ModelCatalog(() -> List.of(MODEL)),
            settings,
            (bundle, policy) -> {
              throw new InferenceException.ModelUnavailable("none is needed", null);
            },
            () -> {});
    LoadedModel on = models.lease(TestModels.ID).of();
    assertBusy(() -> assertTrue(on.settled()));
    int m = TestModels.imageTokens(MODEL);
    on.computed(Operation.Score.class, 4, TimeUnit.SECONDS.toNanos(4));
    Job<?, ?> alone = job(on, 100, m, Duration.ofSeconds(90));
    worker.submit(Priority.SEARCH, alone);
    assertFalse("an empty queue is no wait", alone.result().isDone());
    Job<?, ?> large = job(on, 100, m, Duration.ofSeconds(60));
    worker.submit(Priority.SEARCH, large);
    assertThat(
        "of 100 pairs of 1 s each",
        failure(large.result()),
        instanceOf(InferenceException.QueueTooSlow.class));
    Job<?, ?> small = job(on, 10, m, Duration.ofSeconds(60));
    worker.submit(Priority.SEARCH, small);
    assertFalse("a call of 10 comes before it", small.result().isDone());
    Job<?, ?> hasty = job(on, 1, m, Duration.ofSeconds(15));
    worker.submit(Priority.SEARCH, hasty);
    Throwable refusal = failure(hasty.result());
    assertThat(refusal, instanceOf(InferenceException.QueueTooSlow.class));
    assertThat(refusal.getMessage(), containsString("the model's queue takes about [20000ms]"));
    Job<?, ?> patient = job(on, 100, m, Duration.ofDays(1));
    worker.submit(Priority.SEARCH, patient);
    assertFalse(patient.result().isDone());
    assertEquals(2, stats.of(TestModels.ID).get(Counter.LATE_REJECTIONS));
    assertEquals(0, stats.get(Counter.REJECTIONS));
    assertEquals(3, worker.queued());
    assertTrue(worker.close(1));
    models.close();
  }

  private Job<Operation.Pair, Operation.PairLogit> job(
      LoadedModel on, int pairs, int imageTokens, Duration patience) {
    TokenBlock text = TestModels.tokens(random(), MODEL, 3);
    return new Job<>(
        new Operation.Score(on, imageTokens, null),
        search(pairs).images().stream().map(image -> new Operation.Pair(text, image)).toList(),
        Deadline.after(patience));
  }

  public void testAnInterruptIsNoReasonToStop() throws Exception {
    try (TestService test = new TestService(createTempDir(), 1000, 4)) {
      List<Search> searches = new ArrayList<>();
      List<Scores> scores = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        searches.add(search(20));
        CompletableFuture<Scores> future = score(test, searches.get(i));
        // While it waits or while it computes, as it happens.
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("cross-modal-model-"))
            .forEach(Thread::interrupt);
        scores.add(get(future));
      }
      assertScoresAreThoseOfEachPairAlone(searches, scores);
    }
  }

  public void testNobodyComputesForThoseWhoGaveUp() throws Exception {
    Gate gate = new Gate(Long.MAX_VALUE);
    try (TestService test = service(gate, 16, randomBoolean(), Duration.ZERO)) {
      CompletableFuture<Scores> first = score(test, search(1));
      CompletableFuture<Scores> gone = score(test, search(5));
      CompletableFuture<Scores> stays = score(test, search(2));
      // All three wait for the model, which waits at the gate.
      assertTrue(gone.cancel(true));
      assertEquals(2, test.get().queued());
      gate.open.countDown();
      get(first);
      get(stays);
      assertEquals(3, test.get().stats().get(Counter.PAIRS));
    }
  }
}
