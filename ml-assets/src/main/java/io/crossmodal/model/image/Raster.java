/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.Closeable;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.IntPredicate;

/**
 * A raster of any size, of which windows are read: a file with its overviews, its mask and what it
 * says of its samples, whoever reads it. Implementations are thread-safe.
 */
public interface Raster extends Closeable {
  /** Returns how many columns it has. */
  int width();

  /** Returns how many rows it has. */
  int height();

  /** Returns how many bands it has, opacity not among them. */
  int bands();

  /**
   * Returns the bands that it says are red, green and blue, counted from 0; none if it does not.
   */
  List<Integer> rgb();

  /** Returns what its samples are, such as "3 bands of unsigned numbers of 16 bits". */
  String samples();

  /** Returns whether samples are colours or indices of them, with up to 8 bits. */
  boolean hasColours();

  /**
   * Checks that {@link #colours} can be made of it.
   *
   * @throws ImageFormatException when its samples are colours of a kind that is not read
   */
  void checkColours();

  /** Returns how many sizes it has, overviews and itself. */
  int levels();

  /** Returns how many columns an overview has, or for 0 the image itself. */
  int width(int level);

  /**
   * Returns the smallest overview whose pixels are not larger than that; 0 for the image itself.
   *
   * @param scale extent of a pixel, 1 for the image's own
   */
  default int level(double scale) {
    int level = 0;
    for (int i = 1; i < levels(); i++) {
      // Sides are rounded: 10,981 pixels have an overview of 5,491.
      if ((double) width() / width(i) <= scale * 1.01) {
        level = i;
      }
    }
    return level;
  }

  /**
   * Returns whether each pixel of a window has data, since the raster has neither opacity nor a
   * mask nor a value for none, and its numbers are whole ones.
   *
   * @param level as for {@link #colours}, with window
   */
  boolean hasAllData(int level, Window window);

  /**
   * Returns what a window shows, as colours.
   *
   * @param level that is read, 0 for the image itself
   * @param window in pixels of the image itself
   * @param most columns and rows of what is returned; of a window that has more, some are left out
   * @throws ImageFormatException when the samples are no colours, or the file is damaged
   * @throws UncheckedIOException when it cannot be read
   */
  RgbImage colours(int level, Window window, int most);

  /**
   * Returns the values of a window.
   *
   * @param level as for {@link #colours}, with window and most
   * @throws ImageFormatException when the file is damaged
   * @throws UncheckedIOException when it cannot be read
   */
  Values values(int level, Window window, int most);

  /**
   * The values of a window.
   *
   * @param bands without opacity; NaN where there is no data
   * @param noData share of the pixels that no band has data of, or that mask or opacity hide
   */
  record Values(BandImage bands, double noData) {
    /**
     * Returns bands of an image.
     *
     * @param kept their numbers
     * @param shown of a pixel, counted row by row: whether it is seen; what a mask leaves out has
     *     no data, as GDAL has it
     */
    public static Values of(BandImage all, int[] kept, IntPredicate shown) {
      int area = all.width() * all.height();
      float[] values = new float[kept.length * area];
      int missing = 0;
      for (int i = 0; i < area; i++) {
        boolean seen = shown.test(i);
        boolean any = false;
        for (int band = 0; band < kept.length; band++) {
          float value = seen ? all.values()[kept[band] * area + i] : Float.NaN;
          values[band * area + i] = value;
          any |= Float.isFinite(value);
        }
        missing += any ? 0 : 1;
      }
      return new Values(
          new BandImage(kept.length, all.width(), all.height(), values), (double) missing / area);
    }
  }
}
