/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.FeatureCache;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingTask;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A fusion encoder over frozen towers of either kind, from start to bundle. */
class FusionTrainingTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;
  private static CaptionedDataset scenes;

  @BeforeAll
  static void generate() throws Exception {
    scenes = MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 24, 6, 0, SEED));
  }

  private static ModelBundle towers(ImageTowerConfig image) {
    return MicroTraining.towers(image, TextConfig.Kind.BERT_MEAN, scenes, SEED);
  }

  private static FusionOptions options(int steps) {
    return MicroTraining.with(
        FusionOptions.defaults(),
        "seed",
        SEED,
        "steps",
        steps,
        "queries",
        4,
        "candidates",
        3,
        "pool",
        8,
        "similar_captions",
        1.0,
        "precision",
        Precision.FP32,
        "optimiser",
        new Optimiser(3e-3, 2, 0.02, 1, 0.5),
        "augmentation",
        Augmentation.JITTER,
        "feature_views",
        2,
        "checkpoint_every",
        4,
        "validate_every",
        0);
  }

  private static ModelBundle train(String run, FusionOptions options, ModelBundle towers)
      throws Exception {
    return train(run, options, towers, step -> {});
  }

  private static ModelBundle train(
      String run, FusionOptions options, ModelBundle towers, TrainingLoop.Progress progress)
      throws Exception {
    return FusionTraining.open(folder.resolve(run), options, towers, folder.resolve("cache"))
        .train(scenes, "fused", progress);
  }

  private static void assertOnlyFusionLearns(ModelBundle towers, ModelBundle fused, String... also)
      throws Exception {
    List<String> learns = Stream.concat(Stream.of("fusion.", "itm."), Stream.of(also)).toList();
    for (String name : towers.weights().names()) {
      float[] before = towers.weights().tensors().get(name).values();
      float[] after = fused.weights().tensors().get(name).values();
      if (learns.stream().anyMatch(name::startsWith)) {
        assertFalse(Arrays.equals(before, after), name);
      } else {
        assertArrayEquals(before, after, name);
      }
    }
    assertEquals("fused", fused.manifest().id());
  }

  @Test
  void towersStayToTheBit() throws Exception {
    ModelBundle towers = towers(MicroTraining.CONVOLUTIONAL);
    assertOnlyFusionLearns(towers, train("whole", options(3), towers));
  }

  @Test
  void placesOfACutTowerLearnToo() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    assertOnlyFusionLearns(
        towers,
        train("cut", options(3), towers),
        "image_rgb.fine.",
        "image_rgb.position",
        "image_rgb.norm.");
  }

  private static FusionTask task(FusionOptions options, ModelBundle towers) throws Exception {
    ModelConfig config = FusionStart.config(options, towers.manifest().config());
    SensorConfig sensor = config.sensors().get(0);
    boolean anew = FusionStart.isNew(options, towers.manifest().config());
    Map<String, ScriptTensor> fresh =
        FusionStart.weights(
            options,
            anew,
            config,
            towers.weights(),
            sensor,
            () -> {
              throw new IllegalStateException("all directions are kept");
            },
            () -> {
              throw new IllegalStateException("tokens are stored whole");
            });
    return new FusionTask(options, config, towers.weights(), fresh, sensor, null);
  }

  /** A token starts as what the bi-encoder makes of its place: what it has not learnt is small. */
  @Test
  void tokensStartAsTheBiEncoderSeesThem() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    FusionTask task = task(options(1), towers);
    Map<String, ScriptTensor> start = StateDict.of(task.root()).below("model").tensors();
    assertArrayEquals(
        towers.weights().tensors().get("filter.text.weight").values(),
        start.get("fusion.layer1.cross_attention.query.weight").values());
    double squares = 0;
    float[] fine = start.get("image_rgb.fine.weight").values();
    for (float weight : fine) {
      squares += weight * weight;
    }
    assertEquals(0.01, Math.sqrt(squares / fine.length), 0.002);
    float[] place = start.get("image_rgb.position").values();
    assertArrayEquals(new float[place.length], place);
  }

  @Test
  void itLearnsToPutTheRightAnswerFirst() throws Exception {
    FusionOptions options = MicroTraining.with(options(150), "dropout", 0.0, "layer_dropout", 0.0);
    train("learns", options, towers(MicroTraining.CONVOLUTIONAL));
    SortedMap<Integer, JsonObject> lines = RunFolder.metrics(folder.resolve("learns"));
    double first = loss(lines.get(lines.firstKey()));
    double last = loss(lines.get(lines.lastKey()));
    assertTrue(first > Math.log(3) - 0.2 && last < first - 0.1, first + " to " + last);
  }

  private static double loss(JsonObject line) {
    return line.getAsJsonObject("losses").get("listwise").getAsDouble();
  }

  @Test
  void aKilledRunEndsWhereAnUninterruptedOneDoes() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    ModelBundle whole = train("uninterrupted", options(6), towers);
    assertThrows(
        IllegalStateException.class,
        () ->
            train(
                "killed",
                options(6),
                towers,
                step -> {
                  if (step == 5) {
                    throw new IllegalStateException("killed");
                  }
                }));
    List<Integer> steps = new ArrayList<>();
    ModelBundle resumed = train("killed", options(6), towers, steps::add);
    assertEquals(List.of(5, 6), steps);
    for (String name : whole.weights().names()) {
      assertArrayEquals(
          whole.weights().tensors().get(name).values(),
          resumed.weights().tensors().get(name).values(),
          name);
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> train("killed", options(6), towers(MicroTraining.CONVOLUTIONAL)));
  }

  /** Counts what is computed of views and of texts, which are as many as these. */
  private static final class Counting implements TrainingLoop.Progress {
    private final Map<Long, List<Long>> computed = new TreeMap<>();

    @Override
    public void prepared(long done, long all) {
      computed.computeIfAbsent(all, n -> new ArrayList<>()).add(done);
    }

    @Override
    public void stepped(int taken) {}
  }

  private static Map<Path, byte[]> files(Path cache) throws Exception {
    Map<Path, byte[]> files = new TreeMap<>();
    try (Stream<Path> all = Files.list(cache)) {
      for (Path file : all.toList()) {
        files.put(file, Files.readAllBytes(file));
      }
    }
    return files;
  }

  /**
   * The second run reads what the first has computed, also where that was cut short; another
   * model's is none of its business.
   */
  @Test
  void featuresAreComputedOnce() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    Path cache = folder.resolve("shared");
    FusionOptions options = MicroTraining.with(options(1), "feature_views", 2);
    Counting first = new Counting();
    FusionTraining.open(folder.resolve("one"), options, towers, cache)
        .train(scenes, "fused", first);
    assertEquals(2, first.computed.size(), "views and texts: " + first.computed);
    first.computed.forEach((all, done) -> assertEquals(all, done.get(done.size() - 1)));
    assertTrue(first.computed.containsKey(48L), first.computed.toString());
    Map<Path, byte[]> whole = files(cache);
    assertEquals(2, whole.size());
    for (Map.Entry<Path, byte[]> file : whole.entrySet()) {
      Files.write(file.getKey(), Arrays.copyOf(file.getValue(), file.getValue().length / 2 + 1));
    }
    Counting second = new Counting();
    FusionTraining.open(folder.resolve("two"), options, towers, cache)
        .train(scenes, "fused", second);
    second.computed.forEach(
        (all, done) -> {
          assertEquals(all, done.get(done.size() - 1));
          assertTrue(done.size() < first.computed.get(all).size() || done.get(0) > all / 3);
        });
    whole.forEach(
        (file, bytes) -> assertArrayEquals(bytes, read(file), file.getFileName().toString()));
    Counting third = new Counting();
    FusionTraining.open(folder.resolve("three"), options, towers, cache)
        .train(scenes, "fused", third);
    assertEquals(Map.of(), third.computed);
    ModelBundle other =
        MicroTraining.towers(
            MicroTraining.EFFICIENT_NET, TextConfig.Kind.BERT_MEAN, scenes, SEED + 1);
    FusionTraining.open(folder.resolve("four"), options, other, cache)
        .train(scenes, "fused", third);
    assertEquals(first.computed.keySet(), third.computed.keySet());
    assertEquals(4, files(cache).size());
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ModelBundle clip() {
    return TestClips.bundle("clip", SEED).withPrompts(List.of("a photo of {}"));
  }

  private static void assertTowersStay(ModelBundle towers, ModelBundle fused) throws Exception {
    Fingerprints before = towers.manifest().fingerprints();
    Fingerprints after = fused.manifest().fingerprints();
    assertEquals(before.embeddingSpace(), after.embeddingSpace());
    assertEquals(before.tokenSpace(), after.tokenSpace());
    assertNotEquals(before.fusionHead(), after.fusionHead());
    assertAllButTheFusionStays(towers, fused);
  }

  private static void assertAllButTheFusionStays(ModelBundle towers, ModelBundle fused)
      throws Exception {
    Map<String, ScriptTensor> kept = fused.weights().tensors();
    towers
        .weights()
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!name.startsWith("fusion.") && !name.startsWith("itm.")) {
                assertArrayEquals(tensor.values(), kept.get(name).values(), name);
              }
            });
  }

  /** With all directions of the joint space, and with some. */
  @ParameterizedTest
  @ValueSource(ints = {16, 12})
  void aFusionEncoderOverAClipLearnsAndItsTowersStay(int width) throws Exception {
    ModelBundle towers = clip();
    FusionOptions options =
        MicroTraining.with(
            options(150),
            "dropout",
            0.0,
            "layer_dropout",
            0.0,
            "feature_views",
            1,
            "layers",
            2,
            "width",
            width);
    String run = "clip" + width;
    ModelBundle fused = train(run, options, towers);
    assertTowersStay(towers, fused);
    ModelConfig config = fused.manifest().config();
    assertEquals(2, config.fusionLayers());
    assertEquals(width, config.fusionWidth());
    assertEquals(towers.manifest().prompts(), fused.manifest().prompts());
    assertEquals(Precision.FP16, fused.manifest().storedPrecision());
    SortedMap<Integer, JsonObject> lines = RunFolder.metrics(folder.resolve(run));
    double first = loss(lines.get(lines.firstKey()));
    double last = loss(lines.get(lines.lastKey()));
    assertTrue(first > Math.log(3) - 0.3 && last < first - 0.1, first + " to " + last);
    Path file = folder.resolve(run + ".zip");
    BundleWriter.write(fused, file, List.of("a pond by the sea"));
    assertTowersStay(towers, ModelBundle.read(file));
  }

  /** Where each picture has one view, its tokens are those that the model is served with. */
  @Test
  void aSingleViewIsThePictureAsServed() throws Exception {
    ModelBundle towers = clip();
    Path cache = folder.resolve("served");
    FusionOptions options =
        MicroTraining.with(options(1), "feature_views", null, "augmentation", Augmentation.AERIAL);
    FusionTraining.open(folder.resolve("served-run"), options, towers, cache)
        .train(scenes, "fused", step -> {});
    Path file =
        files(cache).keySet().stream()
            .filter(path -> path.getFileName().toString().startsWith("features"))
            .findFirst()
            .orElseThrow();
    FeatureCache.Computation none =
        (from, to) -> {
          throw new IOException("all is there");
        };
    List<CaptionedImage> pictures = scenes.split(Split.TRAIN);
    try (FusionModel model = FusionModel.load(towers, folder);
        FeatureCache kept =
            FeatureCache.open(file, List.of(10, 16), pictures.size(), 1, none, done -> {})) {
      for (int i = 0; i < pictures.size(); i++) {
        byte[] picture = read(pictures.get(i).file());
        float[] expected =
            model
                .encodeImages("rgb", List.of(towers.preprocessor("rgb").preprocess(picture)))
                .get(0)
                .tokens()
                .values();
        float[] found = new float[160];
        kept.read(i, 0, found, 0);
        assertArrayEquals(expected, found, 2e-2f, pictures.get(i).toString());
      }
    }
  }

  @Test
  void aKilledRunOverAClipEndsWhereAnUninterruptedOneDoes() throws Exception {
    ModelBundle towers = clip();
    FusionOptions options = MicroTraining.with(options(6), "width", 8);
    ModelBundle whole = train("clip-uninterrupted", options, towers);
    for (int killedAt : new int[] {0, 5}) {
      Path own = folder.resolve("clip-cache" + killedAt);
      Path run = folder.resolve("clip-killed" + killedAt);
      assertThrows(
          IllegalStateException.class,
          () ->
              FusionTraining.open(run, options, towers, own)
                  .train(scenes, "fused", new Killing(killedAt)));
      ModelBundle resumed =
          FusionTraining.open(run, options, towers, own).train(scenes, "fused", step -> {});
      assertEquals(
          whole.manifest().fingerprints(), resumed.manifest().fingerprints(), "at " + killedAt);
    }
  }

  /** Ends a run at a step, or at 0 while its texts are encoded. */
  private record Killing(int step) implements TrainingLoop.Progress {
    @Override
    public void prepared(long done, long all) {
      if (step == 0 && all != 48 && done > all / 2) {
        throw new IllegalStateException("killed");
      }
    }

    @Override
    public void stepped(int taken) {
      if (taken == step) {
        throw new IllegalStateException("killed");
      }
    }
  }

  /**
   * A finished model whose tokens are stored as fewer values, and fewer: embeddings stay to the
   * bit, the fusion encoder learns from itself what whole tokens say, and a bundle says whose
   * tokens an index may hold.
   */
  @ParameterizedTest
  @CsvSource({"6, 2, CONVOLUTIONAL", "6, , CONVOLUTIONAL", "8, 2, EFFICIENT"})
  void tokensOfFewerValuesSayWhatWholeOnesDo(int width, Integer grid, String kind)
      throws Exception {
    ImageTowerConfig tower =
        kind.equals("CONVOLUTIONAL") ? MicroTraining.CONVOLUTIONAL : MicroTraining.EFFICIENT_NET;
    ModelBundle whole = towers(tower);
    FusionOptions options =
        MicroTraining.with(options(60), "token_width", width, "token_grid", grid);
    String run = "narrow" + width + "-" + grid;
    ModelBundle narrow = train(run, options, whole);
    assertAllButTheFusionStays(whole, narrow);
    TokenProjection projection = narrow.manifest().config().tokenProjection();
    assertEquals(new TokenProjection(width, grid), projection);
    Fingerprints before = whole.manifest().fingerprints();
    Fingerprints after = narrow.manifest().fingerprints();
    assertEquals(before.embeddingSpace(), after.embeddingSpace());
    assertNotEquals(before.tokenSpace(), after.tokenSpace());
    SortedMap<Integer, JsonObject> lines = RunFolder.metrics(folder.resolve(run));
    double first = loss(lines.get(lines.firstKey()));
    double last = loss(lines.get(lines.lastKey()));
    // Most of what there is to learn is where patches are averaged; else it is as good at once.
    double most = grid == null ? 1.1 * first : first;
    assertTrue(last < most, "seed " + SEED + ": " + first + " to " + last);
    Path file = folder.resolve(run + ".zip");
    BundleWriter.write(narrow, file, List.of("a pond by the sea"));
    ModelBundle read = ModelBundle.read(file);
    assertEquals(after, read.manifest().fingerprints());
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> FusionTraining.open(folder.resolve(run + "-again"), options, read, null))
            .getMessage();
    assertTrue(message.contains("stored as " + width + " values each already"), message);
  }

  /** With as many values as there are, the start is the model itself. */
  @Test
  void allValuesAlongPrincipalAxesStartAsTheModelItself() throws Exception {
    ModelBundle whole = towers(MicroTraining.CONVOLUTIONAL);
    int h = whole.manifest().config().hidden();
    // Learning rates so small that nothing moves.
    FusionOptions options =
        MicroTraining.with(
            options(1), "token_width", h, "optimiser", new Optimiser(1e-12, 0, 0, 1, 0.5));
    ModelBundle turned = train("turned", options, whole);
    try (FusionModel expected = FusionModel.load(whole, folder);
        FusionModel model = FusionModel.load(turned, folder)) {
      TokenBlock words =
          model
              .encodeTexts(List.of(whole.tokenizer().tokenize("a pond by the sea")))
              .get(0)
              .tokens();
      for (CaptionedImage picture : scenes.split(Split.TRAIN).subList(0, 4)) {
        List<PixelTensor> pixels =
            List.of(whole.preprocessor("rgb").preprocess(read(picture.file())));
        Encoding before = expected.encodeImages("rgb", pixels).get(0);
        Encoding after = model.encodeImages("rgb", pixels).get(0);
        assertArrayEquals(before.embedding(), after.embedding());
        PairLogits wanted = expected.score(List.of(words), List.of(before.tokens()));
        PairLogits got = model.score(List.of(words), List.of(after.tokens()));
        assertEquals(wanted.itm()[0], got.itm()[0], 1e-3, "seed " + SEED);
        assertEquals(wanted.biEncoder()[0], got.biEncoder()[0], 1e-3, "seed " + SEED);
      }
    }
  }

  /** What a bundle's own fusion encoder has learnt has no part in a new one. */
  @Test
  void aNewFusionEncoderTakesNothingOfTheOldOne() throws Exception {
    ModelBundle towers = towers(MicroTraining.CONVOLUTIONAL);
    Map<String, ScriptTensor> others = new LinkedHashMap<>(towers.weights().tensors());
    others.replaceAll(
        (name, tensor) ->
            name.startsWith("fusion.") || name.startsWith("itm.")
                ? Weights.random(SEED + 9).get(name, Weights.Init.normal(1), tensor.shape())
                : tensor);
    ModelBundle other =
        ModelBundle.of(
            "other",
            towers.manifest().config(),
            towers.words(),
            new StateDict(others),
            Calibration.NONE,
            towers.manifest().training(),
            List.of());
    FusionOptions options = MicroTraining.with(options(2), "layers", 2);
    ModelBundle one = train("new-one", options, towers);
    ModelBundle two = train("new-two", options, other);
    assertTowersStay(towers, one);
    assertEquals(one.manifest().fingerprints(), two.manifest().fingerprints());
    // Those of a fusion encoder that learns on are others.
    assertNotEquals(
        train("on-one", options(2), towers).manifest().fingerprints(),
        train("on-two", options(2), other).manifest().fingerprints());
  }

  private static void assertRefused(ModelBundle towers, List<String> parts, Object... changes) {
    FusionOptions options = MicroTraining.with(options(1), changes);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> FusionTraining.open(folder.resolve("refused"), options, towers, null))
            .getMessage();
    parts.forEach(part -> assertTrue(message.contains(part), message));
    assertFalse(Files.exists(folder.resolve("refused")), "nothing is begun");
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() {
    ModelBundle own = towers(MicroTraining.CONVOLUTIONAL);
    FusionOptions.Start kept = FusionOptions.Start.KEPT;
    assertRefused(clip(), List.of("start KEPT", "towers alone"), "start", kept);
    assertRefused(own, List.of("start KEPT", "--layers"), "start", kept, "layers", 2);
    assertRefused(own, List.of("--width", "other towers"), "width", 8, "layers", 2);
    assertRefused(own, List.of("fingerprints", "--layers 2"), "layers", 3);
    assertRefused(clip(), List.of("--width must be at most", "16, got 17"), "width", 17);
    assertRefused(
        ModelBundle.sentinelPairs(),
        List.of("texts and pictures", "sentinel-pairs", "sensors alone", "[s1, s2]"));
    assertThrows(IllegalArgumentException.class, () -> MicroTraining.with(options(1), "layers", 1));
  }

  @Test
  void aDataSetWithoutATrainingSplitIsRefused() throws Exception {
    CaptionedDataset none =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("none"), 0, 4, 4, SEED));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    FusionTraining.open(folder.resolve("untrained"), options(1), clip(), null)
                        .train(none, "fused", step -> {}))
            .getMessage();
    assertTrue(message.contains("no training split"), message);
  }

  @Test
  void validationMeasuresFilterAndFusionTogether() throws Exception {
    FusionOptions options = MicroTraining.with(options(4), "validate_every", 2);
    List<String> said = new ArrayList<>();
    train(
        "validated",
        options,
        towers(MicroTraining.CONVOLUTIONAL),
        new TrainingLoop.Progress() {
          @Override
          public void validated(int taken, Map<String, Double> figures) {
            said.add(taken + " " + figures.keySet());
          }

          @Override
          public void stepped(int taken) {}
        });
    assertEquals(List.of("2 [mr_aware, mr]", "4 [mr_aware, mr]"), said);
    assertTrue(Files.exists(folder.resolve("validated").resolve("best.zip")));
  }

  @Test
  void tooFewWrongAnswersAreRefused() {
    FusionOptions options = MicroTraining.with(options(1), "candidates", 300, "pool", 400);
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> train("few", options, towers(MicroTraining.CONVOLUTIONAL)))
            .getMessage();
    assertTrue(message.contains("299 wrong answers") && message.contains("--candidates"), message);
  }

  /**
   * The loss in one call, with texts in parts, images whose keys and values pairs share, and pairs
   * in parts, is what a served model's scores make of each pair alone.
   */
  @Test
  void lossIsThatOfServedScores() throws Exception {
    ModelBundle towers = towers(MicroTraining.CONVOLUTIONAL);
    ModelConfig config = towers.manifest().config();
    SensorConfig sensor = config.sensors().get(0);
    FusionOptions options =
        MicroTraining.with(
            options(1),
            "dropout",
            0.0,
            "layer_dropout",
            0.0,
            "precision",
            Precision.FP32,
            "start",
            FusionOptions.Start.KEPT);
    FusionTask task = task(options, towers);
    SplittableRandom random = new SplittableRandom(SEED);
    List<TokenizedText> captions =
        Stream.of("water", "a red field", "many houses stand near a road", "a field by the sea")
            .map(towers.tokenizer()::tokenize)
            .sorted(Comparator.comparingInt(TokenizedText::length))
            .toList();
    int n = captions.get(3).length();
    int m = config.imageTokens(sensor);
    int h = config.hidden();
    float[] features = new float[5 * m * h];
    for (int i = 0; i < features.length; i++) {
      features[i] = (float) random.nextGaussian();
    }
    float[] words = new float[captions.size() * n * h];
    float[] mask = new float[captions.size() * n];
    // Six pairs, which are two queries of three candidates in another order.
    long[] text = {0, 0, 1, 2, 2, 3};
    long[] image = {0, 4, 1, 2, 3, 1};
    long[] place = {3, 0, 5, 1, 4, 2};
    double[] logits = new double[6];
    try (FusionModel model = FusionModel.load(towers, folder)) {
      List<TokenBlock> texts = model.encodeTexts(captions).stream().map(Encoding::tokens).toList();
      for (int t = 0; t < texts.size(); t++) {
        float[] own = texts.get(t).values();
        System.arraycopy(own, 0, words, t * n * h, own.length);
        Arrays.fill(mask, t * n, t * n + texts.get(t).count(), 1);
      }
      for (int pair = 0; pair < 6; pair++) {
        TokenBlock asking = texts.get((int) text[pair]);
        int from = (int) image[pair] * m * h;
        TokenBlock picture = new TokenBlock(m, h, Arrays.copyOfRange(features, from, from + m * h));
        logits[pair] = model.score(List.of(asking), List.of(picture)).itm()[0];
      }
    }
    double expected = 0;
    for (int query = 0; query < 2; query++) {
      double sum = 0;
      for (int c = 0; c < 3; c++) {
        sum += Math.exp(logits[(int) place[3 * query + c]]);
      }
      expected += (Math.log(sum) - logits[(int) place[3 * query]]) / 2;
    }
    for (long[] pairs :
        List.of(
            new long[] {0, 6, n},
            new long[] {0, 3, captions.get(1).length(), 3, 5, captions.get(2).length(), 5, 6, n})) {
      FusionTask.Batch batch =
          new FusionTask.Batch(features, List.of(m, h), n, words, mask, text, image, pairs, place);
      assertEquals(expected, loss(task, batch), 1e-5);
    }
  }

  private static double loss(FusionTask task, FusionTask.Batch batch) throws Exception {
    try (TrainableScript script = new TrainableScript(task.root(), task.sources(), folder);
        NDManager manager = script.manager().newSubManager()) {
      TrainingTask.Call call = task.forward(manager, batch, 0, null);
      return script.backward(manager, call.method(), call.inputs()).get(0).toFloatArray()[0];
    }
  }
}
