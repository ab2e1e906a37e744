/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Arrays;

/** An 8-bit picture: interleaved red, green, blue, row by row. */
public final class RgbImage {
  private final int width;
  private final int height;
  private final byte[] rgb;

  /**
   * A picture of the given extents.
   *
   * @param rgb 3 x width x height values; kept, not copied
   */
  public RgbImage(int width, int height, byte[] rgb) {
    if (rgb.length != 3L * width * height) {
      throw new IllegalArgumentException(
          width
              + " x "
              + height
              + " pixels need "
              + 3L * width * height
              + " bytes, got "
              + rgb.length);
    }
    this.width = width;
    this.height = height;
    this.rgb = rgb;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /** The live bytes. */
  public byte[] rgb() {
    return rgb;
  }

  /**
   * Resized to a square as PyTorch's {@code interpolate(mode="bilinear", antialias=True)} does it:
   * a triangle filter as wide as the reduction, separable, edges renormalised. The aspect ratio is
   * given up, as in ALBEF's retrieval; a crop would lose objects at the edge.
   */
  public RgbImage resize(int side) {
    if (width == side && height == side) {
      return this;
    }
    float[][] horizontal = TriangleFilter.weights(width, side);
    float[][] vertical = TriangleFilter.weights(height, side);
    float[] columns = new float[3 * side * height];
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < side; x++) {
        float[] w = horizontal[x];
        int from = 3 * (y * width + TriangleFilter.first(width, side, x));
        float red = 0;
        float green = 0;
        float blue = 0;
        for (int k = 0; k < w.length; k++) {
          red += w[k] * (rgb[from + 3 * k] & 0xff);
          green += w[k] * (rgb[from + 3 * k + 1] & 0xff);
          blue += w[k] * (rgb[from + 3 * k + 2] & 0xff);
        }
        int to = 3 * (y * side + x);
        columns[to] = red;
        columns[to + 1] = green;
        columns[to + 2] = blue;
      }
    }
    byte[] out = new byte[3 * side * side];
    float[] row = new float[3 * side];
    for (int y = 0; y < side; y++) {
      float[] w = vertical[y];
      int from = TriangleFilter.first(height, side, y);
      // A weight at a time along the whole row, which the compiler turns into vector code.
      Arrays.fill(row, 0);
      for (int k = 0; k < w.length; k++) {
        float weight = w[k];
        int at = row.length * (from + k);
        for (int i = 0; i < row.length; i++) {
          row[i] += weight * columns[at + i];
        }
      }
      for (int i = 0; i < row.length; i++) {
        out[row.length * y + i] = (byte) Math.min(255, Math.max(0, Math.round(row[i])));
      }
    }
    return new RgbImage(side, side, out);
  }
}
