/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.List;

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

  public Georeference {
    affine = List.copyOf(affine);
    if (affine.size() != 6 || affine.stream().anyMatch(value -> !Double.isFinite(value))) {
      throw new IllegalArgumentException("an affine map is six finite numbers, got " + affine);
    }
    if (affine.get(1) * affine.get(5) == affine.get(2) * affine.get(4)) {
      throw new IllegalArgumentException("an affine map must span an area, got " + affine);
    }
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

  /** The first coordinate of a place in the picture, in pixels from its outer upper left corner. */
  public double x(double column, double row) {
    return affine.get(0) + affine.get(1) * column + affine.get(2) * row;
  }

  /** The second coordinate, likewise. */
  public double y(double column, double row) {
    return affine.get(3) + affine.get(4) * column + affine.get(5) * row;
  }
}
