/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Arrays;

/** A TIFF file as a picture: what its samples are as colours. */
final class TiffPicture implements ImageDecoder.Picture {
  private static final int MAX_SAMPLES = 16;

  private static final int COLOUR_MAP = 320;
  private static final int INK_SET = 332;
  private static final int CHROMA_SUBSAMPLING = 530;
  private static final int ICC_PROFILE = 34675;
  private static final int DNG_VERSION = 50706;

  private final TiffLayout tiff;
  private final Orientation orientation;

  /**
   * Reads the header.
   *
   * @throws ImageFormatException when it is damaged, or says that the file is no picture
   */
  TiffPicture(byte[] file) {
    this(noPreview(new TiffLayout(file)));
    if (tiff.missing() > 0) {
      throw ImageFormatException.of(
          "the TIFF is sparse: %d of its %d strips or tiles are missing; gdal_translate -co"
              + " SPARSE_OK=FALSE makes one that has them, as black",
          tiff.missing(), tiff.pieces());
    }
  }

  /**
   * Takes an image whose header was read; what it leaves out is black.
   *
   * @throws ImageFormatException when it is no picture
   */
  TiffPicture(TiffLayout tiff) {
    this.tiff = tiff;
    check();
    orientation = Orientation.of(tiff.directory);
  }

  /** Refuses a file whose first image is a small one of what it holds. */
  static TiffLayout noPreview(TiffLayout first) {
    if (first.directory.has(DNG_VERSION)
        || (first.directory.number(TiffLayout.SUBFILE, 0) & 1) == 1) {
      throw new ImageFormatException(
          "the TIFF's first image is a preview, as of raw files of cameras (DNG, NEF): develop it"
              + " to JPEG, or make a TIFF of the image itself");
    }
    return first;
  }

  private void check() {
    int bits = tiff.bits;
    if (!tiff.isUnsigned() || !(bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16)) {
      throw FileKind.TIFF.refused(
          "%s samples of %d bits, those of a picture are unsigned and have 1, 2,"
              + " 4, 8 or 16: gdal_translate -ot Byte -scale LOW HIGH makes one, where LOW is"
              + " to be black and HIGH white",
          tiff.isUnsigned() ? "unsigned" : "signed or floating-point", bits);
    }
    if (tiff.samples > MAX_SAMPLES) {
      throw FileKind.TIFF.refused(
          "%d samples a pixel, a picture at most %d: gdal_translate -b 1 -b 2 -b"
              + " 3 takes three",
          tiff.samples, MAX_SAMPLES);
    }
    int[] subsampling =
        Arrays.stream(tiff.directory.numbers(CHROMA_SUBSAMPLING)).mapToInt(i -> (int) i).toArray();
    if (tiff.photometric() == TiffLayout.YCC && !Arrays.equals(subsampling, new int[] {1, 1})) {
      throw FileKind.TIFF.refused(
          "luma and subsampled chroma (YCbCr) that is not packed as JPEG:"
              + " gdal_translate -co PHOTOMETRIC=RGB makes one with colours");
    }
    if (tiff.photometric() == TiffLayout.CMYK
        && (tiff.directory.number(INK_SET, 1) != 1 || bits != Byte.SIZE)) {
      throw FileKind.TIFF.refused("inks other than CMYK with 8 bits: convert it to RGB");
    }
  }

  @Override
  public int width() {
    return tiff.width;
  }

  @Override
  public int height() {
    return tiff.height;
  }

  @Override
  public long bytes() {
    return TiffRaster.bytes(tiff);
  }

  @Override
  public Orientation orientation() {
    return orientation;
  }

  private Samples.Meaning meaning() {
    return switch (tiff.photometric()) {
      case TiffLayout.WHITE_IS_ZERO, TiffLayout.BLACK_IS_ZERO -> Samples.Meaning.GREY;
      case TiffLayout.RGB, TiffLayout.PALETTE, TiffLayout.YCC -> Samples.Meaning.RGB;
      case TiffLayout.CMYK -> Samples.Meaning.CMYK;
      default ->
          throw FileKind.TIFF.refused(
              "colours of kind %d, CIELAB or another; read are grey, RGB, palette, CMYK and YCbCr:"
                  + " convert it to RGB",
              tiff.photometric());
    };
  }

