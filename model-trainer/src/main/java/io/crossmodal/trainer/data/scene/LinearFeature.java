/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.Bounds.Relation;
import java.awt.geom.Path2D;

/**
 * A road, railway or river that crosses the whole picture.
 *
 * @param offset where it crosses the other axis, 0 to 1; 0.5 for the diagonals
 * @param amplitude of its bends, a fraction of the picture's side
 * @param phase of its bends, radians
 * @param crossing what stands on it
 * @param crossingAt where on its course that stands, 0 to 1
 */
public record LinearFeature(
    Kind kind,
    Direction direction,
    double offset,
    double amplitude,
    double phase,
    Crossing crossing,
    double crossingAt) {

  /** Kind of the feature; half its width as a fraction of the picture's side. */
  public enum Kind {
    ROAD(0.027),
    RAILWAY(0.019),
    RIVER(0.042);

    private final double halfWidth;

    Kind(double halfWidth) {
      this.halfWidth = halfWidth;
    }

    double halfWidth() {
      return halfWidth;
    }
  }

  /** Its course. */
  public enum Direction {
    LEFT_TO_RIGHT,
    TOP_TO_BOTTOM,
    /** From the upper left to the lower right. */
    FALLING,
    /** From the lower left to the upper right. */
    RISING;

    public boolean diagonal() {
      return this == FALLING || this == RISING;
    }
  }

  /** Structure that crosses it: a bridge only over a river, a roundabout only on a road. */
  public enum Crossing {
    NONE,
    BRIDGE,
    ROUNDABOUT
  }

  private static final int SAMPLES = 96;

  public LinearFeature {
    if ((crossing == Crossing.BRIDGE && kind != Kind.RIVER)
        || (crossing == Crossing.ROUNDABOUT && kind != Kind.ROAD)) {
      throw new IllegalArgumentException(
          "a bridge crosses a river and a roundabout is on a road, got "
              + crossing
              + " on "
              + kind);
    }
  }

  /** Returns a feature of that kind on the same course, without a crossing. */
  LinearFeature bare(Kind other) {
    return new LinearFeature(other, direction, offset, amplitude, phase, Crossing.NONE, 0);
  }

  private double bend(double t) {
    return amplitude * Math.sin(2 * Math.PI * t + phase);
  }

  /** Returns x of the course's point t; t runs a little over both edges, -0.1 to 1.1. */
  double x(double t) {
    return switch (direction) {
      case LEFT_TO_RIGHT -> t;
      case TOP_TO_BOTTOM -> offset + bend(t);
      default -> t + bend(t) * 0.7;
    };
  }

  double y(double t) {
    return switch (direction) {
      case LEFT_TO_RIGHT -> offset + bend(t);
      case TOP_TO_BOTTOM -> t;
      case FALLING -> t - bend(t) * 0.7;
      default -> 1 - t + bend(t) * 0.7;
    };
  }

  /** Returns the course, a little over both edges. */
  Path2D path() {
    Path2D path = new Path2D.Double();
    for (int i = 0; i <= 60; i++) {
      double t = -0.1 + 1.2 * i / 60;
      if (i == 0) {
        path.moveTo(x(t), y(t));
      } else {
        path.lineTo(x(t), y(t));
      }
    }
    return path;
  }

  /** Returns the course's direction at t, radians clockwise from "to the right". */
  double angle(double t) {
    return Math.atan2(y(t + 0.01) - y(t - 0.01), x(t + 0.01) - x(t - 0.01));
  }

  /** Returns the distance from its edge to a box; negative where they overlap. */
  double gapTo(Bounds box) {
    double gap = 2;
    for (int i = 0; i <= SAMPLES; i++) {
      double t = -0.1 + 1.2 * i / SAMPLES;
      gap = Math.min(gap, box.distanceTo(x(t), y(t)) - kind.halfWidth());
    }
    if (crossing != Crossing.NONE) {
      gap = Math.min(gap, box.distanceTo(x(crossingAt), y(crossingAt)) - crossingRadius());
    }
    return gap;
  }

  double crossingRadius() {
    return crossing == Crossing.BRIDGE ? 0.105 : 0.075;
  }

  /** Returns whether the whole box is on one side; for diagonals never said. */
  public boolean holds(Relation relation, Bounds box) {
    if (relation == Relation.BESIDE) {
      return gapTo(box) <= 0.07;
    }
    boolean across = relation == Relation.ABOVE || relation == Relation.BELOW;
    if (direction.diagonal() || across != (direction == Direction.LEFT_TO_RIGHT)) {
      return false;
    }
    double low = 2;
    double high = -1;
    for (int i = 0; i <= SAMPLES; i++) {
      double t = (double) i / SAMPLES;
      double at = across ? x(t) : y(t);
      if (at >= (across ? box.minX() : box.minY()) && at <= (across ? box.maxX() : box.maxY())) {
        double value = across ? y(t) : x(t);
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    return switch (relation) {
      case ABOVE -> box.maxY() < low;
      case BELOW -> box.minY() > high;
      case LEFT_OF -> box.maxX() < low;
      default -> box.minX() > high;
    };
  }
}
