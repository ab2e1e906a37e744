/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.BiFunction;

/**
 * Decodes JPEG, PNG and TIFF to 8-bit sRGB, upright. Stateless.
 *
 * <p>The size is read from the header and checked before a pixel is decoded, and a picture much
 * larger than needed is subsampled while it is read: a small file must not cost a large heap.
 */
final class ImageDecoder {
  static final int MIN_SIDE = 16;
  static final int MAX_SIDE = 10_000;
  private static final int MAX_SAMPLES = 16;

  /**
   * Of a pixel: up to 5 samples of 16 bits as the reader has them, as characters and as bytes, and
   * red, green and blue thrice: as they are, by a profile, and upright.
   */
  private static final int PIXEL_BYTES = 5 * (2 + 2 + 1) + 3 * 3;

  private static final int SUBFILE = 254;
  private static final int COLOUR_MAP = 320;
  private static final int INK_SET = 332;
  private static final int EXTRA_SAMPLES = 338;
  private static final int CHROMA_SUBSAMPLING = 530;
  private static final int ICC_PROFILE = 34675;
  private static final int DNG_VERSION = 50706;

  static final String ACCEPTED =
      "accepted are JPEG, PNG and TIFF with sides of " + MIN_SIDE + " to " + MAX_SIDE + " pixels";

  private ImageDecoder() {}

  /**
   * A file whose header was read.
   *
   * @param bytes that its reader takes beside the picture that it makes
   * @param reader from every how many columns and rows are read
   */
  private record Picture(
      int width,
      int height,
      long bytes,
      Orientation orientation,
      BiFunction<Integer, Integer, RgbImage> reader) {}

  /**
   * Decodes a picture file.
   *
   * @param side the side that the caller will resize to; decoding stops at no less than four times
   *     that, so that the resize still averages over enough pixels
   * @throws ImageFormatException saying what the bytes are and what is accepted
   */
  static RgbImage decode(byte[] bytes, int side) {
    try {
      Picture picture = open(bytes);
      RgbImage stored =
          picture.reader.apply(subsampling(picture.width, side), subsampling(picture.height, side));
      return picture.orientation.upright(stored);
    } catch (ImageFormatException e) {
      throw accepted(e);
    }
  }

  /**
   * Memory that decoding takes at most: heap, and what a progressive JPEG takes beside it.
   *
   * @param more bytes a pixel that the caller makes of the picture before he resizes it
   * @throws ImageFormatException as {@link #decode}, as far as the header shows it
   */
  static long bytes(byte[] bytes, int side, int more) {
    try {
      Picture picture = open(bytes);
      long width = Math.ceilDiv(picture.width, subsampling(picture.width, side));
      long height = Math.ceilDiv(picture.height, subsampling(picture.height, side));
      return picture.bytes + width * height * (PIXEL_BYTES + more);
    } catch (ImageFormatException e) {
      throw accepted(e);
    }
  }

  private static ImageFormatException accepted(ImageFormatException e) {
    return new ImageFormatException(e.getMessage() + "; " + ACCEPTED, e);
  }

  /** Every so many columns, or rows, are read: the picture will be a square, whatever it is now. */
  private static int subsampling(int length, int side) {
    return Math.max(1, length / (4 * side));
  }

