/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.Closeable;
import java.io.UncheckedIOException;
import java.util.List;

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

  /**
   * Returns the smallest overview whose pixels are not larger than that; 0 for the image itself.
   *
   * @param scale extent of a pixel, 1 for the image's own
   */
  int level(double scale);

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
  record Values(BandImage bands, double noData) {}
}
