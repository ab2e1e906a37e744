/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/** An axis-parallel box in fractions of the picture's side; y grows downwards. */
public record Bounds(double minX, double minY, double maxX, double maxY) {

  public Bounds {
    if (!(minX <= maxX && minY <= maxY)) {
      throw new IllegalArgumentException(
          "a box needs minX <= maxX and minY <= maxY, got ["
              + minX
              + ", "
              + minY
              + ", "
              + maxX
              + ", "
              + maxY
              + "]");
    }
  }

  public double centreX() {
    return (minX + maxX) / 2;
  }

  public double centreY() {
    return (minY + maxY) / 2;
  }

  Bounds grow(double margin) {
    return new Bounds(minX - margin, minY - margin, maxX + margin, maxY + margin);
  }

  Bounds union(Bounds other) {
    return new Bounds(
        Math.min(minX, other.minX),
        Math.min(minY, other.minY),
        Math.max(maxX, other.maxX),
        Math.max(maxY, other.maxY));
  }

  boolean inside(Bounds other) {
    return minX >= other.minX && minY >= other.minY && maxX <= other.maxX && maxY <= other.maxY;
  }

  /** The shortest distance between two boxes, 0 where they touch or overlap. */
  public double gapTo(Bounds other) {
    double dx = Math.max(0, Math.max(other.minX - maxX, minX - other.maxX));
    double dy = Math.max(0, Math.max(other.minY - maxY, minY - other.maxY));
    return Math.hypot(dx, dy);
  }

  double distanceTo(double x, double y) {
    double dx = Math.max(0, Math.max(minX - x, x - maxX));
    double dy = Math.max(0, Math.max(minY - y, y - maxY));
    return Math.hypot(dx, dy);
  }
}
