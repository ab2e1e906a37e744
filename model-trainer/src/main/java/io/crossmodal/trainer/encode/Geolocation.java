/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.trainer.data.Georeference;
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
 * Place of a picture on Earth, in degrees.
 *
 * @param place where it lies in its coordinate reference system
 */
record Geolocation(Georeference place) {
  private static final String ACCEPTED =
      "read are 4326 (degrees), 326xx and 327xx (UTM), 258xx (UTM, ETRS89) and 3857";

  private static final int MERCATOR = 3857;

  /** Mean radius in metres, as the International Union of Geodesy and Geophysics has it. */
  private static final double EARTH_RADIUS = 6_371_008.8;

  private static final Map<Integer, String> OTHERS =
      Map.of(
          MERCATOR,
          "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +x_0=0 +y_0=0 +k=1 +units=m"
              + " +no_defs");

  /**
   * A place on the ground.
   *
   * @param latitude degrees north, WGS 84
   * @param longitude degrees east, WGS 84
   */
  record Position(double latitude, double longitude) {}

  /**
   * Returns the middle of the picture.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is read, or the
   *     picture lies nowhere on Earth
   */
  Position centre() {
    return position(place.width() / 2.0, place.height() / 2.0);
  }

  /**
   * Returns the four outer corners: upper left, lower left, lower right, upper right. Of a picture
   * with north at the top that is counter-clockwise, as GeoJSON has the outer ring of a polygon;
   * its ring repeats the first.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is read
   */
  List<Position> footprint() {
    int width = place.width();
    int height = place.height();
    return List.of(
        position(0, 0), position(0, height), position(width, height), position(width, 0));
  }

  /**
   * Extent of a pixel on the ground.
   *
   * @param x metres that it is wide
   * @param y metres that it is high
   */
  record Pixel(double x, double y) {
    /** Returns the side of a square of the same area, in metres. */
    double side() {
      return Math.sqrt(x * y);
    }
  }

  /**
   * Returns the extent of a pixel: the file's own where its system has metres of the ground, else
   * that of pixels in the middle of the picture, since degrees and Mercator's metres shrink towards
   * the poles.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is read, or the
   *     picture lies nowhere on Earth
   */
  Pixel pixel() {
    // Also where it is not needed: it refuses what is not read.
    centre();
    List<Double> a = place.affine();
    if (place.epsg() != Georeference.WGS84 && place.epsg() != MERCATOR) {
      return new Pixel(Math.hypot(a.get(1), a.get(4)), Math.hypot(a.get(2), a.get(5)));
    }
    double column = place.width() / 2.0;
    double row = place.height() / 2.0;
    return new Pixel(
        metres(position(column - 0.5, row), position(column + 0.5, row)),
        metres(position(column, row - 0.5), position(column, row + 0.5)));
  }

  /** Returns the distance of two near places, on a sphere. */
  private static double metres(Position a, Position b) {
    double east = Math.toRadians(b.longitude - a.longitude);
    double north = Math.toRadians(b.latitude - a.latitude);
    double middle = Math.toRadians((a.latitude + b.latitude) / 2);
    return EARTH_RADIUS * Math.hypot(north, Math.cos(middle) * east);
  }

  private Position position(double column, double row) {
    double x = place.x(column, row);
    double y = place.y(column, row);
    int epsg = place.epsg();
    if (epsg == Georeference.WGS84) {
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

  /** Returns a position on Earth, or refuses it; some archives count longitudes from 0 to 360. */
  private Position onEarth(double latitude, double longitude) {
    double east = longitude > 180 && longitude <= 360 ? longitude - 360 : longitude;
    if (!(Math.abs(latitude) <= 90 && Math.abs(east) <= 180)) {
      throw new ImageFormatException(nowhere(latitude, longitude));
    }
    return new Position(latitude, east);
  }

  private String nowhere(double north, double east) {
    return String.format(
        Locale.ROOT,
        "north %s, east %s in EPSG:%d is no place on Earth",
        north,
        east,
        place.epsg());
  }

  /**
   * Returns the system in PROJ's own words: the library's table of all systems is another artifact.
   */
  private String parameters() {
    int epsg = place.epsg();
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
}
