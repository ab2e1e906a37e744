/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.trainer.data.Georeference;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.locationtech.proj4j.ProjCoordinate;

/**
 * Place of a picture on Earth, in degrees.
 *
 * @param place where it lies in its coordinate reference system
 * @param systems that coordinates are looked up in
 */
record Geolocation(Georeference place, CoordinateSystems systems) {
  /** Mean radius in metres, as the International Union of Geodesy and Geophysics has it. */
  private static final double EARTH_RADIUS = 6_371_008.8;

  /** Of an edge, where it may not be taken for straight in degrees. */
  private static final int POINTS = 16;

  /** Degrees that a footprint may span, with its four corners for an outline. */
  private static final double NARROW = 90;

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
   * @throws ImageFormatException when the coordinate reference system is none that is known, or the
   *     picture lies nowhere on Earth
   */
  Position centre() {
    return position(place.width() / 2.0, place.height() / 2.0);
  }

  /**
   * Returns its outline: a polygon of its four outer corners; two where the antimeridian cuts it,
   * one on either side (RFC 7946, section 3.1.9); up to the pole where the pole lies in it.
   *
   * @return polygons, each counter-clockwise, as GeoJSON has an outer ring; a ring repeats the
   *     first
   * @throws ImageFormatException when the coordinate reference system is none that is known, or the
   *     picture lies nowhere on Earth
   */
  List<List<Position>> footprint() {
    List<Position> dense = unwrapped(outline());
    if (Math.abs(turn(dense)) > 180) {
      return List.of(counterClockwise(aroundPole(dense)));
    }
    List<Position> ring =
        width(dense) > NARROW
            ? dense
            : IntStream.range(0, 4).mapToObj(corner -> dense.get(corner * POINTS)).toList();
    double low = ring.stream().mapToDouble(Position::longitude).min().orElseThrow();
    double high = ring.stream().mapToDouble(Position::longitude).max().orElseThrow();
    if (low >= -180 && high <= 180) {
      return List.of(counterClockwise(ring));
    }
    double cut = high > 180 ? 180 : -180;
    List<List<Position>> halves = new ArrayList<>();
    for (boolean east : new boolean[] {false, true}) {
      List<Position> half = clip(ring, cut, east);
      if (half.size() > 2) {
        double shift = east && cut == 180 ? -360 : !east && cut == -180 ? 360 : 0;
        halves.add(
            counterClockwise(
                half.stream().map(at -> new Position(at.latitude, at.longitude + shift)).toList()));
      }
    }
    return halves;
  }

  /** Positions along the outline, from the upper left corner downwards. */
  private List<Position> outline() {
    int width = place.width();
    int height = place.height();
    List<Position> ring = new ArrayList<>();
    for (int i = 0; i < POINTS; i++) {
      ring.add(position(0, (double) height * i / POINTS));
    }
    for (int i = 0; i < POINTS; i++) {
      ring.add(position((double) width * i / POINTS, height));
    }
    for (int i = 0; i < POINTS; i++) {
      ring.add(position(width, height - (double) height * i / POINTS));
    }
    for (int i = 0; i < POINTS; i++) {
      ring.add(position(width - (double) width * i / POINTS, 0));
    }
    return ring;
  }

  /** Longitudes that go on from one to the next by less than half a turn, beyond 180 if need be. */
  private static List<Position> unwrapped(List<Position> ring) {
    List<Position> out = new ArrayList<>();
    double before = ring.get(0).longitude;
    for (Position at : ring) {
      double longitude = before + turned(at.longitude - before);
      out.add(new Position(at.latitude, longitude));
      before = longitude;
    }
    return out;
  }

  /** Returns an angle as one of -180 to 180. */
  private static double turned(double degrees) {
    return degrees - 360 * Math.rint(degrees / 360);
  }

  private static double width(List<Position> ring) {
    double low = ring.stream().mapToDouble(Position::longitude).min().orElseThrow();
    double high = ring.stream().mapToDouble(Position::longitude).max().orElseThrow();
    return high - low;
  }

  /** Returns how far a ring goes round the Earth: 0, or 360 to the east or west round a pole. */
  private static double turn(List<Position> ring) {
    double first = ring.get(0).longitude;
    double last = ring.get(ring.size() - 1).longitude;
    return last + turned(first - last) - first;
  }

