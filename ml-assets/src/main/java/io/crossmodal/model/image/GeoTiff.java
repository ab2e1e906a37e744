/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A GeoTIFF file: bands of numbers and where they lie; see {@link TiffLayout} for the files that
 * are read. Only the first image of a file is read: overviews and masks follow it.
 *
 * @see <a href="https://docs.ogc.org/is/19-008r4/19-008r4.html">OGC GeoTIFF 1.1</a>
 */
public final class GeoTiff {
  private static final int MAX_SIDE = 20_000;
  private static final int MAX_BANDS = 256;

  /** Of the floats made of the raster. */
  private static final long MAX_BYTES = 256L << 20;

  private static final int GDAL_NO_DATA = 42113;
  private static final int PIXEL_SCALE = 33550;
  private static final int TIE_POINT = 33922;
  private static final int TRANSFORMATION = 34264;
  private static final int GEO_KEY_DIRECTORY = 34735;

  // GeoTIFF 1.1, section 7.4 and annex B.
  private static final int GT_RASTER_TYPE = 1025;
  private static final int PIXEL_IS_POINT = 2;
  private static final int GEODETIC_CRS = 2048;
  private static final int PROJECTED_CRS = 3072;
  private static final int USER_DEFINED = 32767;

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
    return (long) Float.BYTES * tiff.samples * tiff.width * tiff.height;
  }

  /** Heap that {@link #open} and {@link #read} take at most, the file itself not counted. */
  long bytes() {
    return floatBytes() * (orientation == Orientation.UPRIGHT ? 1 : 2) + TiffRaster.bytes(tiff);
  }

  public int bands() {
    return tiff.samples;
  }

  public int width() {
    return orientation.isSwapped() ? tiff.height : tiff.width;
  }

  public int height() {
    return orientation.isSwapped() ? tiff.width : tiff.height;
  }

  /**
   * The value that stands for no data, in GDAL's tag; NaN always does.
   *
   * @throws ImageFormatException when the tag holds no number
   */
  public Optional<Double> noData() {
    String text = tiff.directory.text(GDAL_NO_DATA);
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

  /**
   * Where the picture lies, if the file says so: by pixel scale and tie point or by a
   * transformation, with a coordinate reference system.
   *
   * @throws ImageFormatException when what it says makes no sense
   */
  public Optional<Georeference> georeference() {
    try {
      double[] keys = tiff.directory.decimals(GEO_KEY_DIRECTORY);
      double[] scale = tiff.directory.decimals(PIXEL_SCALE);
      double[] tie = tiff.directory.decimals(TIE_POINT);
      double[] m = tiff.directory.decimals(TRANSFORMATION);
      if (keys.length == 0 || (m.length == 0 && (scale.length == 0 || tie.length == 0))) {
        return Optional.empty();
      }
      if (orientation != Orientation.UPRIGHT) {
        throw new IllegalArgumentException(
            "the file has an orientation beside it; gdal_translate writes one without");
      }
      double[] a;
      if (m.length > 0) {
        a = new double[] {m[3], m[0], m[1], m[7], m[4], m[5]};
      } else {
        double x0 = tie[3] - tie[0] * scale[0];
        double y0 = tie[4] + tie[1] * scale[1];
        a = new double[] {x0, scale[0], 0, y0, 0, -scale[1]};
      }
      // With PixelIsPoint the coordinates are those of a pixel's centre.
      double half = key(keys, GT_RASTER_TYPE) == PIXEL_IS_POINT ? 0.5 : 0;
      int projected = key(keys, PROJECTED_CRS);
      int system = projected != 0 ? projected : key(keys, GEODETIC_CRS);
      return Optional.of(
          new Georeference(
              system == USER_DEFINED ? 0 : system,
              tiff.width,
              tiff.height,
              List.of(
                  a[0] - half * (a[1] + a[2]),
                  a[1],
                  a[2],
                  a[3] - half * (a[4] + a[5]),
                  a[4],
                  a[5])));
    } catch (RuntimeException e) {
      throw new ImageFormatException("damaged georeference: " + e.getMessage(), e);
    }
  }

  /** A key's own short value; 0 where it is missing. Four numbers a key, after four of a header. */
  private static int key(double[] keys, int id) {
    for (int i = 4; i + 3 < keys.length; i += 4) {
      if (keys[i] == id && keys[i + 1] == 0) {
        return (int) keys[i + 3];
      }
    }
    return 0;
  }

  /**
   * All values, as floats; NaN where the file says that there is no data, or leaves a strip or tile
   * out.
   *
   * @throws ImageFormatException when the file is damaged
   */
  public BandImage read() {
    float missing = noData().map(Double::floatValue).orElse(Float.NaN);
    int width = tiff.width;
    int height = tiff.height;
    int bands = tiff.samples;
    float[] values = new float[bands * height * width];
    int inRow = tiff.samplesOfPiece();
    new TiffRaster(tiff)
        .read(
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
