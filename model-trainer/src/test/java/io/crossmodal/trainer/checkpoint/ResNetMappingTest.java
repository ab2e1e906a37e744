/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ImageTowerConfig.Stage;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.CheckpointFiles.Precision;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResNetMappingTest {
  private static final long SEED = MicroTraining.seed();

  /** Blocks a layer. */
  private static final int[] DEPTHS = {2, 1, 2};

  private static final int SIDE = 32;

  @TempDir Path folder;

  /** torchvision's and timm's names: a stem of 6, layers of 16, 24 and 32. */
  private static Tensors checkpoint() {
    Tensors tensors = new Tensors(SEED);
    EfficientNets.convolution(tensors, "conv1", "bn1", 6, 3, 7, 7);
    int in = 6;
    for (int layer = 0; layer < DEPTHS.length; layer++) {
      int out = 16 + 8 * layer;
      for (int i = 0; i < DEPTHS[layer]; i++) {
        String block = "layer" + (layer + 1) + "." + i + ".";
        EfficientNets.convolution(tensors, block + "conv1", block + "bn1", out / 4, in, 1, 1);
        EfficientNets.convolution(tensors, block + "conv2", block + "bn2", out / 4, out / 4, 3, 3);
        EfficientNets.convolution(tensors, block + "conv3", block + "bn3", out, out / 4, 1, 1);
        if (i == 0) {
          String shortcut = block + "downsample.";
          EfficientNets.convolution(tensors, shortcut + "0", shortcut + "1", out, in, 1, 1);
        }
        in = out;
      }
    }
    tensors.add("fc.weight", 0, 1, 10, 32);
    tensors.add("fc.bias", 0, 1, 10);
    return tensors;
  }

  private TensorConsumer consumer(Tensors tensors) throws IOException {
    Path file = CheckpointFiles.safetensors(folder.resolve("net"), tensors, Precision.F32);
    return new TensorConsumer(Checkpoint.open(file));
  }

  private static ModelConfig model(ImageTowerConfig tower) {
    return ModelConfig.ofSensors(32, 2, 8, 4, tower, List.of(SensorConfig.rgb(SIDE)));
  }

  @Test
  void computesWhatTheNetworkDoes() throws Exception {
    Tensors published = checkpoint();
    TensorConsumer tensors = consumer(published);
    ImageTowerConfig tower = ResNetMapping.tower(tensors);
    List<Stage> stages =
        List.of(
            new Stage(16, 1),
            new Stage(16, 1),
            new Stage(24, 2),
            new Stage(32, 2),
            new Stage(32, 1));
    assertEquals(ImageTowerConfig.resnet(6, stages), tower);
    InitialModel.ImportReport.Source source = ResNetMapping.map(model(tower), tensors);
    // 19 convolutions with a norm: one of the stem, three a block, three shortcuts.
    assertEquals(19 * 5, source.tensors());
    assertTrue(source.unused().contains("fc.weight"), source.unused().toString());
    // A head of ours that is the identity shows the mean over the grid, layer-normalised, as [CLS].
    Weights all =
        (name, init, shape) -> {
          try {
            LazyTensor taken = tensors.taken().get("model." + name);
            if (taken != null) {
              return init.trainable()
                  ? ScriptTensor.parameter(taken.values(), shape)
                  : ScriptTensor.buffer(taken.values(), shape);
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          return name.equals("image_rgb.pool.weight")
              ? ScriptTensor.parameter(ScriptRunner.identity(32), shape)
              : Weights.random(SEED).get(name, init, shape);
        };
    float[] pixels = new float[3 * SIDE * SIDE];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    double[] expected = normalised(mean(network(published, pixels)));
    try (ScriptRunner runner = ScriptRunner.of(model(tower), all, folder)) {
      float[] tokens = runner.run("encode_image_rgb", pixels, 1, 3, SIDE, SIDE);
      for (int c = 0; c < expected.length; c++) {
        assertEquals(expected[c], tokens[c], 1e-4, "channel " + c);
      }
    }
  }

  @Test
  void resnet50IsTaken() throws Exception {
    assertEquals(
        ImageTowerConfig.resnet50(), ResNetMapping.tower(consumer(shapes(new int[] {3, 4, 6, 3}))));
  }

  /** Names that tell the shape alone. */
  private static Tensors shapes(int[] depths) {
    Tensors tensors = new Tensors(SEED);
    tensors.add("conv1.weight", 0, 1, 64, 1);
    for (int layer = 0; layer < depths.length; layer++) {
      for (int i = 0; i < depths[layer]; i++) {
        String block = "layer" + (layer + 1) + "." + i;
        tensors.add(block + ".conv3.weight", 0, 1, 256L << layer, 1);
      }
    }
    return tensors;
  }

  @Test
  void refusesOtherNetworks() throws Exception {
    Tensors basic = checkpoint();
    basic.byName.keySet().removeIf(name -> name.contains("conv3"));
    TensorConsumer eighteen = consumer(basic);
    assertTrue(
        assertThrows(CheckpointException.class, () -> ResNetMapping.tower(eighteen))
            .getMessage()
            .contains("ResNet-18 and 34; it must be one of bottleneck blocks"));
    // ResNeXt: wider inside, in groups.
    Tensors groups = checkpoint();
    groups.add("layer2.0.conv2.weight", 0, 1, 12, 3, 3, 3);
    groups.byName.remove("layer3.1.bn2.bias");
    groups.add("layer1.0.se.fc1.weight", 0, 1, 2, 2);
    TensorConsumer next = consumer(groups);
    ModelConfig config = model(ResNetMapping.tower(next));
    String message =
        assertThrows(CheckpointException.class, () -> ResNetMapping.map(config, next)).getMessage();
    for (String part :
        List.of(
            "3 problems",
            "layer2.0.conv2.weight must be [6, 6, 3, 3], found [12, 3, 3, 3]",
            "layer3.1.bn2.bias is missing",
            "layer1.0.se.fc1.weight is unknown")) {
      assertTrue(message.contains(part), message);
    }
  }

  // The network in plain Java and double precision, by the checkpoint's own names.

  private static double[] mean(double[][][] x) {
    double[] mean = new double[x.length];
    for (int c = 0; c < x.length; c++) {
      for (double[] row : x[c]) {
        for (double value : row) {
          mean[c] += value / (row.length * x[c].length);
        }
      }
    }
    return mean;
  }

  private static double[] normalised(double[] x) {
    double mean = Arrays.stream(x).average().orElseThrow();
    double variance = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
    return Arrays.stream(x).map(v -> (v - mean) / Math.sqrt(variance)).toArray();
  }

  private static double[][][] network(Tensors tensors, float[] pixels) {
    double[][][] x = new double[3][SIDE][SIDE];
    for (int i = 0; i < pixels.length; i++) {
      x[i / (SIDE * SIDE)][i / SIDE % SIDE][i % SIDE] = pixels[i];
    }
    x = pooled(relu(convolution(tensors, "conv1", "bn1", x, 2)));
    for (int layer = 1; layer <= DEPTHS.length; layer++) {
      for (int i = 0; i < DEPTHS[layer - 1]; i++) {
        String block = "layer" + layer + "." + i + ".";
        int stride = layer > 1 && i == 0 ? 2 : 1;
        double[][][] y = relu(convolution(tensors, block + "conv1", block + "bn1", x, 1));
        y = relu(convolution(tensors, block + "conv2", block + "bn2", y, stride));
        y = convolution(tensors, block + "conv3", block + "bn3", y, 1);
        double[][][] shortcut =
            i > 0
                ? x
                : convolution(tensors, block + "downsample.0", block + "downsample.1", x, stride);
        for (int c = 0; c < y.length; c++) {
          for (int row = 0; row < y[c].length; row++) {
            for (int column = 0; column < y[c].length; column++) {
              y[c][row][column] += shortcut[c][row][column];
            }
          }
        }
        x = relu(y);
      }
    }
    return x;
  }

  private static double[][][] convolution(
      Tensors tensors, String name, String norm, double[][][] x, int stride) {
    Tensors.Tensor kernel = tensors.get(name + ".weight");
    int out = (int) kernel.shape()[0];
    int k = (int) kernel.shape()[2];
    int side = (x[0].length + stride - 1) / stride;
    double[][][] y = new double[out][side][side];
    for (int o = 0; o < out; o++) {
      double scale =
          tensors.get(norm + ".weight").values()[o]
              / Math.sqrt(tensors.get(norm + ".running_var").values()[o] + 1e-5);
      double shift =
          tensors.get(norm + ".bias").values()[o]
              - scale * tensors.get(norm + ".running_mean").values()[o];
      for (int row = 0; row < side; row++) {
        for (int column = 0; column < side; column++) {
          double sum = 0;
          for (int c = 0; c < x.length; c++) {
            for (int i = 0; i < k; i++) {
              for (int j = 0; j < k; j++) {
                int r = row * stride + i - k / 2;
                int s = column * stride + j - k / 2;
                if (r >= 0 && s >= 0 && r < x[0].length && s < x[0].length) {
                  sum += x[c][r][s] * kernel.values()[((o * x.length + c) * k + i) * k + j];
                }
              }
            }
          }
          y[o][row][column] = sum * scale + shift;
        }
      }
    }
    return y;
  }

  private static double[][][] relu(double[][][] x) {
    for (double[][] channel : x) {
      for (double[] row : channel) {
        for (int i = 0; i < row.length; i++) {
          row[i] = Math.max(0, row[i]);
        }
      }
    }
    return x;
  }

  /** The largest of 3 x 3, at every second place; nothing is below 0. */
  private static double[][][] pooled(double[][][] x) {
    int side = x[0].length / 2;
    double[][][] y = new double[x.length][side][side];
    for (int c = 0; c < x.length; c++) {
      for (int place = 0; place < 9 * side * side; place++) {
        int row = place / 9 / side;
        int column = place / 9 % side;
        int r = 2 * row + place % 9 / 3 - 1;
        int s = 2 * column + place % 3 - 1;
        if (r >= 0 && s >= 0 && r < 2 * side && s < 2 * side) {
          y[c][row][column] = Math.max(y[c][row][column], x[c][r][s]);
        }
      }
    }
    return y;
  }
}
