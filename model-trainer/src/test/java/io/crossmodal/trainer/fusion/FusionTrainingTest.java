/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDManager;
import com.google.gson.JsonObject;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingTask;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

  /** A token starts as what the bi-encoder makes of its place: what it has not learnt is small. */
  @Test
  void tokensStartAsTheBiEncoderSeesThem() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    ModelConfig config = towers.manifest().config();
    FusionTask task = new FusionTask(options(1), config, towers.weights(), config.sensors().get(0));
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

  /** The second run reads what the first has computed, also where that was cut short. */
  @Test
  void featuresAreComputedOnce() throws Exception {
    ModelBundle towers = towers(MicroTraining.EFFICIENT_NET);
    Path cache = folder.resolve("shared");
    List<Long> computed = new ArrayList<>();
    TrainingLoop.Progress counting =
        new TrainingLoop.Progress() {
          @Override
          public void prepared(long done, long all) {
            assertEquals(48, all);
            computed.add(done);
          }

          @Override
          public void stepped(int taken) {}
        };
    FusionTraining.open(folder.resolve("one"), options(1), towers, cache)
        .train(scenes, "fused", counting);
    assertEquals(48L, computed.get(computed.size() - 1));
    Path file;
    try (Stream<Path> files = Files.list(cache)) {
      file = files.toList().get(0);
    }
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2 + 1));
    int before = computed.size();
    FusionTraining.open(folder.resolve("two"), options(1), towers, cache)
        .train(scenes, "fused", counting);
    assertTrue(computed.size() > before && computed.get(before) > 24, computed.toString());
    assertArrayEquals(whole, Files.readAllBytes(file));
    int all = computed.size();
    FusionTraining.open(folder.resolve("three"), options(1), towers, cache)
        .train(scenes, "fused", counting);
    assertEquals(all, computed.size());
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
    FusionTask task = new FusionTask(options, config, towers.weights(), sensor);
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
    long[] ids = new long[captions.size() * n];
    float[] mask = new float[ids.length];
    for (int t = 0; t < captions.size(); t++) {
      int[] own = captions.get(t).ids();
      for (int i = 0; i < own.length; i++) {
        ids[t * n + i] = own[i];
        mask[t * n + i] = 1;
      }
    }
    // Six pairs, which are two queries of three candidates in another order.
    long[] text = {0, 0, 1, 2, 2, 3};
    long[] image = {0, 4, 1, 2, 3, 1};
    long[] place = {3, 0, 5, 1, 4, 2};
    double[] logits = new double[6];
    try (FusionModel model = FusionModel.load(towers, folder)) {
      for (int pair = 0; pair < 6; pair++) {
        TokenBlock words =
            model.encodeTexts(List.of(captions.get((int) text[pair]))).get(0).tokens();
        int from = (int) image[pair] * m * h;
        TokenBlock picture = new TokenBlock(m, h, Arrays.copyOfRange(features, from, from + m * h));
        logits[pair] = model.score(List.of(words), List.of(picture)).itm()[0];
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
          new FusionTask.Batch(features, List.of(m, h), n, ids, mask, text, image, pairs, place);
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