  /**
   * What is read of a pixel.
   *
   * @param colours samples that are colours, or the index of one
   * @param all of these, and one more for opacity where there is one
   * @param multiplied whether colours were multiplied by their opacity
   */
  private record Channels(
      Samples.Meaning meaning, boolean palette, int colours, int all, boolean multiplied) {}

  /**
   * Checks that colours can be made of the samples.
   *
   * @throws ImageFormatException when they cannot
   */
  void checkChannels() {
    channels();
  }

  /** Returns which samples are colours, and whether opacity follows them. */
  private Channels channels() {
    Samples.Meaning meaning = meaning();
    boolean palette = tiff.photometric() == TiffLayout.PALETTE;
    int colours = palette ? 1 : meaning.channels();
    if (tiff.samples < colours) {
      throw FileKind.TIFF.damaged(
          "%d samples a pixel where its colours need %d", tiff.samples, colours);
    }
    boolean opacity = tiff.opacity() == colours;
    int channels = colours + (opacity ? 1 : 0);
    if (colours == 1 && tiff.samples > channels) {
      throw FileKind.TIFF.refused(
          "%d bands and says of none that it is red, green or blue:"
              + " gdal_translate -b RED -b GREEN -b BLUE -co PHOTOMETRIC=RGB makes a picture",
          tiff.samples);
    }
    return new Channels(meaning, palette, colours, channels, opacity && tiff.isMultiplied());
  }

  @Override
  public RgbImage read(int stepX, int stepY) {
    return read(new TiffRaster(tiff), tiff.whole(), stepX, stepY);
  }

  /**
   * Decodes every so many columns and rows of a window, in sRGB, as it is stored.
   *
   * @param raster of this image
   */
  RgbImage read(TiffRaster raster, Window window, int stepX, int stepY) {
    Channels read = channels();
    int colours = read.colours;
    int channels = read.all;
    int width = Math.ceilDiv(window.width(), stepX);
    int height = Math.ceilDiv(window.height(), stepY);
    char[] values = new char[channels * width * height];
    int bands = tiff.samplesOfPiece();
    raster.read(
        window,
        stepX,
        stepY,
        (x, y, band, row, pixels) -> {
          int taken = Math.min(channels - band, bands);
          int to = (y * width + x) * channels + band;
          for (int from = 0; from < pixels * bands; from += bands, to += channels) {
            for (int b = 0; b < taken; b++) {
              values[to + b] = (char) row[from + b];
            }
          }
        });
    int most = (1 << tiff.bits) - 1;
    if (tiff.photometric() == TiffLayout.WHITE_IS_ZERO) {
      for (int i = 0; i < values.length; i += channels) {
        values[i] = (char) (most - values[i]);
      }
    }
    Samples samples =
        read.palette
            ? looked(width, height, channels, values)
            : Samples.of(width, height, channels, values, tiff.bits, colours, FileKind.TIFF, null);
    if (tiff.photometric() == TiffLayout.YCC) {
      Colours.fromYcc(samples.values(), channels);
    }
    if (read.multiplied) {
      divide(samples.values(), channels);
    }
    return Colours.rgb(samples, read.meaning, tiff.directory.bytes(ICC_PROFILE));
  }

  /** The colours of a palette: all reds, all greens, all blues, of 16 bits. */
  private Samples looked(int width, int height, int channels, char[] values) {
    long[] map = tiff.directory.numbers(COLOUR_MAP);
    int colours = map.length / 3;
    // Some programs write colours of 8 bits; libtiff knows them by that none is higher.
    int shift = Arrays.stream(map).allMatch(value -> value < 256) ? 0 : Byte.SIZE;
    int made = channels + 2;
    byte[] rgb = new byte[made * width * height];
    for (int i = 0; i < width * height; i++) {
      int index = values[i * channels];
      if (index >= colours) {
        throw FileKind.TIFF.damaged("a pixel has colour %d of a palette of %d", index, colours);
      }
      for (int c = 0; c < 3; c++) {
        rgb[i * made + c] = (byte) (map[c * colours + index] >> shift);
      }
      if (channels == 2) {
        rgb[i * made + 3] = (byte) (values[i * channels + 1] * 255 / ((1 << tiff.bits) - 1));
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
