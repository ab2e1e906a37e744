/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Locale;

/** One normalised picture as a tower takes it: (C, S, S), row-major. */
public final class PixelTensor {
  private final int channels;
  private final int side;
  private final float[] values;

  /**
   * A picture of the given extents.
   *
   * @param values C x S x S; kept, not copied
   */
  public PixelTensor(int channels, int side, float[] values) {
    if (values.length != (long) channels * side * side) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "(%d, %d, %d) needs %d values, got %d",
              channels,
              side,
              side,
              (long) channels * side * side,
              values.length));
    }
    this.channels = channels;
    this.side = side;
    this.values = values;
  }

  public int channels() {
    return channels;
  }

  public int side() {
    return side;
  }

  /** The live values. */
  public float[] values() {
    return values;
  }
}