  private static Picture open(byte[] bytes) {
    FileKind kind =
        FileKind.of(bytes)
            .orElseThrow(() -> new ImageFormatException(bytes.length + " bytes that are no image"));
    Picture picture =
        switch (kind) {
          case JPEG -> {
            JpegFile jpeg = new JpegFile(bytes);
            yield new Picture(
                jpeg.width(), jpeg.height(), jpeg.bytes(), jpeg.orientation(), jpeg::read);
          }
          case PNG -> {
            PngFile png = new PngFile(bytes);
            yield new Picture(png.width(), png.height(), png.bytes(), png.orientation(), png::read);
          }
          case TIFF -> {
            TiffRaster tiff = new TiffRaster(bytes);
            check(tiff);
            yield new Picture(
                tiff.width(),
                tiff.height(),
                tiff.readingBytes(),
                Orientation.of(tiff.directory()),
                (stepX, stepY) -> read(tiff, stepX, stepY));
          }
          default ->
              throw new ImageFormatException(
                  "the file is "
                      + kind.title()
                      + ", which is not read: convert it, as by "
                      + kind.conversion());
        };
    if (Math.min(picture.width, picture.height) < MIN_SIDE
        || Math.max(picture.width, picture.height) > MAX_SIDE) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT, "the image has %d x %d pixels", picture.width, picture.height));
    }
    return picture;
  }

  private static void check(TiffRaster tiff) {
    int bits = tiff.bits();
    if (!tiff.isUnsigned() || !(bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16)) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has %s samples of %d bits, those of a picture are unsigned and have 1, 2,"
                  + " 4, 8 or 16: gdal_translate -ot Byte -scale LOW HIGH makes one, where LOW is"
                  + " to be black and HIGH white",
              tiff.isUnsigned() ? "unsigned" : "signed or floating-point",
              bits));
    }
    if (tiff.samples() > MAX_SAMPLES) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has %d samples a pixel, a picture at most %d: gdal_translate -b 1 -b 2 -b"
                  + " 3 takes three",
              tiff.samples(),
              MAX_SAMPLES));
    }
    if (tiff.directory().has(DNG_VERSION) || (tiff.directory().number(SUBFILE, 0) & 1) == 1) {
      throw new ImageFormatException(
          "the TIFF's first image is a preview, as of raw files of cameras (DNG, NEF): develop it"
              + " to JPEG, or make a TIFF of the image itself");
    }
    if (tiff.missing() > 0) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF is sparse: %d of its %d strips or tiles are missing; gdal_translate -co"
                  + " SPARSE_OK=FALSE makes one that has them, as black",
              tiff.missing(),
              tiff.pieces()));
    }
    int[] subsampling =
        Arrays.stream(tiff.directory().numbers(CHROMA_SUBSAMPLING))
            .mapToInt(i -> (int) i)
            .toArray();
    if (tiff.photometric() == TiffRaster.YCC && !Arrays.equals(subsampling, new int[] {1, 1})) {
      throw new ImageFormatException(
          "the TIFF has luma and subsampled chroma (YCbCr) that is not packed as JPEG:"
              + " gdal_translate -co PHOTOMETRIC=RGB makes one with colours");
    }
    if (tiff.photometric() == TiffRaster.CMYK
        && (tiff.directory().number(INK_SET, 1) != 1 || bits != Byte.SIZE)) {
      throw new ImageFormatException(
          "the TIFF has inks other than CMYK with 8 bits: convert it to RGB");
    }
  }

  private static Samples.Meaning meaning(TiffRaster tiff) {
    return switch (tiff.photometric()) {
      case TiffRaster.WHITE_IS_ZERO, TiffRaster.BLACK_IS_ZERO -> Samples.Meaning.GREY;
      case TiffRaster.RGB, TiffRaster.PALETTE, TiffRaster.YCC -> Samples.Meaning.RGB;
      case TiffRaster.CMYK -> Samples.Meaning.CMYK;
      default ->
          throw new ImageFormatException(
              "the TIFF has colours of kind "
                  + tiff.photometric()
                  + ", CIELAB or another; read are grey, RGB, palette, CMYK and YCbCr: convert it"
                  + " to RGB");
    };
  }

  private static RgbImage read(TiffRaster tiff, int stepX, int stepY) {
    Samples.Meaning meaning = meaning(tiff);
    boolean palette = tiff.photometric() == TiffRaster.PALETTE;
    int colours = palette ? 1 : meaning.channels();
    if (tiff.samples() < colours) {
      throw new ImageFormatException(
          "damaged TIFF: " + tiff.samples() + " samples a pixel where its colours need " + colours);
    }
    // 1: the colours were multiplied by it; 2: they were not; else no opacity, but a fourth band.
    long[] extra = tiff.directory().numbers(EXTRA_SAMPLES);
    boolean opacity =
        tiff.samples() > colours && extra.length > 0 && (extra[0] == 1 || extra[0] == 2);
    int channels = colours + (opacity ? 1 : 0);
    if (colours == 1 && tiff.samples() > channels) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has %d bands and says of none that it is red, green or blue:"
                  + " gdal_translate -b RED -b GREEN -b BLUE -co PHOTOMETRIC=RGB makes a picture",
              tiff.samples()));
    }
    int width = Math.ceilDiv(tiff.width(), stepX);
    int height = Math.ceilDiv(tiff.height(), stepY);
    char[] values = new char[channels * width * height];
    tiff.read(
        stepX,
        stepY,
        (x, y, band, row, pixels) -> {
          int bands = tiff.samplesOfPiece();
          for (int i = 0; i < pixels; i++) {
            for (int b = band; b < Math.min(channels, band + bands); b++) {
              values[(y * width + x + i) * channels + b] = (char) row[i * bands + b - band];
            }
          }
        });
    int most = (1 << tiff.bits()) - 1;
    if (tiff.photometric() == TiffRaster.WHITE_IS_ZERO) {
      for (int i = 0; i < values.length; i += channels) {
        values[i] = (char) (most - values[i]);
      }
    }
    Samples samples;
    if (palette) {
      samples = looked(tiff, width, height, channels, values);
    } else if (tiff.bits() == Short.SIZE) {
      samples = Samples.of16Bits(width, height, channels, values, colours, "TIFF");
    } else {
      byte[] narrow = new byte[values.length];
      for (int i = 0; i < narrow.length; i++) {
        narrow[i] = (byte) (values[i] * 255 / most);
      }
      samples = new Samples(width, height, channels, narrow);
    }
    if (tiff.photometric() == TiffRaster.YCC) {
      Colours.fromYcc(samples.values(), channels);
    }
    if (opacity && extra[0] == 1) {
      divide(samples.values(), channels);
    }
    return Colours.rgb(samples, meaning, tiff.directory().bytes(ICC_PROFILE));
  }

  /** The colours of a palette: all reds, all greens, all blues, of 16 bits. */
  private static Samples looked(
      TiffRaster tiff, int width, int height, int channels, char[] values) {
    long[] map = tiff.directory().numbers(COLOUR_MAP);
    int colours = map.length / 3;
    // Some programs write colours of 8 bits; libtiff knows them by that none is higher.
    int shift = Arrays.stream(map).allMatch(value -> value < 256) ? 0 : Byte.SIZE;
    int made = channels + 2;
    byte[] rgb = new byte[made * width * height];
    for (int i = 0; i < width * height; i++) {
      int index = values[i * channels];
      if (index >= colours) {
        throw new ImageFormatException(
            "damaged TIFF: a pixel has colour " + index + " of a palette of " + colours);
      }
      for (int c = 0; c < 3; c++) {
        rgb[i * made + c] = (byte) (map[c * colours + index] >> shift);
      }
      if (channels == 2) {
        rgb[i * made + 3] = (byte) (values[i * channels + 1] * 255 / ((1 << tiff.bits()) - 1));
      }
    }
    return new Samples(width, height, made, rgb);
  }

  /** Colours that were multiplied by their opacity, as they were before. */
  private static void divide(byte[] values, int channels) {
    for (int i = 0; i < values.length; i += channels) {
      int opaque = values[i + channels - 1] & 0xff;
      for (int c = 0; opaque > 0 && c < channels - 1; c++) {
        values[i + c] = (byte) Math.min(255, ((values[i + c] & 0xff) * 255 + opaque / 2) / opaque);
      }
    }
  }
}
