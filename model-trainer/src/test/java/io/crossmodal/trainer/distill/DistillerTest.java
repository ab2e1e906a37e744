/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.TrainingLoop;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DistillerTest {
  private static final long SEED = MicroTraining.seed();
  private static final int IMAGES = 24;

  @TempDir static Path folder;
  private static FusionModel teacher;
  private static List<Encoding> images;
  private static List<Encoding> texts;

  @BeforeAll
  static void encode() throws Exception {
    Random random = new Random(SEED);
    teacher = FusionModel.load(TestBundles.random("teacher", ModelConfig.micro(), SEED), folder);
    images = teacher.encodeImages("rgb", pixels(random));
    List<String> words = new ArrayList<>();
    for (int i = 0; i < IMAGES; i++) {
      words.add(Integer.toString(1_000_000 + random.nextInt(1_000_000), 26));
    }
    texts =
        teacher.encodeTexts(words.stream().map(teacher.bundle().tokenizer()::tokenize).toList());
  }

  private static List<PixelTensor> pixels(Random random) {
    List<PixelTensor> pixels = new ArrayList<>();
    int side = ModelConfig.micro().sensors().get(0).imageSize();
    for (int i = 0; i < IMAGES; i++) {
      float[] values = new float[3 * side * side];
      for (int p = 0; p < values.length; p++) {
        values[p] = (float) random.nextGaussian();
      }
      pixels.add(new PixelTensor(3, side, values));
    }
    return pixels;
  }

  @AfterAll
  static void close() {
    teacher.close();
  }

  private static DistillationOptions options(int epochs, double rate) {
    return new DistillationOptions(SEED, IMAGES, 4, 3, epochs, 8, rate, 0, 0.2, 0.1);
  }

  /** Texts 0 and 1 describe both of the first two images. */
  private static boolean matches(int image, int text) {
    return image == text || (image < 2 && text < 2);
  }

  private static final AtomicInteger RUNS = new AtomicInteger();

  /** Collects the means of epochs, whose ends are where metrics begin anew. */
  private record Epochs(List<Map<String, Double>> losses, int perEpoch, int end)
      implements TrainingLoop.Progress {
    @Override
    public void measured(TrainingLoop.Metrics metrics) {
      if (metrics.step() % perEpoch == 0) {
        losses.add(metrics.losses());
      }
    }

    @Override
    public void stepped(int taken) {
      if (taken == end) {
        throw new CancellationException();
      }
    }
  }

  private static ModelBundle distil(DistillationOptions options, List<Map<String, Double>> losses)
      throws Exception {
    return distil(folder.resolve("run" + RUNS.incrementAndGet()), options, losses, 0);
  }

  private static ModelBundle distil(
      Path run, DistillationOptions options, List<Map<String, Double>> losses, int end)
      throws Exception {
    return new Distiller(teacher, images, texts, DistillerTest::matches, options)
        .distil(
            run, Calibration.NONE, done -> {}, new Epochs(losses, IMAGES / options.batch(), end));
  }

  @Test
  void anInterruptedOneGoesOnWhereItEnded() throws Exception {
    DistillationOptions options = options(3, 1e-2);
    ModelBundle whole = distil(options, new ArrayList<>());
    Path run = folder.resolve("interrupted");
    List<Integer> scored = new ArrayList<>();
    Distiller distiller = new Distiller(teacher, images, texts, DistillerTest::matches, options);
    // In the middle of the teacher's lists, whose last row is cut short; of an epoch; again.
    assertThrows(
        CancellationException.class,
        () ->
            distiller.distil(
                run,
                Calibration.NONE,
                done -> {
                  scored.add(done);
                  if (done == 7) {
                    throw new CancellationException();
                  }
                },
                taken -> {}));
    try (Stream<Path> files = Files.list(run)) {
      Path lists = files.filter(f -> f.toString().endsWith(".bin")).findFirst().orElseThrow();
      Files.write(lists, new byte[13], StandardOpenOption.APPEND);
    }
    scored.clear();
    List<Integer> steps = new ArrayList<>();
    assertThrows(
        CancellationException.class,
        () ->
            distiller.distil(
                run,
                Calibration.NONE,
                scored::add,
                taken -> {
                  steps.add(taken);
                  if (taken == 4) {
                    throw new CancellationException();
                  }
                }));
    assertEquals(8, scored.get(0), "what was scored is not scored again");
    ModelBundle resumed = distiller.distil(run, Calibration.NONE, scored::add, steps::add);
    assertEquals(IMAGES, scored.get(scored.size() - 1));
    assertEquals(IMAGES - 7, scored.size());
    assertEquals(List.of(1, 2, 3, 4, 5, 6, 7, 8, 9), steps);
    assertEquals(whole.manifest().fingerprints(), resumed.manifest().fingerprints());
    assertRefused(
        () -> distiller.distil(run, new Calibration(2, 1, 0), done -> {}, taken -> {}),
        "another teacher");
  }

  /** A temperature beyond its bound must come back, as it does in training. */
  @Test
  void aScaleBeyondItsBoundIsNotStuck() throws Exception {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(teacher.bundle().weights().tensors());
    ScriptTensor scale = tensors.get("filter.log_scale");
    tensors.put("filter.log_scale", ScriptTensor.parameter(new float[] {6}, scale.shape()));
    ModelBundle before = teacher.bundle();
    ModelBundle overshot =
        ModelBundle.of(
            "overshot",
            before.manifest().config(),
            before.words(),
            new StateDict(tensors),
            Calibration.NONE,
            before.manifest().training(),
            List.of());
    try (FusionModel model = FusionModel.load(overshot, folder)) {
      ModelBundle distilled =
          new Distiller(model, images, texts, DistillerTest::matches, options(3, 1e-2))
              .distil(folder.resolve("overshot"), Calibration.NONE, done -> {}, taken -> {});
      float after = distilled.weights().tensors().get("filter.log_scale").values()[0];
      assertNotEquals(6f, after, "no gradient reached it");
    }
  }

  @Test
  void theListsHoldTheOwnImageTheHardestAndOthersButNoSecondMatch() throws Exception {
    DistillationOptions options = options(1, 1e-3);
    TeacherLists lists =
        TeacherLists.prepare(
            teacher,
            images,
            texts,
            DistillerTest::matches,
            options,
            Calibration.NONE,
            folder.resolve("lists.bin"),
            done -> {});
    Set<Integer> easy = new HashSet<>();
    for (int t = 0; t < IMAGES; t++) {
      int[] candidates = lists.candidates()[t];
      int text = t;
      assertEquals(8, candidates.length);
      assertEquals(8, Arrays.stream(candidates).distinct().count());
      assertEquals(t, candidates[0]);
      assertTrue(Arrays.stream(candidates).skip(1).noneMatch(i -> matches(i, text)));
      double weakest = Double.POSITIVE_INFINITY;
      for (int k = 1; k <= 4; k++) {
        double cosine = cosine(t, candidates[k]);
        assertTrue(cosine <= weakest + 1e-6, "hard ones stand in the filter's order");
        weakest = cosine;
      }
      for (int k = 5; k < 8; k++) {
        assertTrue(cosine(t, candidates[k]) <= weakest + 1e-6);
        easy.add(candidates[k]);
      }
      // The teacher's own word on each, however batched.
      for (int k = 0; k < 8; k++) {
        float itm =
            teacher.score(
                    List.of(texts.get(t).tokens()), List.of(images.get(candidates[k]).tokens()))
                .itm()[0];
        assertEquals(itm, lists.itm()[t][k], 1e-4);
      }
    }
    assertTrue(easy.size() > 8, "easy ones differ from text to text");
  }

  private static double cosine(int text, int image) {
    float[] a = texts.get(text).embedding();
    float[] b = images.get(image).embedding();
    double sum = 0;
    for (int d = 0; d < a.length; d++) {
      sum += a[d] * b[d];
    }
    return sum;
  }

  @Test
  void bothFiltersLearnAndNothingElseMoves() throws Exception {
    List<Map<String, Double>> losses = new ArrayList<>();
    ModelBundle distilled = distil(options(60, 1e-2), losses);
    Map<String, Double> first = losses.get(0);
    Map<String, Double> last = losses.get(losses.size() - 1);
    assertEquals(60, losses.size());
    assertTrue(last.get("order") < first.get("order"), first + " to " + last);
    assertTrue(last.get("soft") < first.get("soft"), first + " to " + last);
    assertTrue(last.get("order") >= 0 && last.get("soft") >= 0, last.toString());
    Map<String, ScriptTensor> before = teacher.bundle().weights().tensors();
    Map<String, ScriptTensor> after = distilled.weights().tensors();
    for (Map.Entry<String, ScriptTensor> entry : before.entrySet()) {
      float[] old = entry.getValue().values();
      float[] now = after.get(entry.getKey()).values();
      if (entry.getKey().startsWith("filter.")) {
        assertFalse(Arrays.equals(old, now), entry.getKey());
      } else {
        assertArrayEquals(old, now, entry.getKey());
      }
    }
    // Stored tokens stay valid, stored embeddings do not.
    assertEquals(
        teacher.bundle().manifest().fingerprints().tokenSpace(),
        distilled.manifest().fingerprints().tokenSpace());
    assertFalse(
        teacher
            .bundle()
            .manifest()
            .fingerprints()
            .embeddingSpace()
            .equals(distilled.manifest().fingerprints().embeddingSpace()));
  }

  @Test
  void theMlpFilterServesAloneSharedAndInABatch() throws Exception {
    Path file = folder.resolve("distilled.zip");
    BundleWriter.write(distil(options(2, 1e-2), new ArrayList<>()), file, List.of("abc"));
    try (FusionModel model = FusionModel.load(ModelBundle.read(file), folder)) {
      List<TokenBlock> found = images.stream().map(Encoding::tokens).toList();
      List<TokenBlock> captions = texts.stream().map(Encoding::tokens).toList();
      float[] shared = model.preRank(captions.subList(0, 1), found);
      float[] reverse = model.preRank(captions, found.subList(0, 1));
      float[] paired = model.preRank(captions, found);
      for (int i = 0; i < IMAGES; i++) {
        assertEquals(one(model, 0, i), shared[i], 1e-4);
        assertEquals(one(model, i, 0), reverse[i], 1e-4);
        assertEquals(one(model, i, i), paired[i], 1e-4);
      }
      assertEquals(0, model.preRank(List.of(), found).length);
    }
    String message =
        assertThrows(
                IllegalStateException.class,
                () ->
                    teacher.preRank(
                        List.of(texts.get(0).tokens()), List.of(images.get(0).tokens())))
            .getMessage();
    assertTrue(message.contains("teacher has no MLP filter"), message);
  }

  private static float one(FusionModel model, int text, int image) {
    return model.preRank(List.of(texts.get(text).tokens()), List.of(images.get(image).tokens()))[0];
  }

  @Test
  void aSeedGivesOneResult() throws Exception {
    List<Map<String, Double>> one = new ArrayList<>();
    List<Map<String, Double>> other = new ArrayList<>();
    ModelBundle first = distil(options(2, 1e-2), one);
    ModelBundle second = distil(options(2, 1e-2), other);
    assertEquals(one, other);
    assertEquals(first.manifest().fingerprints(), second.manifest().fingerprints());
  }

  @Test
  void saysWhatItCannotDistil() {
    assertRefused(() -> new DistillationOptions(1, 1, 1, 1, 1, 2, 1, 0, 0, 0), "sample", "got 1");
    assertRefused(() -> new DistillationOptions(1, 9, 0, 0, 1, 2, 1, 0, 0, 0), "hard + easy");
    assertRefused(() -> new DistillationOptions(1, 9, 1, 1, 1, 2, 0, 0, 0, 0), "learning_rate");
    assertRefused(
        () ->
            new Distiller(
                teacher,
                images.subList(0, 5),
                texts.subList(0, 5),
                DistillerTest::matches,
                options(1, 1)),
        "5 images",
        "batch of 8");
    DistillationOptions many = new DistillationOptions(1, 24, 20, 9, 1, 8, 1, 0, 0, 0);
    assertRefused(() -> distil(many, new ArrayList<>()), "29 candidates");
  }

  private static void assertRefused(
      org.junit.jupiter.api.function.Executable action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }
}
