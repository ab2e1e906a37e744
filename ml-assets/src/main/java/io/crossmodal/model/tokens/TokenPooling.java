/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.util.Locale;

/**
 * Averages the patch tokens of an image over squares of its grid, so that fewer are stored and
 * fused. [CLS] stays as it is, and with it the filter's logit. The fusion head was trained on
 * single patches: what that costs is measured in docs/results/storage.md.
 */
public final class TokenPooling {
  /** Longest side of a square; no grid of ours is longer. */
  public static final int MAX_SIDE = 16;

  private TokenPooling() {}

  /**
   * Returns how many tokens are left.
   *
   * @param count M, [CLS] and G x G patches
   * @param side of the squares, in patches; 1 changes nothing. Squares at the right and lower edge
   *     may be cut
   * @throws IllegalArgumentException when the patches are no square grid, or for another side
   */
  public static int count(int count, int side) {
    if (side < 1 || side > MAX_SIDE) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "pooling must be from 1 to %d, got %d", MAX_SIDE, side));
    }
    if (side == 1) {
      return count;
    }
    int pooled = Math.ceilDiv(grid(count), side);
    return 1 + pooled * pooled;
  }

  /**
   * The smaller block.
   *
   * @param block (1 + G x G, H), row by row from the top left
   * @param side as in {@link #count}
   * @return the block itself where the side is 1
   */
  public static TokenBlock pool(TokenBlock block, int side) {
    int pooledCount = count(block.count(), side);
    if (side == 1) {
      return block;
    }
    int grid = grid(block.count());
    int pooledGrid = Math.ceilDiv(grid, side);
    int h = block.hidden();
    float[] values = block.values();
    float[] pooled = new float[pooledCount * h];
    System.arraycopy(values, 0, pooled, 0, h);
    int[] patches = new int[pooledCount];
    for (int y = 0; y < grid; y++) {
      for (int x = 0; x < grid; x++) {
        int from = 1 + y * grid + x;
        int to = 1 + y / side * pooledGrid + x / side;
        patches[to]++;
        for (int i = 0; i < h; i++) {
          pooled[to * h + i] += values[from * h + i];
        }
      }
    }
    for (int t = 1; t < pooledCount; t++) {
      for (int i = 0; i < h; i++) {
        pooled[t * h + i] /= patches[t];
      }
    }
    return new TokenBlock(pooledCount, h, pooled);
  }

  /** G. */
  private static int grid(int count) {
    int grid = (int) Math.round(Math.sqrt(count - 1.0));
    if (count < 2 || grid * grid != count - 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "pooling needs [CLS] and G x G patches, an image of %d tokens has none such",
              count));
    }
    return grid;
  }
}
