/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.torchscript.Weights.Init;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class MtgfeArchitectureTest {
  private static final long SEED = Seeds.next();

  /** Two sensors of other channels and sizes than the presets', three fusion layers. */
  private static final ModelConfig VIT =
      new ModelConfig(
          24,
          3,
          40,
          12,
          1e-6,
          new TextConfig(30, 10, 2),
          ImageTowerConfig.visionTransformer(4, 3),
          3,
          List.of(
              SensorConfig.rgb(16),
              new SensorConfig("s1", 8, List.of(-12.5, -20.0), List.of(5.0, 6.0))));

  /** Both towers for training from scratch; a stage of each kind. */
  private static final ModelConfig FROM_SCRATCH =
      new ModelConfig(
          12,
          3,
          20,
          8,
          1e-6,
          new TextConfig(10, 6, 2, TextConfig.Kind.MEAN),
          ImageTowerConfig.residual(
              List.of(6),
              List.of(
                  new ImageTowerConfig.Stage(6, 1),
                  new ImageTowerConfig.Stage(6, 2),
                  new ImageTowerConfig.Stage(6, 1),
                  new ImageTowerConfig.Stage(10, 1))),
          2,
          List.of(SensorConfig.rgb(16)));

  /** A block of each kind, both kernels, and a side that stride 2 and kernel 5 pad unevenly. */
  private static final ImageTowerConfig LITE =
      ImageTowerConfig.efficientNetLite(
          6,
          List.of(
              new ImageTowerConfig.Stage(4, 1, 3, 1),
              new ImageTowerConfig.Stage(8, 2, 5, 3),
              new ImageTowerConfig.Stage(8, 1, 5, 2),
              new ImageTowerConfig.Stage(10, 2, 3, 2)),
          14,
          true);

  @TempDir Path folder;

  /** Names and shapes that an architecture asks for, without their values. */
  private static Map<String, long[]> shapes(ModelConfig config) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    ScriptModule root =
        MtgfeArchitecture.build(
            config,
            (name, init, shape) -> {
              assertFalse(shapes.containsKey(name), () -> name + " is asked for twice");
              shapes.put(name, shape);
              return ScriptTensor.buffer(new float[0], 0);
            });
    assertEquals(shapes.keySet(), StateDict.of(root).names(), "asked for under its own path");
    return shapes;
  }

  private static long parameters(Map<String, long[]> shapes, String prefix) {
    return shapes.entrySet().stream()
        .filter(entry -> entry.getKey().startsWith(prefix))
        .mapToLong(entry -> Arrays.stream(entry.getValue()).reduce(1, (a, b) -> a * b))
        .sum();
  }

  @ParameterizedTest
  @EnumSource
  void everyPresetNamesEachTensorOnceAndLeavesNothingToUnroll(ModelConfig.Preset preset) {
    ModelConfig config = preset.config();
    assertTrue(shapes(config).size() > 50);
    MtgfeArchitecture.sources(config)
        .forEach(
            (name, source) -> {
              String code = source.replaceAll("#.*", "");
              for (String left : List.of("{", "IMAGE_TOWER", "layer_last", "layer_drawn")) {
                assertFalse(code.contains(left), () -> name + ".py still holds " + left);
              }
              assertFalse(code.contains("dropout"), "dropout is for training alone");
              assertFalse(code.contains("15)"), "mixed precision is for training alone");
            });
  }

  @Test
  void theBasePresetHasThePaperSizes() {
    Map<String, long[]> shapes = shapes(ModelConfig.base());
    // ViT-B/16 without its head has 85,798,656 parameters; a BERT layer has 7,087,872.
    assertEquals(85_798_656, parameters(shapes, "image_rgb."));
    assertEquals(
        6 * 7_087_872L + (30522 + 512 + 2) * 768L, parameters(shapes, "text."), "no token types");
    assertEquals(6 * (7_087_872 + 4 * (768 * 768 + 768) + 2 * 768L), parameters(shapes, "fusion."));
  }

  /** PyTorch's own deviation of a linear layer, which is uniform within 1 / sqrt(in). */
  @Test
  void whatReadsPretrainedTowersStartsSmall() {
    Map<String, Double> deviations = new HashMap<>();
    MtgfeArchitecture.build(
        ModelConfig.aerial(),
        (name, init, shape) -> {
          deviations.put(name, init.deviation());
          return ScriptTensor.buffer(new float[0], 0);
        });
    assertEquals(1 / Math.sqrt(3 * 384.0), deviations.get("filter.text.weight"), 1e-12);
    assertEquals(1 / Math.sqrt(3 * 1280.0), deviations.get("image_rgb.embed.weight"), 1e-12);
    assertEquals(
        1 / Math.sqrt(384.0), deviations.get("fusion.layer0.self_attention.query.weight"), 1e-12);
  }

  @Test
  void statesOfWholeTextLayersAreDroppedOnce() {
    for (int whole = 0; whole <= 6; whole++) {
      String text =
          MtgfeArchitecture.sources(
                  ModelConfig.aerial(),
                  new MtgfeArchitecture.Dropout(0, false, 0.1, whole),
                  Precision.FP32,
                  MtgfeArchitecture.class)
              .get("text")
              .replaceAll("#.*", "");
      boolean between = whole > 0 && whole < 6;
      assertEquals(between, text.contains("x = torch.dropout(x, 0.1, True)"), "" + whole);
      if (between) {
        int at = text.indexOf("x = torch.dropout(x, 0.1, True)");
        assertTrue(text.indexOf("self.layer" + (whole - 1) + "(x, bias)") < at, text);
        assertTrue(at < text.indexOf("self.layer" + whole + ".dropping(x, bias)"), text);
      }
    }
  }

  /** BERT drops weights of attention, too: in all layers that learn, in none that is served. */
  @Test
  void weightsOfAttentionAreDroppedWhereLayersDrop() {
    Map<String, String> trained =
        MtgfeArchitecture.sources(
            ModelConfig.aerial(),
            new MtgfeArchitecture.Dropout(0, false, 0.1, 3),
            Precision.FP32,
            MtgfeArchitecture.class);
    assertTrue(trained.get("nn").contains("scaled_dot_product_attention(q, k, v, bias, 0.1)"));
    String fusion = trained.get("fusion").replaceAll("#.*", "");
    assertEquals(3, fusion.split("\\.dropping\\(|dropout\\(", -1).length - 1, fusion);
    assertFalse(fusion.contains("self_attention(x, w, bias)"), fusion);
    MtgfeArchitecture.sources(ModelConfig.aerial())
        .forEach((name, source) -> assertFalse(source.contains("drop"), name));
  }

  private interface Calls {
    NDArray run(String method, NDArray... inputs);
  }

  private interface Body {
    void accept(NDManager manager, Calls calls);
  }

  /** Loads an archive of random weights into libtorch. */
  private void withLoaded(ModelConfig config, Body body) throws Exception {
    withLoaded(config, Weights.random(SEED), body);
  }

  private void withLoaded(ModelConfig config, Weights weights, Body body) throws Exception {
    ScriptModule root = MtgfeArchitecture.build(config, weights);
    try (OutputStream out = Files.newOutputStream(folder.resolve("test.pt"))) {
      ScriptArchiveWriter.write(out, root, MtgfeArchitecture.sources(config));
    }
    try (Model model = Model.newInstance("test", "PyTorch")) {
      model.load(folder, "test");
      try (NDManager manager = model.getNDManager().newSubManager()) {
        body.accept(
            manager,
            (method, inputs) -> {
              NDList list = new NDList(inputs);
              NDArray selector = manager.create(0f);
              selector.setName("module_method:" + method);
              list.add(selector);
              NDList result =
                  model.getBlock().forward(new ParameterStore(manager, false), list, false);
              result.attach(manager);
              return result.singletonOrThrow();
            });
      }
    }
  }

  private static NDArray random(NDManager manager, SplittableRandom random, long... shape) {
    Shape extents = new Shape(shape);
    float[] values = new float[(int) extents.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return manager.create(values, extents);
  }

  private static void assertShape(NDArray array, long... shape) {
    assertEquals(new Shape(shape), array.getShape());
    for (float value : array.toFloatArray()) {
      assertTrue(Float.isFinite(value));
    }
  }

  @Test
  void everyMethodOfAVisionTransformerModelRuns() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    withLoaded(
        VIT,
        (manager, calls) -> {
          NDArray rgb =
              calls.run("encode_image_rgb", random(manager, random, 3, 3, 16, 16)); // 4 x 4 patches
          assertShape(rgb, 3, 17, 24);
          assertShape(calls.run("encode_image_s1", random(manager, random, 3, 2, 8, 8)), 3, 5, 24);
          NDArray mask =
              manager.create(
                  new float[] {1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0},
                  new Shape(3, 4)); // B = 3, N = 4
          NDArray ids = manager.create(new long[] {2, 5, 6, 3, 2, 7, 3, 0, 2, 3, 0, 0});
          NDArray text = calls.run("encode_text", ids.reshape(3, 4), mask);
          assertShape(text, 3, 4, 24);
          assertShape(calls.run("filter_text", text.get(":, 0")), 3, 12);
          assertShape(calls.run("filter_image", rgb.get(":, 0")), 3, 12);
          NDArray owner = manager.create(new long[] {0, 1, 2});
          NDArray fused = calls.run("fuse", text, mask, rgb, owner);
          assertShape(fused, 3, 2);
          NDArray score = calls.run("score", text, mask, rgb, owner);
          assertShape(score, 3, 2);
          float[] logits = fused.toFloatArray();
          for (int b = 0; b < 3; b++) {
            assertEquals(logits[2 * b + 1] - logits[2 * b], score.getFloat(b, 0), 1e-5);
          }
        });
  }

  /** Half the size: each token's place is the mean of the four that it covers. */
  @Test
  void smallerImagesTakeTheirPlacesFromTheWholeGrid() throws Exception {
    ModelConfig config = ModelConfig.micro();
    int h = config.hidden();
    float[] positions = new float[16 * h];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < positions.length; i++) {
      positions[i] = (float) random.nextGaussian();
    }
    // Without a projection a token is the layer norm of its place.
    Weights weights =
        (name, init, shape) ->
            switch (name) {
              case "image_rgb.position" -> ScriptTensor.parameter(positions, shape);
              case "image_rgb.project.weight" ->
                  ScriptTensor.parameter(new float[(int) (shape[0] * shape[1])], shape);
              default -> Weights.random(SEED).get(name, init, shape);
            };
    withLoaded(
        config,
        weights,
        (manager, calls) -> {
          NDArray tokens = calls.run("encode_image_rgb", random(manager, random, 1, 3, 8, 8));
          assertShape(tokens, 1, 5, h);
          for (int token = 0; token < 4; token++) {
            int first = token / 2 * 8 + token % 2 * 2;
            double[] place = new double[h];
            for (int i = 0; i < h; i++) {
              for (int covered : new int[] {first, first + 1, first + 4, first + 5}) {
                place[i] += positions[covered * h + i] / 4;
              }
            }
            double mean = Arrays.stream(place).average().orElseThrow();
            double deviation =
                Math.sqrt(Arrays.stream(place).map(v -> (v - mean) * (v - mean)).sum() / h);
            for (int i = 0; i < h; i++) {
              assertEquals((place[i] - mean) / deviation, tokens.getFloat(0, token + 1, i), 1e-4);
            }
          }
        });
  }

  /** Batch norms with random gains, or every residual block would start as its shortcut alone. */
  private static Weights randomNorms() {
    return (name, init, shape) ->
        name.contains("norm.")
            ? Weights.random(SEED)
                .get(name, new Init(name.endsWith("running_var") ? 3 : 0.3, 0.4, true), shape)
            : Weights.random(SEED).get(name, init, shape);
  }

  @Test
  void towersForTrainingFromScratchAreWhatPlainJavaComputes() throws Exception {
    ModelConfig config = FROM_SCRATCH;
    int h = config.hidden();
    PlainTowers plain =
        new PlainTowers(config, StateDict.of(MtgfeArchitecture.build(config, randomNorms())));
    float[] pixels = pixels(3 * 16 * 16);
    double[][][] image = image(pixels, 16);
    withLoaded(
        config,
        randomNorms(),
        (manager, calls) -> {
          NDArray tokens =
              calls.run("encode_image_rgb", manager.create(pixels, new Shape(1, 3, 16, 16)));
          assertShape(tokens, 1, 17, h);
          assertClose(plain.imageCls("image_rgb", image, 1), tokens.get("0, 0"));
          NDArray mask =
              manager.create(new float[] {1, 1, 1, 1, 1, 1, 1, 1, 0, 0}, new Shape(2, 5));
          NDArray ids = manager.create(new long[] {2, 7, 9, 8, 3, 2, 6, 3, 0, 0});
          NDArray text = calls.run("encode_text", ids.reshape(2, 5), mask);
          double[][] five = plain.text(2, 7, 9, 8, 3);
          for (int n = 0; n < 5; n++) {
            assertClose(five[n], text.get("0, " + n));
          }
          double[][] three = plain.text(2, 6, 3);
          for (int n = 0; n < 3; n++) {
            assertClose(three[n], text.get("1, " + n));
          }
        });
  }

  private static float[] pixels(int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] pixels = new float[count];
    for (int i = 0; i < count; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    return pixels;
  }

  private static double[][][] image(float[] pixels, int side) {
    int area = side * side;
    double[][][] image = new double[pixels.length / area][side][side];
    for (int i = 0; i < pixels.length; i++) {
      image[i / area][i / side % side][i % side] = pixels[i];
    }
    return image;
  }

  private static ModelConfig sensors(ImageTowerConfig tower, int side) {
    return ModelConfig.ofSensors(
        12, 3, 20, 8, tower, List.of(SensorConfig.s1(side), SensorConfig.s2(side)));
  }

  /** Cells of 2 x 2 places, of one, and of none: fewer places than cells would have. */
  @ParameterizedTest
  @ValueSource(ints = {32, 16, 8})
  void clsMayKeepWhereThingsAre(int side) throws Exception {
    ImageTowerConfig tower = FROM_SCRATCH.image().withPooling(ImageTowerConfig.Pooling.GRID);
    assertClsIsPlain(sensors(tower, side), side, Math.min(4, side / 4));
  }

  /** A block of each kind: another shape, the same one, a stride. */
  @ParameterizedTest
  @EnumSource
  void resNetsAreWhatPlainJavaComputes(ImageTowerConfig.Pooling pooling) throws Exception {
    List<ImageTowerConfig.Stage> blocks =
        List.of(
            new ImageTowerConfig.Stage(12, 1),
            new ImageTowerConfig.Stage(12, 1),
            new ImageTowerConfig.Stage(16, 2));
    ModelConfig config = sensors(ImageTowerConfig.resnet(6, blocks).withPooling(pooling), 32);
    assertClsIsPlain(config, 32, pooling == ImageTowerConfig.Pooling.GRID ? 4 : 1);
  }

  @Test
  void efficientNetsAreWhatPlainJavaComputes() throws Exception {
    ModelConfig config = sensors(LITE, 32);
    PlainTowers plain =
        new PlainTowers(config, StateDict.of(MtgfeArchitecture.build(config, randomNorms())));
    withLoaded(
        config,
        randomNorms(),
        (manager, calls) -> {
          for (SensorConfig sensor : config.sensors()) {
            int c = sensor.channels();
            float[] values = pixels(c * 32 * 32);
            NDArray pixels = manager.create(values, new Shape(1, c, 32, 32));
            NDArray found = calls.run("encode_image_" + sensor.name(), pixels);
            double[][] expected =
                plain.efficientNetLite("image_" + sensor.name(), image(values, 32));
            assertShape(found, 1, expected.length, config.hidden());
            for (int m = 0; m < expected.length; m++) {
              assertClose(expected[m], found.get("0, " + m));
            }
            NDArray bottom = calls.run("image_bottom_" + sensor.name(), pixels);
            assertArrayEquals(
                found.toFloatArray(),
                calls.run("encode_image_from_" + sensor.name(), bottom).toFloatArray());
            // A run may have smaller images than the model will serve.
            NDArray smaller = manager.create(pixels(c * 16 * 16), new Shape(1, c, 16, 16));
            assertShape(
                calls.run("encode_image_" + sensor.name(), smaller),
                1,
                1 + (expected.length - 1) / 4,
                config.hidden());
          }
        });
  }

  /** What is said to make patches alone does, and all else has a part in [CLS]. */
  @ParameterizedTest
  @EnumSource(ImageTowerConfig.Kind.class)
  void patchesAloneDependOnWhatIsSaidTo(ImageTowerConfig.Kind kind) throws Exception {
    ImageTowerConfig tower =
        switch (kind) {
          case VISION_TRANSFORMER -> ImageTowerConfig.visionTransformer(8, 2);
          case CONVOLUTIONAL -> FROM_SCRATCH.image();
          case RESNET -> ImageTowerConfig.resnet(6, List.of(new ImageTowerConfig.Stage(12, 2)));
          case EFFICIENTNET_LITE -> LITE;
          case CLIP ->
              ImageTowerConfig.clip(8, 2, new TransformerConfig(24, 3, 40, Activation.GELU));
        };
    ModelConfig config = sensors(tower, 32);
    float[] values = pixels(2 * 32 * 32);
    List<float[]> tokens = new ArrayList<>();
    for (boolean other : new boolean[] {false, true}) {
      withLoaded(
          config,
          (name, init, shape) ->
              (other && MtgfeArchitecture.isOfPatchesAlone(config, name)
                      ? Weights.random(SEED + 1)
                      : randomNorms())
                  .get(name, init, shape),
          (manager, calls) ->
              tokens.add(
                  calls
                      .run("encode_image_s1", manager.create(values, new Shape(1, 2, 32, 32)))
                      .toFloatArray()));
    }
    int h = config.hidden();
    float[] cls = Arrays.copyOf(tokens.get(0), h);
    assertArrayEquals(cls, Arrays.copyOf(tokens.get(1), h), "[CLS], seed " + SEED);
    assertEquals(
        kind == ImageTowerConfig.Kind.VISION_TRANSFORMER || kind == ImageTowerConfig.Kind.CLIP,
        Arrays.equals(tokens.get(0), tokens.get(1)),
        "patches, seed " + SEED);
  }

  /** BERT_MEAN is BERT with the mean of the real tokens in [CLS]'s place. */
  @Test
  void theMeanOfTheTokensTakesTheFirstPlace() throws Exception {
    List<float[]> rows = new ArrayList<>();
    int h = VIT.hidden();
    for (TextConfig.Kind kind : List.of(TextConfig.Kind.BERT, TextConfig.Kind.BERT_MEAN)) {
      ModelConfig config =
          new ModelConfig(
              h, 3, 40, 12, 1e-6, new TextConfig(30, 10, 2, kind), VIT.image(), 3, VIT.sensors());
      withLoaded(
          config,
          (manager, calls) -> {
            NDArray ids = manager.create(new long[] {2, 5, 3, 0, 2, 7, 9, 3}, new Shape(2, 4));
            NDArray mask = manager.create(new float[] {1, 1, 1, 0, 1, 1, 1, 1}, new Shape(2, 4));
            rows.add(calls.run("encode_text", ids, mask).toFloatArray());
          });
    }
    int[] real = {3, 4};
    for (int text = 0; text < 2; text++) {
      for (int j = 0; j < h; j++) {
        double mean = 0;
        for (int n = 0; n < real[text]; n++) {
          mean += rows.get(0)[(text * 4 + n) * h + j] / real[text];
        }
        assertEquals(mean, rows.get(1)[text * 4 * h + j], 1e-5);
        for (int n = 1; n < 4; n++) {
          int at = (text * 4 + n) * h + j;
          assertEquals(rows.get(0)[at], rows.get(1)[at]);
        }
      }
    }
  }

  private void assertClsIsPlain(ModelConfig config, int side, int cells) throws Exception {
    int tokens = config.imageTokens(config.sensor("s2"));
    PlainTowers plain =
        new PlainTowers(config, StateDict.of(MtgfeArchitecture.build(config, randomNorms())));
    withLoaded(
        config,
        randomNorms(),
        (manager, calls) -> {
          for (SensorConfig sensor : config.sensors()) {
            int c = sensor.channels();
            float[] two = pixels(2 * c * side * side);
            String name = "image_" + sensor.name();
            NDArray found =
                calls.run("encode_" + name, manager.create(two, new Shape(2, c, side, side)));
            assertShape(found, 2, tokens, config.hidden());
            for (int i = 0; i < 2; i++) {
              float[] one = Arrays.copyOfRange(two, i * two.length / 2, (i + 1) * two.length / 2);
              assertClose(plain.imageCls(name, image(one, side), cells), found.get(i + ", 0"));
            }
          }
        });
  }

  /** A tower that ends in cells takes smaller images too: a run may start with them. */
  @Test
  void cellsOfSmallerImagesAreTakenFromFewerPlaces() throws Exception {
    ModelConfig config =
        sensors(FROM_SCRATCH.image().withPooling(ImageTowerConfig.Pooling.GRID), 16);
    withLoaded(
        config,
        (manager, calls) ->
            assertShape(
                calls.run("encode_image_s1", manager.create(pixels(2 * 64), new Shape(1, 2, 8, 8))),
                1,
                5,
                12));
  }

  /** torchvision's resnet50 has 25,557,032 parameters, 2,049,000 of them in its classifier. */
  @Test
  void resNet50HasThePaperSize() {
    ModelConfig config =
        ModelConfig.ofSensors(
            128,
            4,
            512,
            128,
            ImageTowerConfig.resnet50(),
            List.of(SensorConfig.rgb(64), SensorConfig.s1(64), SensorConfig.s2(64)));
    Map<String, long[]> shapes = shapes(config);
    shapes.keySet().removeIf(name -> name.contains(".running_"));
    // A head: [CLS] and the tokens, each 2048 -> 128; 2 x 2 positions; the last norm.
    long head = 2 * (2048 * 128 + 128) + 4 * 128 + 2 * 128;
    long trunk = 25_557_032 - 2_049_000;
    assertEquals(trunk + head, parameters(shapes, "image_rgb."));
    assertEquals(trunk - 7 * 7 * 64 + head, parameters(shapes, "image_s1."));
    assertEquals(trunk + 7 * 7 * 7 * 64 + head, parameters(shapes, "image_s2."));
  }

  private static void assertClose(double[] expected, NDArray found) {
    float[] values = found.toFloatArray();
    assertEquals(expected.length, values.length);
    for (int i = 0; i < values.length; i++) {
      assertEquals(expected[i], values[i], 2e-4, "place " + i);
    }
  }

  @Test
  void residualBlocksStartAsTheirShortcuts() {
    StateDict start = StateDict.of(MtgfeArchitecture.build(FROM_SCRATCH, Weights.random(SEED)));
    for (int stage = 0; stage < 4; stage++) {
      String path = "image_rgb.stage" + stage;
      for (float gain : start.tensors().get(path + ".second.norm.weight").values()) {
        assertEquals(0, gain);
      }
      assertEquals(
          stage == 1 || stage == 3,
          start.tensors().containsKey(path + ".shortcut.weight"),
          "a shortcut of its own only where the shape changes");
    }
  }

  @Test
  void attentionGivesEachWordADistributionOverThePatches() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    for (ModelConfig config : List.of(VIT, ModelConfig.micro())) {
      int m = config.imageTokens(config.sensors().get(0));
      withLoaded(
          config,
          (manager, calls) -> {
            NDArray text = random(manager, random, 2, 4, config.hidden());
            NDArray image = random(manager, random, 2, m, config.hidden());
            NDArray mask = manager.create(new float[] {1, 1, 1, 0, 1, 1, 1, 1}, new Shape(2, 4));
            NDArray weights = calls.run("attention", text, mask, image);
            assertShape(weights, 2, 4, m);
            float[] values = weights.toFloatArray();
            float[] sums = new float[8];
            for (int i = 0; i < values.length; i++) {
              assertTrue(values[i] >= 0);
              sums[i / m] += values[i];
            }
            assertArrayEquals(new float[] {1, 1, 1, 1, 1, 1, 1, 1}, sums, 1e-5f);
            // A padded place of the text changes no other word's row.
            NDArray padded = random(manager, random, 1, 1, config.hidden());
            NDArray changed = text.duplicate();
            changed.set(new ai.djl.ndarray.index.NDIndex("0, 3"), padded.get("0, 0"));
            float[] again = calls.run("attention", changed, mask, image).toFloatArray();
            assertArrayEquals(Arrays.copyOf(values, 3 * m), Arrays.copyOf(again, 3 * m), 1e-5f);
          });
    }
  }
}
