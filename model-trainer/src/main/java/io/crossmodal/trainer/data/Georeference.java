/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.TiffHeader;
import io.crossmodal.model.image.Window;
import java.util.List;
import java.util.Optional;

/**
 * Place of a picture on the ground: a coordinate reference system and an affine map from pixels to
 * its coordinates.
 *
 * @param epsg number of the system; 0 for one that the file does not name by a number
 * @param width of the picture in pixels
 * @param height of the picture in pixels
 * @param affine (x0, x per column, x per row, y0, y per column, y per row); (x0, y0) is the outer
 *     corner of the upper left pixel
 * @see <a href="https://docs.ogc.org/is/19-008r4/19-008r4.html">OGC GeoTIFF 1.1</a>
 */
public record Georeference(int epsg, int width, int height, List<Double> affine) {
  /** WGS 84, longitude and latitude in degrees. */
  public static final int WGS84 = 4326;

  private static final int PIXEL_SCALE = 33550;
  private static final int TIE_POINT = 33922;
  private static final int TRANSFORMATION = 34264;
  private static final int GEO_KEY_DIRECTORY = 34735;
  private static final int RPC = 50844;

  // GeoTIFF 1.1, section 7.4 and annex B.
  private static final int GT_MODEL_TYPE = 1024;
  private static final int GEOCENTRIC = 3;
  private static final int GT_RASTER_TYPE = 1025;
  private static final int PIXEL_IS_POINT = 2;
  private static final int GEODETIC_CRS = 2048;
  private static final int PROJECTED_CRS = 3072;
  private static final int USER_DEFINED = 32767;

  public Georeference {
    affine = List.copyOf(affine);
    if (affine.size() != 6 || affine.stream().anyMatch(value -> !Double.isFinite(value))) {
      throw new IllegalArgumentException("an affine map is six finite numbers, got " + affine);
    }
    if (affine.get(1) * affine.get(5) == affine.get(2) * affine.get(4)) {
      throw new IllegalArgumentException("an affine map must span an area, got " + affine);
    }
  }

  /**
   * Reads where a picture lies, if its file says so: by pixel scale and tie point or by a
   * transformation, with a coordinate reference system.
   *
   * @throws ImageFormatException when what it says makes no sense
   */
  public static Optional<Georeference> of(TiffHeader tiff) {
    try {
      double[] keys = tiff.numbers(GEO_KEY_DIRECTORY);
      double[] scale = tiff.numbers(PIXEL_SCALE);
      double[] tie = tiff.numbers(TIE_POINT);
      double[] m = tiff.numbers(TRANSFORMATION);
      boolean affine = m.length > 0 || (scale.length > 0 && tie.length > 0);
      if (keys.length == 0 || !affine) {
        return Optional.empty();
      }
      if (!tiff.isUpright()) {
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
      // Earth's own three coordinates are none of the system that they are derived from.
      boolean unknown = system == USER_DEFINED || key(keys, GT_MODEL_TYPE) == GEOCENTRIC;
      return Optional.of(
          new Georeference(
              unknown ? 0 : system,
              tiff.width(),
              tiff.height(),
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

  /**
   * Does the same, and does not pass over a picture that is located in another way.
   *
   * @throws ImageFormatException also when coefficients or ground control points alone say where it
   *     lies
   */
  public static Optional<Georeference> located(TiffHeader tiff) {
    Optional<Georeference> place = of(tiff);
    boolean rpcs = tiff.numbers(RPC).length > 0;
    if (place.isEmpty() && (rpcs || tiff.numbers(TIE_POINT).length > 6)) {
      throw notAffine(rpcs);
    }
    return place;
  }

  /**
   * Returns what is thrown for a picture whose place no affine map says.
   *
   * @param rpcs whether rational polynomial coefficients say it, else ground control points
   */
  public static ImageFormatException notAffine(boolean rpcs) {
    return new ImageFormatException(
        rpcs
            ? "it is located by rational polynomial coefficients (RPCs) alone, which need the"
                + " ground's heights: gdalwarp -rpc -to RPC_DEM=DEM.tif -t_srs EPSG:326NN IN OUT"
                + " makes one whose place is read"
            : "it is located by ground control points alone: gdalwarp -tps -t_srs EPSG:326NN IN"
                + " OUT makes one whose place is read");
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

  /** Returns whether both cover the same ground, to a hundredth of a pixel of this one. */
  public boolean covers(Georeference other) {
    double tolerance =
        0.01 * Math.sqrt(Math.abs(affine.get(1) * affine.get(5) - affine.get(2) * affine.get(4)));
    return epsg == other.epsg
        && close(x(0, 0), other.x(0, 0), tolerance)
        && close(y(0, 0), other.y(0, 0), tolerance)
        && close(x(width, height), other.x(other.width, other.height), tolerance)
        && close(y(width, height), other.y(other.width, other.height), tolerance);
  }

  private static boolean close(double a, double b, double tolerance) {
    return Math.abs(a - b) <= tolerance;
  }

  /** Returns the place of a part of the picture. */
  public Georeference part(Window window) {
    return new Georeference(
        epsg,
        window.width(),
        window.height(),
        List.of(
            x(window.x(), window.y()),
            affine.get(1),
            affine.get(2),
            y(window.x(), window.y()),
            affine.get(4),
            affine.get(5)));
  }

  /** The first coordinate of a place in the picture, in pixels from its outer upper left corner. */
  public double x(double column, double row) {
    return affine.get(0) + affine.get(1) * column + affine.get(2) * row;
  }

  /** The second coordinate, likewise. */
  public double y(double column, double row) {
    return affine.get(3) + affine.get(4) * column + affine.get(5) * row;
  }
}
