/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

/**
 * Samples of 8 bits, pixel by pixel, before it is said what colours they are.
 *
 * @param channels of a pixel
 * @param values height x width x channels
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Samples(int width, int height, int channels, byte[] values) {
  /** Of reflectances, up to 10,000 or so, not one in a hundred comes near. */
  private static final int HALF = 128;

  /** Meaning of the channels; one more after them is opacity. */
  enum Meaning {
    GREY(1),
    RGB(3),
    /** Zero is no ink. */
    CMYK(4),
    /** 255 is no ink. */
    INVERTED_CMYK(4);

    private final int channels;

    Meaning(int channels) {
      this.channels = channels;
    }

    int channels() {
      return channels;
    }
  }

  /**
   * From samples of up to 16 bits, each scaled to 255.
   *
   * @param values as the file has them, highest 2^bits - 1
   * @param colours how many of the channels are colours
   * @param stretch which of 16 bits are black and white; null: they are a picture's
   * @throws ImageFormatException as {@link #of16Bits}
   */
  static Samples of(
      int width,
      int height,
      int channels,
      char[] values,
      int bits,
      int colours,
      FileKind kind,
      Stretch stretch) {
    if (bits == Short.SIZE && stretch != null) {
      byte[] narrow = new byte[values.length];
      for (int i = 0; i < narrow.length; i++) {
        boolean colour = i % channels < colours;
        narrow[i] = colour ? stretch.apply(values[i]) : (byte) (values[i] >> Byte.SIZE);
      }
      return new Samples(width, height, channels, narrow);
    }
    if (bits == Short.SIZE) {
      return of16Bits(width, height, channels, values, colours, kind);
    }
    int most = (1 << bits) - 1;
    byte[] narrow = new byte[values.length];
    for (int i = 0; i < narrow.length; i++) {
      // A division a sample is a tenth of what decoding takes; most pictures need none.
      narrow[i] = (byte) (bits == Byte.SIZE ? values[i] : values[i] * 255 / most);
    }
    return new Samples(width, height, channels, narrow);
  }

  /**
   * From samples of 16 bits. Those of a picture reach from black, 0, to white, 65,535. What a
   * sensor measured, reflectances of 0 to 10,000 say, has the same form and would become a black
   * picture; it is known by its brightest pixels, which stay far below white.
   *
   * @throws ImageFormatException when fewer than one pixel in a hundred comes to half of white
   */
  private static Samples of16Bits(
      int width, int height, int channels, char[] values, int colours, FileKind kind) {
    byte[] narrow = new byte[values.length];
    int[] pixels = new int[256];
    for (int i = 0; i < values.length; i += channels) {
      int brightest = 0;
      for (int c = 0; c < channels; c++) {
        // As 255 / 65535 of it, rounded.
        int value = (values[i + c] * 255 + 32_895) >>> 16;
        narrow[i + c] = (byte) value;
        brightest = Math.max(brightest, c < colours ? value : 0);
      }
      pixels[brightest]++;
    }
    int bright = 0;
    for (int value = HALF; value < pixels.length; value++) {
      bright += pixels[value];
    }
    if (100L * bright < (long) width * height) {
      int highest = 255;
      while (highest > 0 && pixels[highest] == 0) {
        highest--;
      }
      throw kind.refused(
          "samples of 16 bits, whose white is 65535, and of its pixels %.1f %% come"
              + " to half of that, the highest to about %d: these are measured values, or a"
              + " picture that is nearly black; gdal_translate -ot Byte -scale LOW HIGH makes a"
              + " picture of 8 bits, where LOW is to be black and HIGH white",
          100.0 * bright / ((long) width * height), 257 * highest);
    }
    return new Samples(width, height, channels, narrow);
  }
}
