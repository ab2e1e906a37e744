/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.TrainableScript;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EfficientNetMappingTest {
  private static final int WIDTH = 1280;

  @TempDir Path folder;

  private static Path fixture(String name) {
    String shared = System.getProperty("crossmodal.shared", "");
    Path file = Path.of(shared, "fixtures", "pretrained", name);
    if (shared.isEmpty() || !Files.exists(file)) {
      System.out.println("skipped: there is no " + file);
    }
    assumeTrue(!shared.isEmpty() && Files.exists(file));
    return file;
  }

  private static ModelConfig lite(SensorConfig... sensors) {
    return ModelConfig.ofSensors(
        WIDTH, 4, 8, 8, ImageTowerConfig.efficientNetLite0(), List.of(sensors));
  }

  /** The embedding as the identity, so that [CLS] is the mean of the head's features. */
  private static Weights bare(Weights weights) {
    return (name, init, shape) -> {
      if (!name.endsWith(".embed.weight")) {
        return weights.get(name, init, shape);
      }
      float[] identity = new float[WIDTH * WIDTH];
      for (int i = 0; i < WIDTH; i++) {
        identity[i * WIDTH + i] = 1;
      }
      return ScriptTensor.parameter(identity, shape);
    };
  }

  /** Asserts values that the file has rounded to half precision: the rounding does not count. */
  private static void assertNear(float[] expected, NDArray found) {
    float[] values = found.toFloatArray();
    assertEquals(expected.length, values.length);
    for (int i = 0; i < values.length; i++) {
      double rounding = Math.ulp(expected[i]) * (1 << 13) / 2;
      assertEquals(expected[i], values[i], rounding + 1e-4, "value " + i);
    }
  }

  /** What torch computes in fp32 with the same half-precision weights. */
  @Test
  void lite0ComputesWhatItsReferenceDoes() throws Exception {
    Path file = fixture("efficientnet-lite0.safetensors");
    Map<String, LazyTensor> golden =
        Checkpoint.open(fixture("efficientnet-lite0-golden.safetensors")).tensors();
    ModelConfig config = lite(SensorConfig.rgb(224));
    Weights start =
        bare(PretrainedTower.start(PretrainedTower.open(file).values(config), Weights.random(1)));
    try (TrainableScript script =
            TrainableScript.evaluating(
                MtgfeArchitecture.build(config, start.below("model")),
                MtgfeArchitecture.sources(config),
                folder);
        NDManager manager = script.manager().newSubManager()) {
      NDArray pixels = manager.create(golden.get("pixels").values(), new Shape(5, 3, 224, 224));
      NDArray bottom = call(script, manager, "image_bottom_rgb", pixels);
      assertEquals(new Shape(5, 14, 14, 112), bottom.getShape());
      assertNear(golden.get("stage5").values(), bottom.transpose(0, 3, 1, 2));
      NDArray tokens = call(script, manager, "encode_image_from_rgb", bottom);
      assertEquals(new Shape(5, 50, WIDTH), tokens.getShape());
      assertNear(golden.get("head_mean").values(), tokens.get(":, 0"));
      assertArrayEquals(
          tokens.toFloatArray(),
          call(script, manager, "encode_image_rgb", pixels).toFloatArray(),
          1e-5f);
    }
  }

  private static final ImageTowerConfig SMALL =
      ImageTowerConfig.efficientNetLite(
          6,
          List.of(
              new ImageTowerConfig.Stage(4, 1, 3, 1),
              new ImageTowerConfig.Stage(8, 2, 5, 6),
              new ImageTowerConfig.Stage(8, 1, 5, 6),
              new ImageTowerConfig.Stage(10, 2, 3, 2)),
          12,
          true);

  private static Tensors small(boolean timm) {
    return checkpoint(SMALL, timm);
  }

  private static Tensors checkpoint(ImageTowerConfig image, boolean timm) {
    Tensors tensors = new Tensors(7);
    int in = image.stems().get(0);
    norm(tensors, in, timm ? "bn1" : "_bn0");
    tensors.add(timm ? "conv_stem.weight" : "_conv_stem.weight", 0, 0.3, in, 3, 3, 3);
    int row = -1;
    int inRow = 0;
    for (int i = 0; i < image.stages().size(); i++) {
      ImageTowerConfig.Stage stage = image.stages().get(i);
      boolean begins = i == 0 || image.stages().get(i - 1).width() != stage.width();
      row += begins ? 1 : 0;
      inRow = begins ? 0 : inRow + 1;
      int inner = in * stage.expansion();
      String block = timm ? "blocks." + row + "." + inRow + "." : "_blocks." + i + ".";
      boolean expands = stage.expansion() > 1;
      int part = 0;
      if (expands) {
        tensors.add(
            block + (timm ? "conv_pw" : "_expand_conv") + ".weight", 0, 0.3, inner, in, 1, 1);
        norm(tensors, inner, block + (timm ? "bn1" : "_bn0"));
        part = 1;
      }
      tensors.add(
          block + (timm ? "conv_dw" : "_depthwise_conv") + ".weight",
          0,
          0.3,
          inner,
          1,
          stage.kernel(),
          stage.kernel());
      norm(tensors, inner, block + (timm ? "bn" + (part + 1) : "_bn1"));
      String project = expands ? "conv_pwl" : "conv_pw";
      tensors.add(
          block + (timm ? project : "_project_conv") + ".weight",
          0,
          0.3,
          stage.width(),
          inner,
          1,
          1);
      norm(tensors, stage.width(), block + (timm ? "bn" + (part + 2) : "_bn2"));
      in = stage.width();
    }
    tensors.add(timm ? "conv_head.weight" : "_conv_head.weight", 0, 0.3, image.head(), in, 1, 1);
    norm(tensors, image.head(), timm ? "bn2" : "_bn1");
    tensors.add(timm ? "classifier.weight" : "_fc.weight", 0, 0.3, 5, image.head());
    return tensors;
  }

  private static void norm(Tensors tensors, int width, String name) {
    tensors.add(name + ".weight", 1, 0.2, width);
    tensors.add(name + ".bias", 0, 0.2, width);
    tensors.add(name + ".running_mean", 0, 0.2, width);
    tensors.add(name + ".running_var", 1, 0.1, width);
    tensors.add(name + ".num_batches_tracked", 0, 0, 1);
  }

  private Path file(String name, Tensors tensors) throws IOException {
    return CheckpointFiles.safetensors(
        folder.resolve(name), tensors, CheckpointFiles.Precision.F32);
  }

  private static Map<String, float[]> values(Path file, ModelConfig config) throws IOException {
    Map<String, float[]> values = new TreeMap<>();
    Weights weights =
        PretrainedTower.start(PretrainedTower.open(file).values(config), Weights.random(3));
    MtgfeArchitecture.build(config, weights.below("model"))
        .forEachTensor((name, tensor) -> values.put(name, tensor.values()));
    return values;
  }

  private static ModelConfig small(SensorConfig... sensors) {
    return ModelConfig.ofSensors(8, 2, 8, 8, SMALL, List.of(sensors));
  }

  @Test
  void bothKindsOfNamesGiveOneTower() throws IOException {
    ModelConfig config = small(SensorConfig.rgb(16));
    Map<String, float[]> one = values(file("lukemelas", small(false)), config);
    Map<String, float[]> other = values(file("timm", small(true)), config);
    assertEquals(one.keySet(), other.keySet());
    one.forEach((name, values) -> assertArrayEquals(values, other.get(name), name));
    Map<String, float[]> fresh = new TreeMap<>();
    MtgfeArchitecture.build(config, Weights.random(3).below("model"))
        .forEachTensor((name, tensor) -> fresh.put(name, tensor.values()));
    one.forEach(
        (name, values) ->
            assertEquals(
                name.matches("filter.*|.*\\.(embed|fine|position)\\b.*|image_rgb\\.norm.*"),
                Arrays.equals(values, fresh.get(name)),
                name));
  }

  /** Of a grey picture in every channel all towers make the same. */
  @Test
  void theFirstConvolutionFitsAnyChannels() throws IOException {
    Path file = file("lukemelas", small(false));
    Map<String, float[]> values =
        values(file, small(SensorConfig.rgb(16), SensorConfig.s1(16), SensorConfig.s2(16)));
    for (Map.Entry<String, Integer> sensor : Map.of("rgb", 3, "s1", 2, "s2", 10).entrySet()) {
      float[] stem = values.get("image_" + sensor.getKey() + ".stem.weight");
      int channels = sensor.getValue();
      assertEquals(6 * channels * 9, stem.length);
      for (int w = 0; w < 6; w++) {
        for (int i = 0; i < 9; i++) {
          assertEquals(
              sum(values.get("image_rgb.stem.weight"), w, 3, i), sum(stem, w, channels, i), 1e-5);
        }
      }
    }
  }

  private static double sum(float[] stem, int output, int channels, int at) {
    double sum = 0;
    for (int c = 0; c < channels; c++) {
      sum += stem[(output * channels + c) * 9 + at];
    }
    return sum;
  }

  @Test
  void whatDoesNotFitIsListed() throws IOException {
    Tensors wrong = small(true);
    wrong.byName.remove("blocks.1.1.conv_dw.weight");
    wrong.add("blocks.3.0.conv_pw.weight", 0, 1, 2, 2, 1, 1);
    ModelConfig config = small(SensorConfig.rgb(16));
    String message =
        assertThrows(CheckpointException.class, () -> values(file("wrong", wrong), config))
            .getMessage();
    assertTrue(message.contains("blocks.1.1.conv_dw.weight is missing"), message);
    assertTrue(message.contains("blocks.3.0.conv_pw.weight is unknown"), message);
    Tensors other = new Tensors(1);
    other.add("features.0.weight", 0, 1, 3);
    message =
        assertThrows(CheckpointException.class, () -> values(file("other", other), config))
            .getMessage();
    assertTrue(message.contains("is no EfficientNet-Lite"), message);
  }

  /** Adam's first step is as long as the rate, whatever the gradient. */
  @Test
  void sensorsStartFromItAndItsWeightsLearnSlower() throws Exception {
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(4, 0, 0, 5, 32, 0))
            .write(folder.resolve("pairs"), () -> {});
    PairDataset pairs =
        PairsCsvReader.read(
            table,
            SensorSource.S1,
            SensorSource.S2,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    PretrainedTower tower =
        PretrainedTower.open(
            file("lite0", checkpoint(ImageTowerConfig.efficientNetLite0(), false)));
    double rate = 1e-3;
    SensorOptions options =
        MicroTraining.with(
            SensorOptions.Recipe.PRETRAINED.options(),
            "pretrained",
            tower.sha256(),
            "image_size",
            32,
            "steps",
            1,
            "batch",
            4,
            "optimiser",
            new Optimiser(rate, 0, 0, 1e9, 0));
    Path run = folder.resolve("run");
    ModelBundle bundle =
        SensorTraining.openFrom(tower, run, options).train(pairs, "pretrained", taken -> {});
    Map<String, float[]> start = tower.values(bundle.manifest().config());
    Map<String, ScriptTensor> trained = bundle.weights().tensors();
    assertEquals(2, bundle.manifest().config().sensors().size());
    for (String name : start.keySet()) {
      float[] before = start.get(name);
      float[] after = trained.get(name.substring("model.".length())).values();
      double most = 0;
      for (int i = 0; i < before.length; i++) {
        most = Math.max(most, Math.abs(after[i] - before[i]));
      }
      assertEquals(name.contains("running_") ? 0 : 0.3 * rate, most, 1e-2 * rate, name);
    }
    assertThrows(IllegalArgumentException.class, () -> SensorTraining.open(run, options));
    SensorOptions other = MicroTraining.with(options, "pretrained", "0".repeat(64));
    assertThrows(IllegalArgumentException.class, () -> SensorTraining.openFrom(tower, run, other));
  }

  private static NDArray call(
      TrainableScript script, NDManager manager, String method, NDArray input) {
    try (IValue in = IValue.from((PtNDArray) input);
        IValue out = IValueUtils.runMethod(script.block(), method, in)) {
      return out.toTensor((PtNDManager) manager);
    }
  }
}
