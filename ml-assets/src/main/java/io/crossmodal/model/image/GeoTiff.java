/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.Locale;
import java.util.Optional;

/**
 * A TIFF file of bands of numbers, a GeoTIFF perhaps; see {@link TiffRaster} for the files that are
 * read. Only the first image of a file is read: overviews and masks follow it.
 *
 * @see <a href="https://docs.ogc.org/is/19-008r4/19-008r4.html">OGC GeoTIFF 1.1</a>
 */
public final class GeoTiff {
  private static final int MAX_SIDE = 20_000;
  private static final int MAX_BANDS = 256;

  /** Of the floats made of the raster. */
  private static final long MAX_BYTES = 256L << 20;

  private static final int GDAL_NO_DATA = 42113;

  private final TiffRaster raster;
  private final TiffDirectory directory;
  private final Orientation orientation;

  private GeoTiff(byte[] file) {
    raster = new TiffRaster(file);
    directory = raster.directory();
    orientation = Orientation.of(directory);
    long bytes = floatBytes();
    if (Math.max(raster.width(), raster.height()) > MAX_SIDE
        || raster.samples() > MAX_BANDS
        || bytes > MAX_BYTES) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has %d bands of %d x %d pixels with %d bits; read are up to %d bands, sides"
                  + " up to %d pixels and %d bytes decoded; cut it into tiles",
              raster.samples(),
              raster.width(),
              raster.height(),
              raster.bits(),
              MAX_BANDS,
              MAX_SIDE,
              MAX_BYTES));
    }
  }

  /** Whether these bytes begin as a TIFF does, a BigTIFF included. */
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
    return (long) Float.BYTES * raster.samples() * raster.width() * raster.height();
  }

  /** Heap that {@link #open} and {@link #read} take at most, the file itself not counted. */
  long bytes() {
    return floatBytes() * (isUpright() ? 1 : 2) + raster.readingBytes();
  }

  public int bands() {
    return raster.samples();
  }

  public int width() {
    return orientation.isSwapped() ? raster.height() : raster.width();
  }

  public int height() {
    return orientation.isSwapped() ? raster.width() : raster.height();
  }

  /**
   * The value that stands for no data, in GDAL's tag; NaN always does.
   *
   * @throws ImageFormatException when the tag holds no number
   */
  public Optional<Double> noData() {
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
      throw new ImageFormatException("damaged TIFF: no-data value [" + cut(text) + "]", e);
    }
  }

  private static String cut(String text) {
    return text.substring(0, Math.min(text.length(), 100));
  }

  /**
   * Returns the numbers of one of the file's fields, such as those that say where it lies.
   *
   * @param tag of the field
   * @return none where the file has no such field
   * @throws ImageFormatException when the field holds no numbers
   */
  public double[] numbers(int tag) {
    try {
      return directory.decimals(tag);
    } catch (RuntimeException e) {
      throw new ImageFormatException("damaged TIFF: field " + tag + ": " + e.getMessage(), e);
    }
  }

  /** Whether the file's rows and columns are the picture's: no orientation turns it. */
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
    float missing = noData().map(Double::floatValue).orElse(Float.NaN);
    int width = raster.width();
    int height = raster.height();
    int bands = raster.samples();
    float[] values = new float[bands * height * width];
    int inRow = raster.samplesOfPiece();
    raster.read(
        1,
        1,
        (x, y, band, row, pixels) -> {
          for (int b = 0; b < inRow; b++) {
            int to = ((band + b) * height + y) * width + x;
            for (int i = 0; i < pixels; i++) {
              float value = row[i * inRow + b];
              values[to + i] = value == missing ? Float.NaN : value;
            }
          }
        });
    return orientation.upright(new BandImage(bands, width, height, values));
  }
}
