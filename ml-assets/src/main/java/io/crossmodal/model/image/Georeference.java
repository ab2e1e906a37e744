/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.locationtech.proj4j.BasicCoordinateTransform;
import org.locationtech.proj4j.CRSFactory;
import org.locationtech.proj4j.CoordinateReferenceSystem;
import org.locationtech.proj4j.Proj4jException;
import org.locationtech.proj4j.ProjCoordinate;

/**
 * Where a picture lies on the ground: a coordinate reference system and an affine map from pixels
 * to its coordinates.
 *
 * @param epsg number of the system; 0 for one that the file does not name by a number
 * @param width of the picture in pixels
 * @param height of the picture in pixels
 * @param affine (x0, x per column, x per row, y0, y per column, y per row); (x0, y0) is the outer
 *     corner of the upper left pixel
 */
public record Georeference(int epsg, int width, int height, List<Double> affine) {
  /** WGS 84, longitude and latitude in degrees. */
  public static final int WGS84 = 4326;

  private static final String ACCEPTED =
      "read are 4326 (degrees), 326xx and 327xx (UTM), 258xx (UTM, ETRS89) and 3857";

  /**
   * A place on the ground.
   *
   * @param latitude degrees north, WGS 84
   * @param longitude degrees east, WGS 84
   */
  public record Position(double latitude, double longitude) {}

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
   * The middle of the picture.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is read, or the
   *     picture lies nowhere on Earth
   */
  public Position centre() {
    return position(width / 2.0, height / 2.0);
  }

  /**
   * The four outer corners: upper left, lower left, lower right, upper right. Of a picture with
   * north at the top that is counter-clockwise, as GeoJSON has the outer ring of a polygon; its
   * ring repeats the first.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is read
   */
  public List<Position> footprint() {
    return List.of(
        position(0, 0), position(0, height), position(width, height), position(width, 0));
  }

  /** Whether both cover the same ground, to a hundredth of a pixel of this one. */
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

  private double x(double column, double row) {
    return affine.get(0) + affine.get(1) * column + affine.get(2) * row;
  }

  private double y(double column, double row) {
    return affine.get(3) + affine.get(4) * column + affine.get(5) * row;
  }

  private Position position(double column, double row) {
    double x = x(column, row);
    double y = y(column, row);
    if (epsg == WGS84) {
      return onEarth(y, x);
    }
    CRSFactory systems = new CRSFactory();
    CoordinateReferenceSystem from = systems.createFromParameters("EPSG:" + epsg, parameters());
    ProjCoordinate degrees = new ProjCoordinate();
    try {
      new BasicCoordinateTransform(from, from.createGeographic())
          .transform(new ProjCoordinate(x, y), degrees);
    } catch (Proj4jException e) {
      throw new ImageFormatException(nowhere(y, x), e);
    }
    return onEarth(degrees.y, degrees.x);
  }

  /** Some archives count longitudes from 0 to 360. */
  private Position onEarth(double latitude, double longitude) {
    double east = longitude > 180 && longitude <= 360 ? longitude - 360 : longitude;
    if (!(Math.abs(latitude) <= 90 && Math.abs(east) <= 180)) {
      throw new ImageFormatException(nowhere(latitude, longitude));
    }
    return new Position(latitude, east);
  }

  private String nowhere(double north, double east) {
    return String.format(
        Locale.ROOT, "north %s, east %s in EPSG:%d is no place on Earth", north, east, epsg);
  }

  /** The system in PROJ's own words: the library's table of all systems is another artifact. */
  private String parameters() {
    int zone = epsg % 100;
    boolean isZone = zone >= 1 && zone <= 60;
    String utm = "+proj=utm +zone=" + zone + " +units=m +no_defs ";
    Optional<String> parameters =
        switch (epsg / 100) {
          case 326 -> isZone ? Optional.of(utm + "+datum=WGS84") : Optional.empty();
          case 327 -> isZone ? Optional.of(utm + "+south +datum=WGS84") : Optional.empty();
          // ETRS89 and WGS 84 differ by less than a metre: far below a pixel.
          case 258 ->
              zone >= 28 && zone <= 38 ? Optional.of(utm + "+ellps=GRS80") : Optional.empty();
          default -> Optional.ofNullable(OTHERS.get(epsg));
        };
    return parameters.orElseThrow(
        () ->
            new ImageFormatException(
                String.format(
                    Locale.ROOT,
                    "the coordinate reference system EPSG:%d is not read; %s; warp the picture to"
                        + " one of them",
                    epsg,
                    ACCEPTED)));
  }

  private static final Map<Integer, String> OTHERS =
      Map.of(
          3857,
          "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m"
              + " +no_defs");
}
