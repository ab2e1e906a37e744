/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/**
 * Where land meets the sea.
 *
 * @param side the side of the picture that the sea is on: LEFT, RIGHT, TOP or BOTTOM
 * @param depth how far the sea reaches in, 0 to 1
 * @param amplitude of the shore line's bends
 * @param phase of the bends, radians
 */
public record Shore(Region side, double depth, double amplitude, double phase) {

  public Shore {
    if (side != Region.LEFT
        && side != Region.RIGHT
        && side != Region.TOP
        && side != Region.BOTTOM) {
      throw new IllegalArgumentException(
          "the sea is on the LEFT, RIGHT, TOP or BOTTOM, got " + side);
    }
  }

  /** The distance to the shore line: above 0 in the sea, below 0 on land. */
  double seaward(double x, double y) {
    boolean across = side == Region.LEFT || side == Region.RIGHT;

    double inwards =
        switch (side) {
          case LEFT -> x;
          case RIGHT -> 1 - x;
          case TOP -> y;
          default -> 1 - y;
        };
    return depth + amplitude * Math.sin(5 * (across ? y : x) + phase) - inwards;
  }

  /** Whether the whole box is in the sea, or on land, with a margin. */
  boolean holds(Bounds box, boolean inSea) {
    for (double u = 0; u <= 1; u += 0.5) {
      for (double v = 0; v <= 1; v += 0.5) {
        double seaward =
            seaward(
                box.minX() + u * (box.maxX() - box.minX()),
                box.minY() + v * (box.maxY() - box.minY()));
        if (inSea ? seaward < 0.02 : seaward > -0.03) {
          return false;
        }
      }
    }
    return true;
  }
}
