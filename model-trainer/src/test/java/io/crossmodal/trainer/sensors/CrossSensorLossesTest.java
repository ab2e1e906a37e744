/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.trainer.train.TrainableScript;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Each loss and its gradient against the equation, computed slowly in double precision. */
class CrossSensorLossesTest {
  private static final int B = 4;
  private static final int D = 5;
  private static final double TEMPERATURE = 0.3;

  @TempDir static Path folder;

  private final long seed = Long.getLong("crossmodal.seed", System.nanoTime());
  private final Random random = new Random(seed);

  CrossSensorLossesTest() {
    System.out.println("reproduce with -Dcrossmodal.seed=" + seed);
  }

  private double[][] unit(int rows, int width) {
    double[][] x = new double[rows][width];
    for (double[] row : x) {
      double square = 0;
      for (int d = 0; d < width; d++) {
        row[d] = random.nextGaussian();
        square += row[d] * row[d];
      }
      for (int d = 0; d < width; d++) {
        row[d] /= Math.sqrt(square);
      }
    }
    return x;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /**
   * -mean log [exp(cos(i, partner) / tau) / sum over the partner and k elsewhere of exp(cos(i, k) /
   * tau)].
   *
   * @param place of each pair
   * @param within whether k may be of the modality of i
   */
  private static double mutual(double[][] z, double[][] keys, long[] place, boolean within) {
    int n = z.length;
    double loss = 0;
    for (int i = 0; i < n; i++) {
      double sum = 0;
      for (int k = 0; k < n; k++) {
        boolean partner = k == (i + n / 2) % n;
        boolean elsewhere =
            place[k % (n / 2)] != place[i % (n / 2)] && (within || k / (n / 2) != i / (n / 2));
        sum += partner || elsewhere ? Math.exp(dot(z[i], z[k]) / TEMPERATURE) : 0;
      }
      for (double[] key : keys) {
        sum += Math.exp(dot(z[i], key) / TEMPERATURE);
      }
      loss -= Math.log(Math.exp(dot(z[i], z[(i + n / 2) % n]) / TEMPERATURE) / sum) / n;
    }
    return loss;
  }

  private static double angular(double[][] a, double[][] b) {
    double loss = 0;
    for (int i = 0; i < a.length; i++) {
      loss -= Math.log(1 + Math.exp(dot(a[i], b[i]))) / a.length;
    }
    return loss;
  }

  private static double neighbours(double[][] z, double[][] keys, int k) {
    double loss = 0;
    for (int i = 0; i < z.length; i++) {
      double[] cosines = new double[z.length - 1 + keys.length];
      int at = 0;
      for (int j = 0; j < z.length; j++) {
        if (j != i) {
          cosines[at++] = dot(z[i], z[j]);
        }
      }
      for (double[] key : keys) {
        cosines[at++] = dot(z[i], key);
      }
      Arrays.sort(cosines);
      for (int best = 0; best < k; best++) {
        loss -= Math.log(1 + Math.exp(cosines[cosines.length - 1 - best])) / (k * z.length);
      }
    }
    return loss;
  }

  @ParameterizedTest
  @CsvSource({"0,true", "3,true", "0,false", "3,false"})
  void mutualInformation(int queue, boolean within) throws Exception {
    double[][] keys = unit(queue, D);
    long[] place = random.longs(B, 0, B).toArray();
    check(
        new ScriptModule("cross_sensor.MutualInformation")
            .with("log_scale", SensorTask.logScale(TEMPERATURE))
            .with("within", within ? 1.0 : 0.0),
        unit(2 * B, D),
        keys,
        z -> mutual(z, keys, place, within),
        place);
  }

  @Test
  void angularDistance() throws Exception {
    double[][] b = unit(B, D);
    check(new ScriptModule("cross_sensor.AngularDistance"), unit(B, D), b, a -> angular(a, b));
  }

  @ParameterizedTest
  @CsvSource({"1,0", "2,0", "3,6"})
  void nearestNeighbours(int k, int queue) throws Exception {
    double[][] keys = unit(queue, D);
    check(
        new ScriptModule("cross_sensor.NearestNeighbours").with("k", k),
        unit(B, D),
        keys,
        z -> neighbours(z, keys, k));
  }

  @Test
  void sameTokens() throws Exception {
    double[][] t = unit(B, D);
    check(
        new ScriptModule("cross_sensor.SameTokens"),
        unit(B, D),
        t,
        s -> {
          double sum = 0;
          for (int i = 0; i < B; i++) {
            for (int d = 0; d < D; d++) {
              sum += (s[i][d] - t[i][d]) * (s[i][d] - t[i][d]);
            }
          }
          return sum / (B * D);
        });
  }

  /**
   * Checks a loss and its gradient.
   *
   * @param place further argument, none where empty
   */
  private static void check(
      ScriptModule loss,
      double[][] x,
      double[][] other,
      ToDoubleFunction<double[][]> slow,
      long... place)
      throws Exception {
    try (TrainableScript script =
        new TrainableScript(
            loss,
            SensorTask.sources(
                SensorOptions.Preset.MICRO.config(
                    List.of(SensorConfig.s1(16), SensorConfig.s2(16))),
                Precision.FP32),
            folder)) {
      NDManager manager = script.manager();
      NDArray asking = manager.create(flat(x), new Shape(x.length, D));
      asking.setRequiresGradient(true);
      NDList inputs = new NDList(asking, manager.create(flat(other), new Shape(other.length, D)));
      if (place.length > 0) {
        inputs.add(manager.create(place));
      }
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDArray found =
            script
                .block()
                .forward(new ParameterStore(manager, false), inputs, true)
                .singletonOrThrow();
        assertEquals(slow.applyAsDouble(x), found.getFloat(), 1e-5);
        collector.backward(found);
      }
      float[] gradient = new float[x.length * D];
      for (int i = 0; i < gradient.length; i++) {
        double kept = x[i / D][i % D];
        x[i / D][i % D] = kept + 1e-5;
        double up = slow.applyAsDouble(x);
        x[i / D][i % D] = kept - 1e-5;
        double down = slow.applyAsDouble(x);
        x[i / D][i % D] = kept;
        gradient[i] = (float) ((up - down) / 2e-5);
      }
      assertArrayEquals(gradient, asking.getGradient().toFloatArray(), 1e-3f);
    }
  }

