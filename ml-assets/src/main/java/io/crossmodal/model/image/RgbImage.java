/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

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
        int from = TriangleFilter.first(width, side, x);
        for (int c = 0; c < 3; c++) {
          float sum = 0;
          for (int k = 0; k < w.length; k++) {
            sum += w[k] * (rgb[3 * (y * width + from + k) + c] & 0xff);
          }
          columns[3 * (y * side + x) + c] = sum;
        }
      }
    }
    byte[] out = new byte[3 * side * side];
    for (int y = 0; y < side; y++) {
      float[] w = vertical[y];
      int from = TriangleFilter.first(height, side, y);
      for (int i = 0; i < 3 * side; i++) {
        float sum = 0;
        for (int k = 0; k < w.length; k++) {
          sum += w[k] * columns[3 * side * (from + k) + i];
        }
        out[3 * side * y + i] = (byte) Math.min(255, Math.max(0, Math.round(sum)));
      }
    }
    return new RgbImage(side, side, out);
  }
}
