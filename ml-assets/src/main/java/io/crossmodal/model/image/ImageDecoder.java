/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.function.LongBinaryOperator;

/**
 * Decodes JPEG, PNG and TIFF to 8-bit sRGB, upright. Stateless.
 *
 * <p>The size is read from the header and checked before a pixel is decoded, and a picture much
 * larger than needed is subsampled while it is read: a small file must not cost a large heap.
 */
final class ImageDecoder {
  static final int MIN_SIDE = 16;
  static final int MAX_SIDE = 10_000;

  /**
   * Of a pixel: up to 5 samples of 16 bits as the reader has them, as characters and as bytes, and
   * red, green and blue thrice: as they are, by a profile, and upright.
   */
  private static final int PIXEL_BYTES = 5 * (2 + 2 + 1) + 3 * 3;

  static final String ACCEPTED =
      "accepted are JPEG, PNG and TIFF with sides of " + MIN_SIDE + " to " + MAX_SIDE + " pixels";

  private ImageDecoder() {}

  /** A file whose header was read. */
  interface Picture {
    /** In pixels, as it is stored. */
    int width();

    int height();

    /** Memory that reading takes at most beside the picture that is made, native included. */
    long bytes();

    Orientation orientation();

    /** Decodes every {@code stepX}th column and {@code stepY}th row, in sRGB, as it is stored. */
    RgbImage read(int stepX, int stepY);
  }

  /** Every {@code x}th column and {@code y}th row are read, both at least 1. */
  record Steps(int x, int y) {}

  /** How much is read of a picture of so many pixels, before it is turned upright. */
  @FunctionalInterface
  interface Reduction {
    Steps of(int width, int height);

    /**
     * For a picture that will be a square, whatever it is now.
     *
     * @param side the side that the caller will resize to; decoding stops at no less than four
     *     times that, so that the resize still averages over enough pixels
     */
    static Reduction toSquare(int side) {
      return (width, height) ->
          new Steps(Math.max(1, width / (4 * side)), Math.max(1, height / (4 * side)));
    }
  }

  /** Decodes a picture file to be {@linkplain Reduction#toSquare squashed}. */
  static RgbImage decode(byte[] bytes, int side) {
    return decode(bytes, Reduction.toSquare(side));
  }

  /**
   * Decodes a picture file.
   *
   * @throws ImageFormatException saying what the bytes are and what is accepted
   */
  static RgbImage decode(byte[] bytes, Reduction reduction) {
    return decode(bytes, reduction, null);
  }

  /**
   * Decodes a picture file.
   *
   * @param stretch which samples of 16 bits of a PNG are black and white; null: they are a
   *     picture's
   * @throws ImageFormatException saying what the bytes are and what is accepted
   */
  static RgbImage decode(byte[] bytes, Reduction reduction, Stretch stretch) {
    try {
      Picture picture = open(bytes, stretch);
      Steps steps = reduction.of(picture.width(), picture.height());
      RgbImage stored = picture.read(steps.x(), steps.y());
      return picture.orientation().upright(stored);
    } catch (ImageFormatException e) {
      throw accepted(e);
    }
  }

  /**
   * Memory that decoding takes at most: heap, and what a progressive JPEG takes beside it.
   *
   * @param more bytes that the caller makes of a picture of so many columns and rows, or of so many
   *     rows and columns
   * @throws ImageFormatException as {@link #decode}, as far as the header shows it
   */
  static long bytes(byte[] bytes, Reduction reduction, LongBinaryOperator more) {
    try {
      Picture picture = open(bytes, null);
      Steps steps = reduction.of(picture.width(), picture.height());
      long width = Math.ceilDiv(picture.width(), steps.x());
      long height = Math.ceilDiv(picture.height(), steps.y());
      return picture.bytes() + width * height * PIXEL_BYTES + more.applyAsLong(width, height);
    } catch (ImageFormatException e) {
      throw accepted(e);
    }
  }

  private static ImageFormatException accepted(ImageFormatException e) {
    return new ImageFormatException(e.getMessage() + "; " + ACCEPTED, e);
  }

  private static Picture open(byte[] bytes, Stretch stretch) {
    FileKind kind =
        FileKind.of(bytes)
            .orElseThrow(() -> new ImageFormatException(bytes.length + " bytes that are no image"));
    Picture picture =
        switch (kind) {
          case JPEG -> new JpegFile(bytes);
          case PNG -> new PngFile(bytes, stretch);
          case TIFF -> new TiffPicture(bytes);
          default ->
              throw ImageFormatException.of(
                  "the file is %s, which is not read: convert it, as by %s",
                  kind.title(), kind.conversion());
        };
    if (Math.min(picture.width(), picture.height()) < MIN_SIDE
        || Math.max(picture.width(), picture.height()) > MAX_SIDE) {
      throw ImageFormatException.of(
          "the image has %d x %d pixels", picture.width(), picture.height());
    }
    return picture;
  }
}
