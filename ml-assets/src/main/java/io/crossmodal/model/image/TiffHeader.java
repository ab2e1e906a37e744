/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import javax.imageio.plugins.tiff.BaselineTIFFTagSet;
import javax.imageio.plugins.tiff.TIFFDirectory;
import javax.imageio.plugins.tiff.TIFFField;

/**
 * What decides about the cost of decoding a TIFF's first image: the JDK's reader allocates what
 * these fields say before it has read a pixel.
 *
 * @param samples of a pixel
 * @param bits of a sample, of the largest where they differ
 * @param pieceWidth of a strip or tile
 * @param pieceHeight of a strip or tile
 */
record TiffHeader(
    long width, long height, long samples, long bits, long pieceWidth, long pieceHeight) {
  /**
   * Compressions whose output is as long as the fields say. JPEG's is not: the JDK believes the
   * size in the frame of a JPEG inside a TIFF, whatever the TIFF says, and progressive ones cost
   * gigabytes ({@link JpegScans}).
   */
  private static final Set<Integer> COMPRESSIONS =
      Set.of(
          BaselineTIFFTagSet.COMPRESSION_NONE,
          BaselineTIFFTagSet.COMPRESSION_CCITT_RLE,
          BaselineTIFFTagSet.COMPRESSION_CCITT_T_4,
          BaselineTIFFTagSet.COMPRESSION_CCITT_T_6,
          BaselineTIFFTagSet.COMPRESSION_LZW,
          BaselineTIFFTagSet.COMPRESSION_PACKBITS,
          BaselineTIFFTagSet.COMPRESSION_ZLIB,
          BaselineTIFFTagSet.COMPRESSION_DEFLATE);

  private static final Set<Integer> JPEG =
      Set.of(BaselineTIFFTagSet.COMPRESSION_JPEG, BaselineTIFFTagSet.COMPRESSION_OLD_JPEG);

  /**
   * Reads the fields.
   *
   * @throws ImageFormatException when the image is compressed in a way that is not read
   */
  static TiffHeader of(TIFFDirectory directory) {
    TIFFField field = directory.getTIFFField(BaselineTIFFTagSet.TAG_COMPRESSION);
    int compression = field == null ? BaselineTIFFTagSet.COMPRESSION_NONE : field.getAsInt(0);
    if (!COMPRESSIONS.contains(compression)) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has compression %d%s; accepted are TIFFs without compression or with"
                  + " Deflate, LZW, PackBits or CCITT's: gdal_translate -co COMPRESS=DEFLATE makes"
                  + " one",
              compression,
              JPEG.contains(compression) ? ", a JPEG inside of a TIFF" : ""));
    }
    long width = number(directory, BaselineTIFFTagSet.TAG_IMAGE_WIDTH, 0);
    long height = number(directory, BaselineTIFFTagSet.TAG_IMAGE_LENGTH, 0);
    long rows = Math.min(height, number(directory, BaselineTIFFTagSet.TAG_ROWS_PER_STRIP, height));
    return new TiffHeader(
        width,
        height,
        number(directory, BaselineTIFFTagSet.TAG_SAMPLES_PER_PIXEL, 1),
        number(directory, BaselineTIFFTagSet.TAG_BITS_PER_SAMPLE, 1),
        number(directory, BaselineTIFFTagSet.TAG_TILE_WIDTH, width),
        number(directory, BaselineTIFFTagSet.TAG_TILE_LENGTH, rows));
  }

  /** The largest of a field's numbers. */
  private static long number(TIFFDirectory directory, int tag, long absent) {
    TIFFField field = directory.getTIFFField(tag);
    return field == null
        ? absent
        : IntStream.range(0, field.getCount()).mapToLong(field::getAsLong).max().orElse(absent);
  }

  /** The longest of the sides that are allocated. */
  long longestSide() {
    return Math.max(Math.max(width, height), Math.max(pieceWidth, pieceHeight));
  }

  /** Bytes of a pixel in a raster, whose samples are whole numbers of 1, 2, 4 or 8 bytes. */
  long pixelBytes() {
    long sample = Math.max(1, Long.highestOneBit(2 * bits - 1) / Byte.SIZE);
    return samples * sample;
  }

  /** Bytes of a strip or tile, unpacked. */
  long pieceBytes() {
    return pieceWidth * pieceHeight * pixelBytes();
  }

  /** What the reader holds beside the raster: a strip or tile as bytes, and as numbers. */
  long readingBytes() {
    return 2 * pieceBytes();
  }
}
