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

  double width() {
    return maxX - minX;
  }

  double height() {
    return maxY - minY;
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

  /** Returns the shortest distance between two boxes, 0 where they touch or overlap. */
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

  /**
   * Spatial relation of one box to another. Each holds with a margin, so that a person would agree.
   */
  public enum Relation {
    LEFT_OF,
    RIGHT_OF,
    ABOVE,
    BELOW,
    BESIDE;

    /**
     * Free space, as a fraction of the picture's side, between boxes that are "left of" and so on.
     */
    static final double MARGIN = 0.03;

    /** The widest gap between boxes that are "beside" each other. */
    static final double NEAR = 0.12;

    /** Returns whether {@code a} is left of (right of, ...) {@code b}. */
    public boolean holds(Bounds a, Bounds b) {
      double dx = b.centreX() - a.centreX();
      double dy = b.centreY() - a.centreY();
      return switch (this) {
        case LEFT_OF -> b.minX() - a.maxX() >= MARGIN && dx >= 0.8 * Math.abs(dy);
        case RIGHT_OF -> LEFT_OF.holds(b, a);
        case ABOVE -> b.minY() - a.maxY() >= MARGIN && dy >= 0.8 * Math.abs(dx);
        case BELOW -> ABOVE.holds(b, a);
        default -> a.gapTo(b) <= NEAR;
      };
    }

    /**
     * Returns whether {@code b} clearly stands between {@code a} and {@code c}, on a line across or
     * down.
     */
    static boolean between(Bounds b, Bounds a, Bounds c) {
      return (aligned(a.centreY(), b.centreY(), c.centreY())
              && ((LEFT_OF.holds(a, b) && LEFT_OF.holds(b, c))
                  || (LEFT_OF.holds(c, b) && LEFT_OF.holds(b, a))))
          || (aligned(a.centreX(), b.centreX(), c.centreX())
              && ((ABOVE.holds(a, b) && ABOVE.holds(b, c))
                  || (ABOVE.holds(c, b) && ABOVE.holds(b, a))));
    }

    private static boolean aligned(double a, double b, double c) {
      return Math.abs(b - (a + c) / 2) < 0.12;
    }
  }
}
