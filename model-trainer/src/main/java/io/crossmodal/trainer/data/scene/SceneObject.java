/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/**
 * One object: its centre, its footprint before rotation (fractions of the picture's side) and its
 * angle (radians, clockwise).
 */
public record SceneObject(double x, double y, double width, double height, double angle) {

  public SceneObject {
    if (!(width > 0 && height > 0)) {
      throw new IllegalArgumentException(
          "an object's width and height must be above 0, got " + width + " x " + height);
    }
  }

  /** The axis-parallel box around the rotated footprint. */
  public Bounds bounds() {
    double cos = Math.abs(Math.cos(angle));
    double sin = Math.abs(Math.sin(angle));
    double halfX = (width * cos + height * sin) / 2;
    double halfY = (width * sin + height * cos) / 2;
    return new Bounds(x - halfX, y - halfY, x + halfX, y + halfY);
  }

  SceneObject movedBy(double dx, double dy) {
    return new SceneObject(x + dx, y + dy, width, height, angle);
  }
}