  /** Patch tokens: the same ground of the other sensor is right, all other ground is wrong. */
  @Test
  void patches() throws Exception {
    int m = 5;
    int h = 6;
    double[][] s = unit(B * m, h);
    double[][] t = unit(B * m, h);
    long[] tokens = {1, 4};
    long[] place = random.longs(B, 0, B).toArray();
    int n = B * tokens.length;
    double expected = 0;
    for (int i = 0; i < n; i++) {
      double rows = 0;
      double columns = 0;
      for (int k = 0; k < n; k++) {
        boolean sameGround = place[i / 2] == place[k / 2] && i % 2 == k % 2;
        if (k == i || !sameGround) {
          rows += Math.exp(dot(at(s, m, tokens, i), at(t, m, tokens, k)) / TEMPERATURE);
          columns += Math.exp(dot(at(s, m, tokens, k), at(t, m, tokens, i)) / TEMPERATURE);
        }
      }
      double own = Math.exp(dot(at(s, m, tokens, i), at(t, m, tokens, i)) / TEMPERATURE);
      expected -= (Math.log(own / rows) + Math.log(own / columns)) / (2 * n);
    }
    try (TrainableScript script =
        new TrainableScript(
            new ScriptModule("cross_sensor.Patches").with("temperature", TEMPERATURE),
            SensorTask.sources(
                SensorOptions.Preset.MICRO.config(
                    List.of(SensorConfig.s1(16), SensorConfig.s2(16))),
                Precision.FP32),
            folder)) {
      NDManager manager = script.manager();
      NDList inputs =
          new NDList(
              manager.create(flat(s), new Shape(B, m, h)),
              manager.create(flat(t), new Shape(B, m, h)),
              manager.create(place),
              manager.create(tokens));
      float found =
          script
              .block()
              .forward(new ParameterStore(manager, false), inputs, false)
              .singletonOrThrow()
              .getFloat();
      assertEquals(expected, found, 1e-5);
    }
  }

  private static double[] at(double[][] all, int m, long[] tokens, int i) {
    return all[i / tokens.length * m + (int) tokens[i % tokens.length]];
  }

  private static float[] flat(double[][] x) {
    int width = x.length == 0 ? 1 : x[0].length;
    float[] flat = new float[x.length * width];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) x[i / width][i % width];
    }
    return flat;
  }
}
