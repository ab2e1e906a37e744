/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.tokens.TokenBlock;

/**
 * What a tile is compared by.
 *
 * @param embedding of unit length
 * @param patches (P, H), each of unit length, for late interaction; empty where there are none
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record TileFeatures(float[] embedding, float[][] patches) {
  /** Returns these without what late interaction alone needs. */
  TileFeatures withoutPatches() {
    return new TileFeatures(embedding, new float[0][]);
  }

  /** Returns the cosine of two embeddings. */
  double cosine(TileFeatures other) {
    return dot(embedding, other.embedding);
  }

  /**
   * Returns MaxSim of ColBERT (Khattab and Zaharia 2020) over patches, by their mean: of each patch
   * the most similar one of the other tile.
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

  /**
   * Returns the patches as a model's tokens, behind a class token of zeros, which MaxSim leaves
   * out.
   */
  TokenBlock tokens() {
    int h = patches[0].length;
    float[] values = new float[(1 + patches.length) * h];
    for (int p = 0; p < patches.length; p++) {
      System.arraycopy(patches[p], 0, values, (p + 1) * h, h);
    }
    return new TokenBlock(1 + patches.length, h, values);
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** Divides by the length, in place, and returns the same array. */
  static float[] unit(float[] values) {
    double length = Math.max(1e-12, Math.sqrt(dot(values, values)));
    for (int i = 0; i < values.length; i++) {
      values[i] /= (float) length;
    }
    return values;
  }
}
