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
    double inwards;
    switch (side) {
      case LEFT:
        inwards = x;
        break;
      case RIGHT:
        inwards = 1 - x;
        break;
      case TOP:
        inwards = y;
        break;
      default:
        inwards = 1 - y;
        break;
    }
    return depth + amplitude * Math.sin(5 * (across ? y : x) + phase) - inwards;
  }

  /** Whether the whole box is in the sea, or on land, with a margin. */
  boolean holds(Bounds box, boolean inSea) {
    for (int i = 0; i < 9; i++) {
      double x = box.minX() + (box.maxX() - box.minX()) * (i % 3) / 2;
      double y = box.minY() + (box.maxY() - box.minY()) * (i / 3) / 2;
      double seaward = seaward(x, y);
      if (inSea ? seaward < 0.02 : seaward > -0.03) {
        return false;
      }
    }
    return true;
  }
}
