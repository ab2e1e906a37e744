/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

/** Weights of an antialiased bilinear resize along one axis, as in PyTorch's {@code upsample}. */
final class TriangleFilter {
  private TriangleFilter() {}

  private static double support(int from, int to) {
    return Math.max(1.0, (double) from / to);
  }

  /** The first source pixel that target pixel {@code i} reads. */
  static int first(int from, int to, int i) {
    double centre = (i + 0.5) * from / to;
    return Math.max(0, (int) (centre - support(from, to) + 0.5));
  }

  /** For each target pixel the weights of the source pixels from {@link #first} on, sum 1. */
  static float[][] weights(int from, int to) {
    float[][] weights = new float[to][];
    double support = support(from, to);
    for (int i = 0; i < to; i++) {
      double centre = (i + 0.5) * from / to;
      int first = first(from, to, i);
      int end = Math.max(first + 1, Math.min(from, (int) (centre + support + 0.5)));
      double[] w = new double[end - first];
      double sum = 0;
      for (int k = 0; k < w.length; k++) {
        w[k] = Math.max(0, 1 - Math.abs((first + k + 0.5 - centre) / support));
        sum += w[k];
      }
      weights[i] = new float[w.length];
      for (int k = 0; k < w.length; k++) {
        weights[i][k] = (float) (w[k] / sum);
      }
    }
    return weights;
  }
}
