/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Arrays;
import java.util.Locale;

/**
 * Attention of each token of a text to each patch of an image: the weights of the last
 * cross-attention layer but one, mean over heads, as in the paper's figures 6 and 7.
 *
 * <p>A token's weights for [CLS] and all patches sum to 1. [CLS] stands for the whole image and has
 * no place in it, so its weight is kept apart.
 */
public final class WordPatchWeights {
  private final int count;
  private final int grid;

  /** (N, 1 + G x G), row-major; column 0 is the image's [CLS]. */
  private final float[] weights;

  /**
   * Weights of the given extents.
   *
   * @param count N, tokens of the text, [CLS] and [SEP] among them
   * @param imageTokens M = 1 + G x G
   * @param weights N x M; kept, not copied
   * @throws IllegalArgumentException when the patches form no square or the extents do not fit
   */
  public WordPatchWeights(int count, int imageTokens, float[] weights) {
    this.count = count;
    this.grid = grid(imageTokens);
    this.weights = weights;
    if (count < 1 || weights.length != (long) count * imageTokens) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "(%d, %d) does not describe %d weights",
              count,
              imageTokens,
              weights.length));
    }
  }

  /** Returns whether M tokens are [CLS] and the patches of a square, which can be drawn. */
  public static boolean isGrid(int imageTokens) {
    int side = (int) Math.round(Math.sqrt(imageTokens - 1.0));
    return imageTokens >= 2 && side * side == imageTokens - 1;
  }

  /** G of an image of M tokens. */
  private static int grid(int imageTokens) {
    if (!isGrid(imageTokens)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a heat map needs an image of [CLS] and G x G patches, got %d tokens",
              imageTokens));
    }
    return (int) Math.round(Math.sqrt(imageTokens - 1));
  }

  /** N. */
  public int count() {
    return count;
  }

  /** G, patches along a side. */
  public int grid() {
    return grid;
  }

  /** M, the image's tokens: [CLS] and the patches. */
  public int imageTokens() {
    return 1 + grid * grid;
  }

  /** The live weights, (N, M), row-major. */
  public float[] values() {
    return weights;
  }

  /** The patches' weights of one token: (G, G), row by row from the top left; a copy. */
  public float[] patches(int token) {
    return patches(token, token + 1);
  }

  /** The weight of the image's [CLS] for one token. */
  public float cls(int token) {
    return cls(token, token + 1);
  }

  /**
   * The mean over the tokens {@code from .. to - 1} of the patches' weights, for a word's pieces.
   */
  public float[] patches(int from, int to) {
    float[] mean = new float[grid * grid];
    for (int i = 0; i < mean.length; i++) {
      mean[i] = mean(from, to, 1 + i);
    }
    return mean;
  }

  /** The mean over the tokens {@code from .. to - 1} of the weight of the image's [CLS]. */
  public float cls(int from, int to) {
    return mean(from, to, 0);
  }

  private float mean(int from, int to, int column) {
    if (from < 0 || to <= from || to > count) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "no tokens %d .. %d of %d", from, to - 1, count));
    }
    int columns = 1 + grid * grid;
    double sum = 0;
    for (int token = from; token < to; token++) {
      sum += weights[token * columns + column];
    }
    return (float) (sum / (to - from));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof WordPatchWeights that
        && count == that.count
        && Arrays.equals(weights, that.weights);
  }

  @Override
  public int hashCode() {
    return 31 * count + Arrays.hashCode(weights);
  }

  @Override
  public String toString() {
    return "WordPatchWeights(" + count + ", " + grid + ", " + grid + ")";
  }
}
