/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptSources;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** ALBEF's contrast with momentum in libtorch against the same in plain Java, in doubles. */
class MomentumContrastTest {
  private static final int B = 3;
  private static final int K = 7;
  private static final int D = 5;
  private static final double SCALE = 4;
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;

  private final Random random = new Random(SEED);

  private double[][] unit(int rows) {
    double[][] x = new double[rows][D];
    for (double[] row : x) {
      double square = 0;
      for (int d = 0; d < D; d++) {
        row[d] = random.nextGaussian();
        square += row[d] * row[d];
      }
      for (int d = 0; d < D; d++) {
        row[d] /= Math.sqrt(square);
      }
    }
    return x;
  }

  /** Pairs of the batch match, and some others. */
  private double[][] matches() {
    double[][] matches = new double[B][K];
    for (int i = 0; i < B; i++) {
      for (int k = 0; k < K; k++) {
        matches[i][k] = i == k || random.nextInt(4) == 0 ? 1 : 0;
      }
    }
    return matches;
  }

  private static double[] softmax(double[] x, double[][] keys) {
    double[] weights = new double[K];
    double sum = 0;
    for (int k = 0; k < K; k++) {
      double dot = 0;
      for (int d = 0; d < D; d++) {
        dot += x[d] * keys[k][d];
      }
      weights[k] = Math.exp(SCALE * dot);
      sum += weights[k];
    }
    for (int k = 0; k < K; k++) {
      weights[k] /= sum;
    }
    return weights;
  }

  /** Keys 0 to B - 1 are what the momentum encoder makes of the same items as {@code x}. */
  private static double direction(
      double[][] x, double[][] own, double[][] keys, double[][] matches, double soft) {
    double loss = 0;
    for (int i = 0; i < B; i++) {
      double[] found = softmax(x[i], keys);
      double[] judged = softmax(own[i], keys);
      double given = 0;
      for (double match : matches[i]) {
        given += match;
      }
      for (int k = 0; k < K; k++) {
        double target = soft * judged[k] + (1 - soft) * matches[i][k] / given;
        loss -= target * Math.log(found[k]) / B;
      }
    }
    return loss;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.4})
  void lossAndGradientAreThoseOfThePlainComputation(double soft) throws Exception {
    double[][] e = unit(B);
    double[][] t = unit(B);
    double[][] images = unit(K);
    double[][] texts = unit(K);
    double[][] byImage = matches();
    double[][] byText = matches();
    try (TrainableScript script =
        new TrainableScript(
            new ScriptModule("contrast.MomentumContrast").with("soft", soft),
            Map.of("contrast", ScriptSources.resource(CaptionTask.class, "contrast")),
            folder)) {
      NDManager manager = script.manager();
      NDArray asking = manager.create(flat(e), new Shape(B, D));
      asking.setRequiresGradient(true);
      NDArray keys =
          manager
              .create(flat(images), new Shape(1, K, D))
              .concat(manager.create(flat(texts), new Shape(1, K, D)));
      NDArray match =
          manager
              .create(flat(byImage), new Shape(1, B, K))
              .concat(manager.create(flat(byText), new Shape(1, B, K)));
      NDList inputs =
          new NDList(
              asking,
              manager.create(flat(t), new Shape(B, D)),
              keys,
              match,
              manager.create(new float[] {(float) SCALE}));
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray loss =
            script
                .block()
                .forward(new ParameterStore(manager, false), inputs, true)
                .singletonOrThrow();
        double expected =
            (direction(e, images, texts, byImage, soft) + direction(t, texts, images, byText, soft))
                / 2;
        assertEquals(expected, loss.getFloat(), 1e-5);
        collector.backward(loss);
      }
      float[] gradient = new float[B * D];
      for (int i = 0; i < gradient.length; i++) {
        double kept = e[i / D][i % D];
        e[i / D][i % D] = kept + 1e-4;
        double up = direction(e, images, texts, byImage, soft);
        e[i / D][i % D] = kept - 1e-4;
        double down = direction(e, images, texts, byImage, soft);
        e[i / D][i % D] = kept;
        gradient[i] = (float) ((up - down) / 4e-4);
      }
      assertArrayEquals(gradient, asking.getGradient().toFloatArray(), 1e-4f);
    }
  }

  private static float[] flat(double[][] x) {
    float[] flat = new float[x.length * x[0].length];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) x[i / x[0].length][i % x[0].length];
    }
    return flat;
  }

  /** A word that stands nowhere would leave a script that trains something else. */
  @Test
  void wordsOfASourceThatStandNowhereAreRefused() {
    Map<String, String> sources = Map.of("a", "encode_SENSOR(x)", "b", "encode_SENSOR(y)");
    assertEquals(
        Map.of("a", "encode_rgb(x)", "b", "encode_SENSOR(y)"),
        TrainableScript.filledIn(sources, "a", Map.of("SENSOR", "rgb")));
    for (String module : List.of("a", "c")) {
      IllegalStateException refused =
          assertThrows(
              IllegalStateException.class,
              () -> TrainableScript.filledIn(sources, module, Map.of("FIRST", "rgb")));
      assertEquals("no FIRST in the source of " + module, refused.getMessage());
    }
  }
}
