/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A TIFF file of bands of numbers, a GeoTIFF perhaps; see {@link TiffLayout} for the files that are
 * read. Only the first image of a file is read: overviews and masks follow it.
 *
 * @see <a href="https://docs.ogc.org/is/19-008r4/19-008r4.html">OGC GeoTIFF 1.1</a>
 */
public final class GeoTiff implements TiffHeader {
  private static final int MAX_SIDE = 20_000;
  private static final int MAX_BANDS = 256;

  /** Of the floats made of the raster. */
  private static final long MAX_BYTES = 256L << 20;

  private static final int GDAL_NO_DATA = 42113;

  private final TiffLayout tiff;
  private final Orientation orientation;

  private GeoTiff(byte[] file) {
    tiff = new TiffLayout(file);
    orientation = Orientation.of(tiff.directory);
    long bytes = floatBytes();
    if (Math.max(tiff.width, tiff.height) > MAX_SIDE
        || tiff.samples > MAX_BANDS
        || bytes > MAX_BYTES) {
      throw FileKind.TIFF.refused(
          "%d bands of %d x %d pixels with %d bits; read are up to %d bands, sides"
              + " up to %d pixels and %d bytes decoded; cut it into tiles",
          tiff.samples, tiff.width, tiff.height, tiff.bits, MAX_BANDS, MAX_SIDE, MAX_BYTES);
    }
  }

  /** Returns whether these bytes begin as a TIFF does, a BigTIFF included. */
  public static boolean isTiff(byte[] file) {
    return TiffDirectory.isTiff(file);
  }

  /**
   * Reads the header; values are read by {@link #read}.
   *
   * @param bytes a whole file; kept, not copied
   * @throws ImageFormatException when the bytes are no TIFF, or one that is not read
   */
  public static GeoTiff open(byte[] bytes) {
    if (!isTiff(bytes)) {
      throw new ImageFormatException(bytes.length + " bytes that are no TIFF");
    }
    return new GeoTiff(bytes);
  }

  private long floatBytes() {
    return (long) Float.BYTES * tiff.samples * tiff.width * tiff.height;
  }

  /** Heap that {@link #open} and {@link #read} take at most, the file itself not counted. */
  long bytes() {
    return floatBytes() * (isUpright() ? 1 : 2) + TiffRaster.bytes(tiff);
  }

  public int bands() {
    return tiff.samples;
  }

  /** Returns whether its samples are colours, with up to 8 bits. */
  boolean hasColours() {
    return tiff.isUnsigned() && tiff.bits <= Byte.SIZE;
  }

  /** Returns the bands that are red, green and blue, or grey, by what the file says; else none. */
  List<Integer> shown() {
    int bands = tiff.samples - (tiff.opacity() < 0 ? 0 : 1);
    return bands == 1 ? List.of(0) : tiff.rgb();
  }

  @Override
  public int width() {
    return orientation.isSwapped() ? tiff.height : tiff.width;
  }

  @Override
  public int height() {
    return orientation.isSwapped() ? tiff.width : tiff.height;
  }

  /**
   * The value that stands for no data, in GDAL's tag; NaN always does.
   *
   * @throws ImageFormatException when the tag holds no number
   */
  public Optional<Double> noData() {
    return noData(tiff.directory);
  }

  static Optional<Double> noData(TiffDirectory directory) {
    String text = directory.text(GDAL_NO_DATA);
    // As C libraries print them: -nan, -1.#IND, inf, 1.#INF.
    String lower = text.toLowerCase(Locale.ROOT);
    if (text.isEmpty() || lower.contains("nan") || lower.contains("#ind")) {
      return Optional.empty();
    }
    if (lower.contains("inf")) {
      return Optional.of(
          text.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY);
    }
    try {
      return Optional.of(Double.valueOf(text));
    } catch (NumberFormatException e) {
      throw FileKind.TIFF.damaged(e, "no-data value [%.100s]", text);
    }
  }

  @Override
  public double[] numbers(int tag) {
    return numbers(tiff.directory, tag);
  }

  static double[] numbers(TiffDirectory directory, int tag) {
    try {
      return directory.decimals(tag);
    } catch (RuntimeException e) {
      throw FileKind.TIFF.damaged(e, "field %d: %s", tag, e.getMessage());
    }
  }

  @Override
  public boolean isUpright() {
    return orientation == Orientation.UPRIGHT;
  }

  /**
   * All values, as floats; NaN where the file says that there is no data, or leaves a strip or tile
   * out.
   *
   * @throws ImageFormatException when the file is damaged
   */
  public BandImage read() {
    BandImage stored = read(tiff, new TiffRaster(tiff), noData(), tiff.whole(), 1, 1);
    return orientation.upright(stored);
  }

  /**
   * Values of every so many columns and rows of a window, as they are stored.
   *
   * @param raster of the image
   * @param noData becomes NaN
   */
  static BandImage read(
      TiffLayout tiff,
      TiffRaster raster,
      Optional<Double> noData,
      Window window,
      int stepX,
      int stepY) {
    float missing = noData.map(Double::floatValue).orElse(Float.NaN);
    int width = Math.ceilDiv(window.width(), stepX);
    int height = Math.ceilDiv(window.height(), stepY);
    float[] values = new float[tiff.samples * height * width];
    int inRow = tiff.samplesOfPiece();
    raster.read(
        window,
        stepX,
        stepY,
        (x, y, band, row, pixels) -> {
          for (int b = 0; b < inRow; b++) {
            int to = ((band + b) * height + y) * width + x;
            for (int i = 0; i < pixels; i++) {
              float value = row[i * inRow + b];
              values[to + i] = value == missing ? Float.NaN : value;
            }
          }
        });
    return new BandImage(tiff.samples, width, height, values);
  }
}
