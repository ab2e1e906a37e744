/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Equation (6) in libtorch against the same in plain Java, in doubles. */
class MultiViewHeadTest {
  private static final int B = 5;
  private static final int H = ModelConfig.tiny().hidden();
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;

  @Test
  void lossAndGradientAreThoseOfThePlainComputation() throws Exception {
    Random random = new Random(SEED);
    ScriptModule root =
        CaptionTask.multiView(ModelConfig.tiny(), Weights.random(random.nextLong()));
    StateDict state = StateDict.of(root);
    Map<String, String> sources =
        MtgfeArchitecture.sources(ModelConfig.tiny(), CaptionTask.class, "training");
    // Only what the head needs: the rest of training.py has places to fill in.
    sources.computeIfPresent(
        "training",
        (name, source) -> source.substring(0, source.indexOf("class Training(Module)")));
    try (OutputStream out = Files.newOutputStream(folder.resolve("head.pt"))) {
      ScriptArchiveWriter.write(out, root, sources);
    }
    double[][] u1 = rows(random);
    double[][] u2 = rows(random);
    try (Model model = Model.newInstance("head", "PyTorch")) {
      model.load(folder, "head", Map.of("trainParam", "true"));
      PtSymbolBlock block = (PtSymbolBlock) model.getBlock();
      JniUtils.enableTrainingMode(block);
      NDManager manager = model.getNDManager();
      NDArray first = manager.create(flat(u1), new Shape(B, H));
      NDArray second = manager.create(flat(u2), new Shape(B, H));
      first.setRequiresGradient(true);
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray loss =
            block
                .forward(new ParameterStore(manager, false), new NDList(first, second), true)
                .singletonOrThrow();
        assertEquals(loss(state, u1, u2, u1, u2), loss.getFloat(), 1e-5);
        collector.backward(loss);
      }
      // By finite differences, with stopgrad's side held where it was.
      float[] gradient = first.getGradient().toFloatArray();
      float[] expected = new float[B * H];
      for (int i = 0; i < B * H; i++) {
        // Small, for a step across the bend of a ReLU measures no slope.
        double step = 1e-7;
        u1[i / H][i % H] += step;
        double[][] up = copy(u1);
        u1[i / H][i % H] -= 2 * step;
        double[][] down = copy(u1);
        u1[i / H][i % H] += step;
        expected[i] =
            (float) ((loss(state, up, u2, u1, u2) - loss(state, down, u2, u1, u2)) / (2 * step));
      }
      assertArrayEquals(expected, gradient, 1e-4f);
      double size = 0;
      for (float value : gradient) {
        size += Math.abs(value);
      }
      assertTrue(size > 1e-3, "the first view gets a gradient");
    }
  }

  /** -(S(p1, z2) + S(p2, z1)) / 2, where z is computed from the held inputs. */
  private static double loss(
      StateDict state, double[][] u1, double[][] u2, double[][] held1, double[][] held2) {
    double[][] p1 = predict(state, project(state, u1));
    double[][] p2 = predict(state, project(state, u2));
    return -(similarity(p1, project(state, held2)) + similarity(p2, project(state, held1))) / 2;
  }

  private static double[][] project(StateDict state, double[][] u) {
    double[][] x = u;
    for (int i = 1; i <= 3; i++) {
      x = normalised(linear(state, "project.fc" + i, x));
      x = i < 3 ? relu(x) : x;
    }
    return x;
  }

  private static double[][] predict(StateDict state, double[][] z) {
    return linear(state, "predict.fc2", relu(normalised(linear(state, "predict.fc1", z))));
  }

  private static double similarity(double[][] p, double[][] z) {
    double sum = 0;
    for (int b = 0; b < B; b++) {
      double dot = 0;
      double pp = 0;
      double zz = 0;
      for (int h = 0; h < H; h++) {
        dot += p[b][h] * z[b][h];
        pp += p[b][h] * p[b][h];
        zz += z[b][h] * z[b][h];
      }
      sum += dot / Math.sqrt(pp * zz);
    }
    return sum / B;
  }

  private static double[][] linear(StateDict state, String name, double[][] x) {
    float[] weight = state.tensors().get(name + ".weight").values();
    float[] bias = state.tensors().get(name + ".bias").values();
    double[][] y = new double[B][bias.length];
    for (int b = 0; b < B; b++) {
      for (int o = 0; o < bias.length; o++) {
        y[b][o] = bias[o];
        for (int i = 0; i < x[b].length; i++) {
          y[b][o] += weight[o * x[b].length + i] * x[b][i];
        }
      }
    }
    return y;
  }

  /** Batch norm with weight 1 and bias 0, as it starts. */
  private static double[][] normalised(double[][] x) {
    double[][] y = new double[B][x[0].length];
    for (int c = 0; c < x[0].length; c++) {
      double mean = 0;
      double square = 0;
      for (double[] row : x) {
        mean += row[c] / B;
        square += row[c] * row[c] / B;
      }
      for (int b = 0; b < B; b++) {
        y[b][c] = (x[b][c] - mean) / Math.sqrt(square - mean * mean + 1e-5);
      }
    }
    return y;
  }

  private static double[][] relu(double[][] x) {
    double[][] y = copy(x);
    for (double[] row : y) {
      for (int c = 0; c < row.length; c++) {
        row[c] = Math.max(0, row[c]);
      }
    }
    return y;
  }

  private static double[][] rows(Random random) {
    double[][] rows = new double[B][H];
    for (double[] row : rows) {
      for (int h = 0; h < H; h++) {
        row[h] = (float) random.nextGaussian();
      }
    }
    return rows;
  }

  private static double[][] copy(double[][] x) {
    double[][] y = new double[x.length][];
    for (int b = 0; b < x.length; b++) {
      y[b] = x[b].clone();
    }
    return y;
  }

  private static float[] flat(double[][] x) {
    float[] flat = new float[B * H];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) x[i / H][i % H];
    }
    return flat;
  }
}
