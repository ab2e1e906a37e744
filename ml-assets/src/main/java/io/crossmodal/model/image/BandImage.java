/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Arrays;
import java.util.Locale;

/** A picture of any number of bands, values as the file has them; NaN where there is none. */
public final class BandImage {
  private final int bands;
  private final int width;
  private final int height;
  private final float[] values;

  /**
   * A picture of the given extents.
   *
   * @param values bands x height x width, band by band and row by row; kept, not copied
   */
  public BandImage(int bands, int width, int height, float[] values) {
    if (bands < 1 || width < 1 || height < 1 || values.length != (long) bands * width * height) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%d bands of %d x %d pixels cannot have %d values",
              bands,
              width,
              height,
              values.length));
    }
    this.bands = bands;
    this.width = width;
    this.height = height;
    this.values = values;
  }

  public int bands() {
    return bands;
  }

  public int width() {
    return width;
  }

  public int height() {
    return height;
  }

  /** The live values. */
  public float[] values() {
    return values;
  }

  /** The value of a band at a pixel. */
  public float value(int band, int x, int y) {
    return values[(band * height + y) * width + x];
  }

  /** Returns how much of the picture is undefined, in [0, 1]. */
  public double undefined() {
    int undefined = 0;
    for (float value : values) {
      if (!Float.isFinite(value)) {
        undefined++;
      }
    }
    return (double) undefined / values.length;
  }

  /**
   * The bands of that order, out of this picture's.
   *
   * @param chosen indices from 0
   */
  public BandImage select(int... chosen) {
    int area = width * height;
    float[] out = new float[chosen.length * area];
    for (int i = 0; i < chosen.length; i++) {
      System.arraycopy(values, chosen[i] * area, out, i * area, area);
    }
    return new BandImage(chosen.length, width, height, out);
  }

  /** The square of that side whose upper left pixel is (x, y). */
  public BandImage crop(int x, int y, int side) {
    float[] out = new float[bands * side * side];
    for (int b = 0; b < bands; b++) {
      for (int row = 0; row < side; row++) {
        int from = (b * height + y + row) * width + x;
        System.arraycopy(values, from, out, (b * side + row) * side, side);
      }
    }
    return new BandImage(bands, side, side, out);
  }

  /**
   * Resized to a square with the filter of {@link RgbImage#resize}. Undefined pixels take no part;
   * where nothing else lies under the filter the result is undefined.
   */
  public BandImage resize(int side) {
    if (width == side && height == side) {
      return this;
    }
    float[][] horizontal = TriangleFilter.weights(width, side);
    float[][] vertical = TriangleFilter.weights(height, side);
    float[] out = new float[bands * side * side];
    // Along a row first: sums of weight x value and of the weights that found a value.
    float[] sums = new float[height * side];
    float[] found = new float[height * side];
    for (int b = 0; b < bands; b++) {
      Arrays.fill(sums, 0);
      Arrays.fill(found, 0);
      for (int y = 0; y < height; y++) {
        for (int x = 0; x < side; x++) {
          int from = (b * height + y) * width + TriangleFilter.first(width, side, x);
          for (int k = 0; k < horizontal[x].length; k++) {
            float value = values[from + k];
            if (Float.isFinite(value)) {
              sums[y * side + x] += horizontal[x][k] * value;
              found[y * side + x] += horizontal[x][k];
            }
          }
        }
      }
      for (int y = 0; y < side; y++) {
        int from = TriangleFilter.first(height, side, y);
        for (int x = 0; x < side; x++) {
          float sum = 0;
          float weight = 0;
          for (int k = 0; k < vertical[y].length; k++) {
            sum += vertical[y][k] * sums[(from + k) * side + x];
            weight += vertical[y][k] * found[(from + k) * side + x];
          }
          out[(b * side + y) * side + x] = weight > 0 ? sum / weight : Float.NaN;
        }
      }
    }
    return new BandImage(bands, side, side, out);
  }
}
