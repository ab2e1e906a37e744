/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.crossmodal.trainer.train.MicroTraining;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class PrincipalAxesTest {
  private static final long SEED = MicroTraining.seed();
  private static final int H = 24;

  /** Vectors that lie in so many directions alone, of falling lengths. */
  private static double[][] vectors(int directions, SplittableRandom random) {
    double[][] basis = new double[directions][H];
    for (double[] direction : basis) {
      for (int i = 0; i < H; i++) {
        direction[i] = random.nextGaussian();
      }
    }
    double[][] vectors = new double[200][H];
    for (double[] vector : vectors) {
      for (int d = 0; d < directions; d++) {
        double part = random.nextGaussian() / (1 + d);
        for (int i = 0; i < H; i++) {
          vector[i] += part * basis[d][i];
        }
      }
    }
    return vectors;
  }

  private static double[][] moments(double[][] vectors) {
    double[][] moments = new double[H][H];
    for (double[] vector : vectors) {
      for (int i = 0; i < H; i++) {
        for (int j = 0; j < H; j++) {
          moments[i][j] += vector[i] * vector[j];
        }
      }
    }
    return moments;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static double[] projected(float[] axes, double[] vector) {
    double[] projected = new double[axes.length / H];
    for (int i = 0; i < axes.length; i++) {
      projected[i / H] += axes[i] * vector[i % H];
    }
    return projected;
  }

  @Test
  void whatLiesInTheirSpanKeepsItsDotProducts() {
    double[][] vectors = vectors(5, new SplittableRandom(SEED));
    double[][] moments = moments(vectors);
    // As many as there are directions, and more, of which the rest are any.
    for (int count : new int[] {5, 8, H}) {
      float[] axes = PrincipalAxes.of(moments, count);
      assertArrayEquals(axes, PrincipalAxes.of(moments, count));
      for (int a = 0; a < count; a++) {
        for (int b = 0; b < count; b++) {
          double product = 0;
          for (int i = 0; i < H; i++) {
            product += axes[a * H + i] * axes[b * H + i];
          }
          assertEquals(a == b ? 1 : 0, product, 1e-5, "orthonormal");
        }
      }
      for (int i = 1; i < 20; i++) {
        double expected = dot(vectors[0], vectors[i]);
        double found = dot(projected(axes, vectors[0]), projected(axes, vectors[i]));
        assertEquals(expected, found, 1e-3 * (1 + Math.abs(expected)), "of " + count);
      }
    }
  }

  @Test
  void theFirstDirectionsAreThoseThatHoldMost() {
    double[][] moments = new double[H][H];
    for (int i = 0; i < H; i++) {
      moments[i][i] = i == 3 || i == 17 ? 100 : 1;
    }
    float[] axes = PrincipalAxes.of(moments, 2);
    for (int i = 0; i < H; i++) {
      double held = Math.hypot(axes[i], axes[H + i]);
      assertEquals(i == 3 || i == 17 ? 1 : 0, held, 1e-3);
    }
  }
}