  /** From one side of the map to the other, and along the pole back. */
  private static List<Position> aroundPole(List<Position> ring) {
    List<Position> sorted = new ArrayList<>();
    for (Position at : ring) {
      sorted.add(new Position(at.latitude, turned(at.longitude)));
    }
    sorted.sort(Comparator.comparingDouble(Position::longitude));
    Position first = sorted.get(0);
    Position last = sorted.get(sorted.size() - 1);
    // Where the line from the last to the first crosses the antimeridian.
    double gap = first.longitude + 360 - last.longitude;
    double share = gap == 0 ? 0 : (180 - last.longitude) / gap;
    double edge = last.latitude + share * (first.latitude - last.latitude);
    double pole = Math.copySign(90, first.latitude);
    sorted.add(0, new Position(edge, -180));
    sorted.add(new Position(edge, 180));
    sorted.add(new Position(pole, 180));
    sorted.add(new Position(pole, -180));
    return sorted;
  }

  /** Returns the part of a ring on one side of a meridian. */
  private static List<Position> clip(List<Position> ring, double meridian, boolean east) {
    List<Position> out = new ArrayList<>();
    for (int i = 0; i < ring.size(); i++) {
      Position from = ring.get(i);
      Position to = ring.get((i + 1) % ring.size());
      boolean fromIn = east ? from.longitude >= meridian : from.longitude <= meridian;
      boolean toIn = east ? to.longitude >= meridian : to.longitude <= meridian;
      if (fromIn) {
        out.add(from);
      }
      if (fromIn != toIn) {
        double share = (meridian - from.longitude) / (to.longitude - from.longitude);
        out.add(new Position(from.latitude + share * (to.latitude - from.latitude), meridian));
      }
    }
    return out.stream().distinct().toList();
  }

  private static List<Position> counterClockwise(List<Position> ring) {
    double area = 0;
    for (int i = 0; i < ring.size(); i++) {
      Position a = ring.get(i);
      Position b = ring.get((i + 1) % ring.size());
      area += a.longitude * b.latitude - b.longitude * a.latitude;
    }
    List<Position> out = new ArrayList<>(ring);
    if (area < 0) {
      // From the same corner on.
      Collections.reverse(out.subList(1, out.size()));
    }
    return List.copyOf(out);
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
   * Returns the extent of a pixel: the file's own where its system has lengths of the ground, else
   * that of pixels in the middle of the picture, since degrees and Mercator's metres shrink towards
   * the poles.
   *
   * @throws ImageFormatException when the coordinate reference system is none that is known, or the
   *     picture lies nowhere on Earth
   */
  Pixel pixel() {
    // Also where it is not needed: it refuses what is not read.
    centre();
    List<Double> a = place.affine();
    double unit = systems.of(place.epsg()).ground();
    if (unit > 0) {
      return new Pixel(
          unit * Math.hypot(a.get(1), a.get(4)), unit * Math.hypot(a.get(2), a.get(5)));
    }
    double column = place.width() / 2.0;
    double row = place.height() / 2.0;
    return new Pixel(
        metres(position(column - 0.5, row), position(column + 0.5, row)),
        metres(position(column, row - 0.5), position(column, row + 0.5)));
  }

  /** Returns the distance of two near places, on a sphere. */
  private static double metres(Position a, Position b) {
    double east = Math.toRadians(turned(b.longitude - a.longitude));
    double north = Math.toRadians(b.latitude - a.latitude);
    double middle = Math.toRadians((a.latitude + b.latitude) / 2);
    return EARTH_RADIUS * Math.hypot(north, Math.cos(middle) * east);
  }

  private Position position(double column, double row) {
    double x = place.x(column, row);
    double y = place.y(column, row);
    if (place.epsg() == Georeference.WGS84) {
      return onEarth(y, x);
    }
    try {
      ProjCoordinate degrees = systems.degrees(place.epsg(), x, y);
      return onEarth(degrees.y, degrees.x);
    } catch (ImageFormatException e) {
      throw e;
    } catch (RuntimeException e) {
      // The library throws what it likes for numbers beyond a system's reach.
      throw new ImageFormatException(nowhere(y, x), e);
    }
  }

  /** Returns a position on Earth, or refuses it; some archives count longitudes from 0 to 360. */
  private Position onEarth(double latitude, double longitude) {
    // A scene of a whole hemisphere may end a little beyond the antimeridian.
    double east =
        Math.abs(longitude) > 180 && Math.abs(longitude) <= 360 ? turned(longitude) : longitude;
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
}
