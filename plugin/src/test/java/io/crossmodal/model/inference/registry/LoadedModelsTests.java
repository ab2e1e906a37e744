/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import ai.djl.Device;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.engine.LocalEngine;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.test.OpenSearchTestCase;

/** Versions that come, serve and go. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class LoadedModelsTests extends OpenSearchTestCase {
  private static final String ID = "mine";

  private final AtomicLong used = new AtomicLong();
  private final ModelCatalog catalog = new ModelCatalog(() -> List.of(TestModels.micro()));

  private final MemoryBudget budget =
      (what, bytes) -> {
        used.addAndGet(bytes);
        return () -> used.addAndGet(-bytes);
      };

  private LoadedModels models() {
    InferenceSettings settings = settings();
    return new LoadedModels(
        catalog,
        settings,
        new EngineLoader(settings, new DeviceBudgets(budget, gpu -> 0), () -> cpus(settings, 1)),
        () -> {});
  }

  private static InferenceSettings settings() {
    return TestService.settings(createTempDir(), 1000, 8, true, Duration.ZERO);
  }

  private static List<Device> cpus(InferenceSettings settings, int count) {
    assertFalse(NativeRuntime.devices(settings).isEmpty());
    return Collections.nCopies(count, Device.cpu());
  }

  private static ModelVersion version(long number, CompletableFuture<ModelBundle> bundle) {
    return ModelVersion.stored(
        ID,
        number,
        "sha" + number,
        bundle.isCompletedExceptionally() || !bundle.isDone()
            ? TestModels.micro().manifest().toJson()
            : bundle.join().manifest().toJson(),
        () -> bundle);
  }

  private static ModelVersion version(long number, ModelBundle bundle) {
    return version(number, CompletableFuture.completedFuture(bundle.withId(ID)));
  }

  private static ModelVersion newHead(long number) throws IOException {
    return version(number, TestModels.newHead(ID, number));
  }

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  private static long weights() {
    return TestModels.micro().weightBytes();
  }

  public void testALoadThatNeverEndsIsSeen() throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    InferenceSettings settings = settings();
    try (LocalEngine engine =
        new LocalEngine(
            catalog,
            settings,
            () -> {
              try {
                assertTrue(ended.await(3, TimeUnit.MINUTES));
              } catch (InterruptedException e) {
                throw new IllegalStateException(e);
              }
              return cpus(settings, 1);
            },
            budget)) {
      CompletableFuture<Void> load = engine.models().load(TestModels.ID, null);
      Duration none = Duration.ZERO;
      assertBusy(() -> assertTrue(engine.overdue(none, none).isPresent()));
      assertThat(
          engine.overdue(none, none).orElseThrow(),
          containsString("model [" + TestModels.ID + "] is still being loaded"));
      assertEquals(Optional.empty(), engine.overdue(none, Duration.ofDays(1)));
      ended.countDown();
      load.get(3, TimeUnit.MINUTES);
      assertEquals(Optional.empty(), engine.overdue(none, none));
    }
  }

  public void testANewVersionServesWhenItIsWarmAndTheOldOneEndsItsJobs() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models = models()) {
      LoadedModel first = models.serving(ID);
      get(first.done());
      assertEquals(1, models.status(ID).version());
      LoadedModel.Lease job = first.lease();

      CompletableFuture<ModelBundle> arrives = new CompletableFuture<>();
      catalog.update(List.of(version(2, arrives)));
      models.refresh();
      assertSame("until the next one is warm", first, models.serving(ID));
      assertEquals(ModelStatus.State.LOADED, models.status(ID).state());
      arrives.complete(TestModels.newHead(ID, 2));
      get(models.load(ID, null));
      LoadedModel second = models.serving(ID);
      assertNotSame(first, second);
      assertEquals(2, models.status(ID).version());

      assertEquals("the job's version stays", 2, used.get() / weights());
      assertNotNull(job.model(EngineLoader.Copies.class).copies().get(0).encodeTexts(List.of()));
      job.close();
      job.close();
      assertEquals(1, used.get() / weights());
      expectThrows(
          InferenceException.ModelUnavailable.class,
          () -> first.lease().model(EngineLoader.Copies.class));
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  /** Whoever began with a version ends with it, also where it is swapped before his first call. */
  public void testALeaseKeepsTheVersionThroughASwapAndAnUnload() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      try (LoadedModel.Lease swapped = models.lease(ID)) {
        catalog.update(List.of(newHead(2)));
        get(models.load(ID, null));
        try (LoadedModel.Lease unloaded = models.lease(ID)) {
          assertEquals(2, unloaded.of().version().number());
          models.unload(ID);
          assertNotNull(unloaded.model(EngineLoader.Copies.class));
        }
        assertEquals(1, swapped.of().version().number());
        assertNotNull(swapped.model(EngineLoader.Copies.class));
      }
      assertEquals(0, used.get());
    }
  }

  public void testAVersionThatCannotBeLoadedLeavesTheOldOne() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      LoadedModel first = models.serving(ID);
      catalog.update(
          List.of(
              version(
                  2,
                  CompletableFuture.failedFuture(
                      new InferenceException.ModelUnavailable("chunk 3 is missing", null)))));
      ExecutionException e =
          expectThrows(ExecutionException.class, () -> get(models.load(ID, null)));
      assertThat(e.getCause().getMessage(), containsString("chunk 3 is missing"));
      assertSame(first, models.serving(ID));
      ModelStatus status = models.status(ID);
      assertEquals(ModelStatus.State.LOADED, status.state());
      assertEquals(1, status.version());
      assertThat(status.error(), containsString("chunk 3 is missing"));

      catalog.update(List.of(newHead(3)));
      get(models.load(ID, null));
      assertEquals(3, models.status(ID).version());
      assertEquals("", models.status(ID).error());
    }
    assertEquals(0, used.get());
  }

  /** A fusion encoder over a CLIP's towers is their next version; what needs it waits for it. */
  public void testWhatOnlyTheNextVersionCanWaitsForIt() throws Exception {
    ModelBundle towers = TestClips.bundle(ID, 11);
    ModelBundle fused = TestClips.fused(towers, 5, new Calibration(0.1, 0.3, -0.2));
    CompletableFuture<ModelBundle> arrives = new CompletableFuture<>();
    catalog.update(List.of(version(1, towers)));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      assertEquals("none can", 1, number(models, ModelConfig::hasFusion));
      catalog.update(List.of(next(2, fused, arrives)));
      AtomicLong leased = new AtomicLong();
      CompletableFuture<Void> job =
          models.whileLeased(
              ID,
              ModelConfig::hasFusion,
              on -> {
                leased.set(on.version().number());
                return on.done();
              });
      assertEquals(2, leased.get());
      assertEquals("what it can, the one before does", 1, number(models, any -> true));
      assertFalse(job.isDone());
      arrives.complete(fused);
      get(job);
      assertEquals(2, number(models, any -> true));
    }
    assertEquals(0, used.get());
  }

  public void testANextVersionThatCouldAndCannotBeLoadedSaysWhy() throws Exception {
    ModelBundle towers = TestClips.bundle(ID, 11);
    ModelBundle fused = TestClips.fused(towers, 5, new Calibration(0.1, 0.3, -0.2));
    catalog.update(List.of(version(1, towers)));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      CompletableFuture<ModelBundle> arrives = new CompletableFuture<>();
      catalog.update(List.of(next(2, towers.withPrompts(List.of("a photo of {}")), arrives)));
      models.refresh();
      catalog.update(
          List.of(
              next(
                  3,
                  fused,
                  CompletableFuture.failedFuture(
                      new InferenceException.ModelUnavailable("chunk 3 is missing", null)))));
      assertThat(
          unavailable(models),
          containsString("another version is being loaded before it, retry later"));
      arrives.complete(towers.withPrompts(List.of("a photo of {}")));
      assertBusy(() -> assertEquals(2, number(models, any -> true)));
      expectThrows(ExecutionException.class, () -> get(models.load(ID, null)));
      assertThat(
          unavailable(models),
          containsString(
              "mine version 3 can do this and is not loaded, mine version 2 serves and cannot:"
                  + " chunk 3 is missing"));
    }
    assertEquals(0, used.get());
  }

  private static ModelVersion next(
      long number, ModelBundle bundle, CompletableFuture<ModelBundle> arrives) {
    return ModelVersion.stored(
        ID, number, "sha" + number, bundle.manifest().toJson(), () -> arrives);
  }

  private static long number(LoadedModels models, Predicate<ModelConfig> able) throws Exception {
    return get(
        models.whileLeased(
            ID, able, on -> CompletableFuture.completedFuture(on.version().number())));
  }

  private static String unavailable(LoadedModels models) {
    ExecutionException e =
        expectThrows(ExecutionException.class, () -> number(models, ModelConfig::hasFusion));
    assertThat(e.getCause(), instanceOf(InferenceException.ModelUnavailable.class));
    return e.getCause().getMessage();
  }

  public void testAFailedFetchIsTriedAgain() throws Exception {
    List<CompletableFuture<ModelBundle>> attempts =
        new ArrayList<>(
            List.of(
                CompletableFuture.failedFuture(
                    new InferenceException.ModelUnavailable("no shard", null)),
                CompletableFuture.completedFuture(TestModels.micro().withId(ID))));
    catalog.update(
        List.of(
            ModelVersion.stored(
                ID, 1, "sha", TestModels.micro().manifest().toJson(), () -> attempts.remove(0))));
    try (LoadedModels models = models()) {
      expectThrows(ExecutionException.class, () -> get(models.serving(ID).done()));
      assertEquals(ModelStatus.State.FAILED, models.status(ID).state());
      get(models.serving(ID).done());
      assertEquals(ModelStatus.State.LOADED, models.status(ID).state());
      assertEquals(List.of(), attempts);
    }
  }

  public void testUnloadAndDelete() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      LoadedModel.Lease job = models.serving(ID).lease();
      models.unload(ID);
      assertEquals(ModelStatus.State.NOT_LOADED, models.status(ID).state());
      assertTrue("while a job has it", used.get() > 0);
      job.close();
      assertEquals(0, used.get());

      get(models.load(ID, null));
      catalog.update(List.of());
      models.refresh();
      assertEquals(0, used.get());
      IllegalArgumentException e =
          expectThrows(IllegalArgumentException.class, () -> models.serving(ID));
      assertThat(e.getMessage(), containsString("unknown model [mine]"));
    }
  }

  public void testAnIdThatWasGivenToAnotherModelDoesNotServeTheOldOne() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      catalog.update(List.of(version(1, TestModels.foreign())));
      LoadedModel serving = models.serving(ID);
      assertEquals(
          TestModels.foreign().manifest().fingerprints(),
          serving.version().manifest().fingerprints());
      get(serving.done());
    }
    assertEquals(0, used.get());
  }

  /** The memory for loading is given back once, also where what stays is not granted then. */
  public void testWhatIsRefusedAfterLoadingLeavesNothingTaken() throws Exception {
    AtomicLong asked = new AtomicLong();
    MemoryBudget once =
        (what, bytes) -> {
          if (asked.incrementAndGet() > 1) {
            throw new InferenceException.MemoryExceeded(what, bytes, "others came first", null);
          }
          assertTrue("golden outputs take memory, too", bytes > weights());
          return budget.reserve(what, bytes);
        };
    InferenceSettings settings = settings();
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models =
        new LoadedModels(
            catalog,
            settings,
            new EngineLoader(settings, new DeviceBudgets(once, gpu -> 0), () -> cpus(settings, 1)),
            () -> {})) {
      assertThat(
          failure(models.load(ID, null)), instanceOf(InferenceException.MemoryExceeded.class));
      assertEquals(0, used.get());
    }
    assertEquals(0, used.get());
  }

  /** A swap that ends while the version before is being freed, which may take long. */
  public void testWhatBecomesWarmDuringAnUnloadIsFreed() throws Exception {
    CountDownLatch freeing = new CountDownLatch(1);
    CountDownLatch warm = new CountDownLatch(1);
    MemoryBudget slow =
        (what, bytes) -> {
          used.addAndGet(bytes);
          return () -> {
            used.addAndGet(-bytes);
            if (Thread.currentThread().getName().equals("unloading")) {
              freeing.countDown();
              await(warm);
            }
          };
        };
    InferenceSettings settings = settings();
    CompletableFuture<ModelBundle> arrives = new CompletableFuture<>();
    catalog.update(List.of(version(1, TestModels.micro())));
    try (LoadedModels models =
        new LoadedModels(
            catalog,
            settings,
            new EngineLoader(settings, new DeviceBudgets(slow, gpu -> 0), () -> cpus(settings, 1)),
            () -> {})) {
      get(models.load(ID, null));
      catalog.update(List.of(version(2, arrives)));
      CompletableFuture<Void> next = models.load(ID, null);
      Thread unloading = new Thread(() -> models.unload(ID), "unloading");
      unloading.start();
      await(freeing);
      arrives.complete(TestModels.newHead(ID, 2));
      get(next);
      warm.countDown();
      unloading.join();
      assertEquals(ModelStatus.State.NOT_LOADED, models.status(ID).state());
      assertEquals("weights of both", 0, used.get());
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(60, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Here a device that is not there; elsewhere one whose memory another process has taken. */
  public void testAnEngineThatBreaksOffOnceIsTriedAgain() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    InferenceSettings settings = settings();
    List<Device> devices = new ArrayList<>(List.of(Device.gpu()));
    try (LoadedModels models =
        new LoadedModels(
            catalog,
            settings,
            new EngineLoader(
                settings,
                new DeviceBudgets(budget, gpu -> 1L << 40),
                () -> {
                  List<Device> cpu = cpus(settings, 1);
                  return devices.isEmpty() ? cpu : List.of(devices.get(0));
                }),
            () -> {})) {
      assertThat(failure(models.serving(ID).done()), instanceOf(InferenceException.class));
      assertEquals(ModelStatus.State.FAILED, models.status(ID).state());
      assertThat(
          "the node is to blame",
          failure(models.verify(TestModels.micro())),
          instanceOf(InferenceException.ModelFailed.class));
      devices.clear();
      get(models.serving(ID).done());
      assertEquals(ModelStatus.State.LOADED, models.status(ID).state());
      get(models.verify(TestModels.micro()));
    }
    assertEquals(0, used.get());
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return expectThrows(ExecutionException.class, () -> get(future)).getCause();
  }

  public void testABundleIsTriedAndFreed() throws Exception {
    try (LoadedModels models = models()) {
      get(models.verify(TestModels.micro()));
      assertEquals(0, used.get());
    }
  }

  /** Whatever comes and goes, every job is answered by one version, and nothing stays behind. */
  public void testJobsGoOnWhileVersionsChange() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    AtomicBoolean over = new AtomicBoolean();
    ExecutorService callers = Executors.newFixedThreadPool(2);
    ExecutorService helpers = Executors.newFixedThreadPool(2);
    NodeInference service =
        TestService.inference(
            catalog,
            TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
            budget,
            MemoryBudget.UNLIMITED,
            helpers);
    TokenBlock text = TestModels.tokens(random(), TestModels.micro(), 3);
    List<TokenBlock> images = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      images.add(
          TestModels.tokens(
              random(), TestModels.micro(), TestModels.imageTokens(TestModels.micro())));
    }
    try {
      List<Future<Integer>> searches = new ArrayList<>();
      for (int caller = 0; caller < 2; caller++) {
        searches.add(
            callers.submit(
                () -> {
                  int answered = 0;
                  while (!over.get()) {
                    assertEquals(
                        20,
                        get(service
                                .scoring()
                                .score(
                                    new ScoringService.Request(
                                        ID, List.of(text), images, Deadline.none())))
                            .itm()
                            .length);
                    assertTrue(
                        get(TestService.encodeTexts(service, ID, List.of("a"))).get(0)
                            instanceof Encoded.Success);
                    answered++;
                  }
                  return answered;
                }));
      }
      for (int number = 2; number < 8; number++) {
        catalog.update(List.of(newHead(number)));
        service.refresh();
        get(service.models().load(ID, null));
        if (randomBoolean()) {
          service.models().unload(ID);
        }
      }
      over.set(true);
      for (Future<Integer> search : searches) {
        assertTrue(search.get(60, TimeUnit.SECONDS) > 0);
      }
    } finally {
      over.set(true);
      callers.shutdown();
      assertTrue(callers.awaitTermination(60, TimeUnit.SECONDS));
      service.close();
      helpers.shutdownNow();
    }
    assertEquals(0, used.get());
  }

  public void testAModelIsServedInThePrecisionThatIsAskedFor() throws Exception {
    ModelBundle bundle = ModelBundle.read(zipOf(TestModels.micro()));
    catalog.update(List.of(version(1, bundle)));
    try (LoadedModels models = models()) {
      get(models.load(ID, null));
      assertEquals("fp32", models.status(ID).precision());
      assertEquals(List.of(), models.status(ID).trials());
      assertEquals(weights(), used.get());

      LoadedModel exact = models.serving(ID);
      get(models.load(ID, PrecisionPolicy.BF16));
      assertNotSame("another one took its place", exact, models.serving(ID));
      ModelStatus bf16 = models.status(ID);
      assertEquals("bf16", bf16.precision());
      assertTrue(bf16.bytes() < weights());
      assertEquals("the first one is freed", bf16.bytes(), used.get());
      get(models.load(ID, null));
      assertEquals("it stays so", "bf16", models.status(ID).precision());

      get(models.load(ID, PrecisionPolicy.AUTO));
      ModelStatus auto = models.status(ID);
      assertEquals(
          List.of(Precision.FP32, Precision.BF16),
          auto.trials().stream().map(PrecisionTrial::precision).toList());
      for (PrecisionTrial trial : auto.trials()) {
        assertEquals("", trial.error());
        assertTrue(trial.toString(), trial.micros() > 0);
      }
      assertEquals(auto.bytes(), used.get());

      models.unload(ID);
      get(models.load(ID, null));
      assertEquals("the node's own again", "fp32", models.status(ID).precision());
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  /** Without a fusion encoder the towers are timed, and there is nothing that int8 would pack. */
  public void testTowersAloneAreTimedByTheirImages() throws Exception {
    ModelBundle clip = ModelBundle.read(zipOf(TestClips.bundle(ID, 5)));
    catalog.update(List.of(version(1, clip)));
    try (LoadedModels models = models()) {
      get(models.load(ID, PrecisionPolicy.AUTO));
      List<PrecisionTrial> trials = models.status(ID).trials();
      assertEquals(Precision.FP32, trials.get(0).precision());
      assertTrue(trials.toString(), trials.get(0).micros() > 0);
      assertEquals(Precision.BF16, trials.get(1).precision());
      LoadedModel before = models.serving(ID);
      ExecutionException e =
          expectThrows(ExecutionException.class, () -> get(models.load(ID, PrecisionPolicy.INT8)));
      assertThat(e.getCause().getMessage(), containsString("has no fusion encoder"));
      assertSame(before, models.serving(ID));
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  public void testAPrecisionThatIsTooCoarseLeavesWhatServes() throws Exception {
    ModelBundle bundle = ModelBundle.read(zipOf(TestModels.coarse()));
    catalog.update(List.of(version(1, bundle)));
    try (LoadedModels models = models()) {
      get(models.load(ID, PrecisionPolicy.AUTO));
      assertEquals("fp32", models.status(ID).precision());
      assertThat(models.status(ID).trials().get(1).error(), containsString("too coarse"));
      LoadedModel exact = models.serving(ID);
      ExecutionException e =
          expectThrows(ExecutionException.class, () -> get(models.load(ID, PrecisionPolicy.BF16)));
      assertThat(e.getCause().getMessage(), containsString("BF16 is too coarse"));
      assertSame(exact, models.serving(ID));
      assertEquals("fp32", models.status(ID).precision());
      assertThat(models.status(ID).error(), containsString("too coarse"));
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  private static Path zipOf(ModelBundle bundle) throws IOException {
    Path folder = createTempDir();
    Path file = folder.resolve("bundle.zip");
    Files.write(file, TestModels.zip(bundle, folder));
    return file;
  }

  /** The engine itself breaks off, as it does where a GPU's memory does not suffice. */
  public void testWhatTheEngineDoesNotTakeAtOnceIsHalved() throws Exception {
    int most = randomIntBetween(4, 6);
    Path folder = createTempDir();
    Path file = folder.resolve("narrow.zip");
    Files.write(
        file, TestModels.thatBreaksOffAbove(most, TestModels.zip(TestModels.micro(), folder)));
    catalog.update(List.of(version(1, ModelBundle.read(file).allowingForeignCode())));
    ExecutorService helpers = Executors.newFixedThreadPool(1);
    InferenceSettings settings =
        TestService.settings(createTempDir(), 1000, 64, true, Duration.ZERO);
    try (NodeInference narrow =
            TestService.inference(catalog, settings, budget, MemoryBudget.UNLIMITED, helpers);
        TestService whole = new TestService(createTempDir(), 1000, 64)) {
      List<TokenBlock> text = List.of(TestModels.tokens(random(), TestModels.micro(), 3));
      List<TokenBlock> images = new ArrayList<>();
      int m = TestModels.imageTokens(TestModels.micro());
      for (int i = randomIntBetween(7, 50); i > 0; i--) {
        images.add(TestModels.tokens(random(), TestModels.micro(), m));
      }
      float[] itm =
          get(narrow.scoring().score(new ScoringService.Request(ID, text, images, Deadline.none())))
              .itm();
      float[] expected =
          get(whole
                  .get()
                  .scoring()
                  .score(new ScoringService.Request(TestModels.ID, text, images, Deadline.none())))
              .itm();
      assertArrayEquals(expected, itm, 1e-4f);
      InferenceStats stats = narrow.stats();
      assertTrue(stats.get(InferenceStats.Counter.ENGINE_FAILURES) >= 1);
      assertEquals(
          stats.get(InferenceStats.Counter.ENGINE_FAILURES),
          stats.get(InferenceStats.Counter.SPLIT_BATCHES));
      assertEquals(images.size(), stats.get(InferenceStats.Counter.PAIRS));
      assertEquals("weights alone", narrow.models().status(ID).bytes(), used.get());
    } finally {
      helpers.shutdownNow();
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  public void testASpareIsLoadedWhenItIsNeeded() throws Exception {
    InferenceSettings settings = settings();
    EngineLoader loader =
        new EngineLoader(settings, new DeviceBudgets(budget, gpu -> 0), () -> cpus(settings, 1));
    try (EngineLoader.Copies loaded = loader.load(TestModels.micro(), PrecisionPolicy.FP32)) {
      assertEquals("the CPU is its own last resort", Optional.empty(), loaded.fallback());
    }
    try (EngineLoader.CpuFallback fallback = loader.new CpuFallback(TestModels.micro())) {
      assertEquals(0, used.get());
      for (int i = 0; i < 2; i++) {
        assertEquals(
            Device.cpu(),
            fallback.use(model -> model.encodeTexts(List.of()).isEmpty() ? model.device() : null));
        assertEquals(weights(), used.get());
      }
    }
    assertEquals(0, used.get());
  }

  public void testEachDeviceHasACopyAndAThread() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    ExecutorService helpers = Executors.newFixedThreadPool(1);
    InferenceSettings settings = settings();
    try (NodeInference service =
        new NodeInference(
            catalog,
            settings,
            () -> cpus(settings, 2),
            budget,
            MemoryBudget.UNLIMITED,
            new EncodingService.Threads(helpers, helpers, 1))) {
      get(service.models().load(ID, null));
      assertEquals(2, service.models().status(ID).devices().size());
      assertEquals(2 * weights(), service.models().status(ID).bytes());
      assertEquals(2 * weights(), used.get());
      assertEquals(
          2,
          Thread.getAllStackTraces().keySet().stream()
              .filter(thread -> thread.getName().startsWith("cross-modal-model-"))
              .count());

      TokenBlock text = TestModels.tokens(random(), TestModels.micro(), 3);
      List<TokenBlock> images = new ArrayList<>();
      for (int i = 0; i < 30; i++) {
        images.add(
            TestModels.tokens(
                random(), TestModels.micro(), TestModels.imageTokens(TestModels.micro())));
      }
      // Jobs of several calls each, so that their slices meet on both.
      List<CompletableFuture<Scores>> answers = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        answers.add(
            service
                .scoring()
                .score(new ScoringService.Request(ID, List.of(text), images, Deadline.none())));
      }
      float[] expected = get(answers.get(0)).itm();
      assertEquals(images.size(), expected.length);
      for (CompletableFuture<Scores> answer : answers) {
        assertArrayEquals(expected, get(answer).itm(), 1e-4f);
      }
      assertEquals(20L * images.size(), service.stats().get(InferenceStats.Counter.PAIRS));
    } finally {
      helpers.shutdownNow();
    }
    assertEquals("all of it is given back", 0, used.get());
  }

  public void testEachVersionAnswersWithItsOwnHead() throws Exception {
    catalog.update(List.of(version(1, TestModels.micro())));
    ExecutorService helpers = Executors.newFixedThreadPool(1);
    try (NodeInference service =
        TestService.inference(
            catalog,
            TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
            budget,
            MemoryBudget.UNLIMITED,
            helpers)) {
      List<TokenBlock> text = List.of(TestModels.tokens(random(), TestModels.micro(), 3));
      List<TokenBlock> image =
          List.of(
              TestModels.tokens(
                  random(), TestModels.micro(), TestModels.imageTokens(TestModels.micro())));
      Scores before =
          get(
              service
                  .scoring()
                  .score(new ScoringService.Request(ID, text, image, Deadline.none())));
      catalog.update(List.of(newHead(7)));
      get(service.models().load(ID, null));
      Scores after =
          get(
              service
                  .scoring()
                  .score(new ScoringService.Request(ID, text, image, Deadline.none())));
      assertNotEquals(before.itm()[0], after.itm()[0], 1e-6f);
      assertEquals(
          "the filter is the spaces' own", before.biEncoder()[0], after.biEncoder()[0], 1e-4f);
      assertEquals(1, before.model().number());
      assertEquals(7, after.model().number());
    } finally {
      helpers.shutdownNow();
    }
  }
}
