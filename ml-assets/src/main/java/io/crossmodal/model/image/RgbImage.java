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

  /** As {@link #sample(double, double, double, int)} of the whole of a square image. */
  public RgbImage sample(int side) {
    return side == width ? this : sample(0, 0, width, side);
  }

  /**
   * The colours at side x side points of a square, found between the pixels: PyTorch's {@code
   * interpolate(mode="bilinear", antialias=False)} of a crop whose corners need not lie on pixels.
   *
   * @param left edge of the square, in pixels from this image's own
   * @param top likewise
   * @param extent of the square, in pixels; what lies outside has the colour of the edge
   */
  public RgbImage sample(double left, double top, double extent, int side) {
    double step = extent / side;
    byte[] out = new byte[3 * side * side];
    for (int y = 0; y < side; y++) {
      double v = Math.min(height - 1, Math.max(0, top + (y + 0.5) * step - 0.5));
      int y0 = Math.min((int) v, Math.max(0, height - 2));
      int down = height > 1 ? 3 * width : 0;
      for (int x = 0; x < side; x++) {
        double u = Math.min(width - 1, Math.max(0, left + (x + 0.5) * step - 0.5));
        int x0 = Math.min((int) u, Math.max(0, width - 2));
        int right = width > 1 ? 3 : 0;
        int from = 3 * (y0 * width + x0);
        for (int c = 0; c < 3; c++, from++) {
          double upper = between(rgb[from], rgb[from + right], u - x0);
          double lower = between(rgb[from + down], rgb[from + down + right], u - x0);
          out[3 * (y * side + x) + c] = (byte) Math.round(upper + (lower - upper) * (v - y0));
        }
      }
    }
    return new RgbImage(side, side, out);
  }

  private static double between(byte a, byte b, double share) {
    return (a & 0xff) + ((b & 0xff) - (a & 0xff)) * share;
  }

  /**
   * Resized to a square as PyTorch's {@code interpolate(mode="bilinear", antialias=True)} does it:
   * a triangle filter as wide as the reduction, separable, edges renormalised. The aspect ratio is
   * given up, as in ALBEF's retrieval; a crop would lose objects at the edge.
   */
  public RgbImage resize(int side) {
    return resize(side, side);
  }

  /**
   * Resized with its aspect ratio kept; one that is no larger is returned as it is.
   *
   * @param longest side of what is returned, in pixels, at least 1
   */
  public RgbImage fit(int longest) {
    int longer = Math.max(width, height);
    return longer <= longest
        ? this
        : resize(
            Math.max(1, Math.round((float) width * longest / longer)),
            Math.max(1, Math.round((float) height * longest / longer)));
  }

  private RgbImage resize(int wide, int high) {
    if (width == wide && height == high) {
      return this;
    }
    float[][] horizontal = TriangleFilter.weights(width, wide);
    float[][] vertical = TriangleFilter.weights(height, high);
    float[] columns = new float[3 * wide * height];
    int[] firsts = new int[wide];
    Arrays.setAll(firsts, x -> TriangleFilter.first(width, wide, x));
    float[] stored = new float[3 * width];
    for (int y = 0; y < height; y++) {
      for (int i = 0; i < stored.length; i++) {
        stored[i] = rgb[3 * y * width + i] & 0xff;
      }
      for (int x = 0; x < wide; x++) {
        float[] w = horizontal[x];
        int from = 3 * firsts[x];
        float red = 0;
        float green = 0;
        float blue = 0;
        for (float weight : w) {
          red += weight * stored[from];
          green += weight * stored[from + 1];
          blue += weight * stored[from + 2];
          from += 3;
        }
        int to = 3 * (y * wide + x);
        columns[to] = red;
        columns[to + 1] = green;
        columns[to + 2] = blue;
      }
    }
    byte[] out = new byte[3 * wide * high];
    float[] row = new float[3 * wide];
    for (int y = 0; y < high; y++) {
      float[] w = vertical[y];
      int from = TriangleFilter.first(height, high, y);
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
    return new RgbImage(wide, high, out);
  }
}
