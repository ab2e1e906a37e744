/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

/** What the header of a TIFF says that is no sample: how large it is, and where it lies perhaps. */
public interface TiffHeader {
  /** Returns how many columns it has, upright. */
  int width();

  /** Returns how many rows it has, upright. */
  int height();

  /** Returns whether the file's rows and columns are the picture's: no orientation turns it. */
  boolean isUpright();

  /**
   * Returns the numbers of one of the file's fields, such as those that say where it lies.
   *
   * @param tag of the field
   * @return none where the file has no such field
   * @throws ImageFormatException when the field holds no numbers
   */
  double[] numbers(int tag);
}
