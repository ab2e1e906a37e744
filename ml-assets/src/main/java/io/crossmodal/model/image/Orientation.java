/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

/**
 * Orientation in which a picture was stored: EXIF's and TIFF's tag 274. Cameras store rows as the
 * sensor lies and say how it was held.
 *
 * @see <a href="https://www.cipa.jp/std/documents/e/DC-X008-Translation-2019-E.pdf">EXIF 2.32,
 *     section 4.6.4</a>
 */
enum Orientation {
  UPRIGHT(false, false, false),
  MIRRORED(false, true, false),
  UPSIDE_DOWN(false, true, true),
  FLIPPED(false, false, true),
  TRANSPOSED(true, false, false),
  ON_ITS_LEFT(true, false, true),
  TRANSVERSE(true, true, true),
  ON_ITS_RIGHT(true, true, false);

  private static final int TAG = 274;

  private final boolean swapped;
  private final boolean fromRight;
  private final boolean fromBottom;

  /**
   * Maps an upright pixel (x, y) to its place in the stored picture.
   *
   * @param swapped stored at column y and row x
   * @param fromRight and the column counted from the right
   * @param fromBottom and the row counted from the bottom
   */
  Orientation(boolean swapped, boolean fromRight, boolean fromBottom) {
    this.swapped = swapped;
    this.fromRight = fromRight;
    this.fromBottom = fromBottom;
  }

  /** By a directory's tag; upright where it is missing or none of the eight. */
  static Orientation of(TiffDirectory directory) {
    long number = directory.number(TAG, 1);
    return number >= 1 && number <= values().length ? values()[(int) number - 1] : UPRIGHT;
  }

  /** By the TIFF inside an EXIF block; upright where that is damaged, as browsers take it. */
  static Orientation ofExif(byte[] tiff) {
    try {
      return of(new TiffDirectory(tiff));
    } catch (ImageFormatException e) {
      return UPRIGHT;
    }
  }

  /** Returns whether width and height change places. */
  boolean isSwapped() {
    return swapped;
  }

  /** The picture, upright. */
  RgbImage upright(RgbImage stored) {
    if (this == UPRIGHT) {
      return stored;
    }
    int width = swapped ? stored.height() : stored.width();
    int height = swapped ? stored.width() : stored.height();
    byte[] rgb = new byte[stored.rgb().length];
    for (int y = 0, to = 0; y < height; y++) {
      for (int x = 0; x < width; x++, to += 3) {
        System.arraycopy(
            stored.rgb(), 3 * place(x, y, stored.width(), stored.height()), rgb, to, 3);
      }
    }
    return new RgbImage(width, height, rgb);
  }

  /** The bands, upright. */
  BandImage upright(BandImage stored) {
    if (this == UPRIGHT) {
      return stored;
    }
    int width = swapped ? stored.height() : stored.width();
    int height = swapped ? stored.width() : stored.height();
    float[] values = new float[stored.values().length];
    for (int i = 0; i < values.length; i++) {
      int pixel = i % (width * height);
      values[i] =
          stored
              .values()[
              i - pixel + place(pixel % width, pixel / width, stored.width(), stored.height())];
    }
    return new BandImage(stored.bands(), width, height, values);
  }

  private int place(int x, int y, int storedWidth, int storedHeight) {
    int column = swapped ? y : x;
    int row = swapped ? x : y;
    return (fromBottom ? storedHeight - 1 - row : row) * storedWidth
        + (fromRight ? storedWidth - 1 - column : column);
  }
}
