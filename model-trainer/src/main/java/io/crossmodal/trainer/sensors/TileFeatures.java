/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

/**
 * What a tile is compared by.
 *
 * @param embedding of unit length
 * @param patches (P, H), each of unit length, for late interaction; empty where there are none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record TileFeatures(float[] embedding, float[][] patches) {
  /** The cosine of two embeddings. */
  double cosine(TileFeatures other) {
    return dot(embedding, other.embedding);
  }

  /**
   * MaxSim of ColBERT (Khattab and Zaharia 2020) over patches, by their mean: of each patch the
   * most similar one of the other tile.
   */
  double maxSim(TileFeatures other) {
    double sum = 0;
    for (float[] patch : patches) {
      double best = -1;
      for (float[] candidate : other.patches) {
        best = Math.max(best, dot(patch, candidate));
      }
      sum += best;
    }
    return sum / patches.length;
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** Divides by the length; in place. */
  static float[] unit(float[] values) {
    double length = Math.max(1e-12, Math.sqrt(dot(values, values)));
    for (int i = 0; i < values.length; i++) {
      values[i] /= (float) length;
    }
    return values;
  }
}
