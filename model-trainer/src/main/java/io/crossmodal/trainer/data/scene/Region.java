/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/** A ninth of the frame. A group is said to be in one only if all of its objects clearly are. */
public enum Region {
  UPPER_LEFT(0, 0),
  TOP(1, 0),
  UPPER_RIGHT(2, 0),
  LEFT(0, 1),
  CENTRE(1, 1),
  RIGHT(2, 1),
  LOWER_LEFT(0, 2),
  BOTTOM(1, 2),
  LOWER_RIGHT(2, 2),
  /** None of them clearly. */
  NONE(-1, -1);

  private final int column;
  private final int row;

  Region(int column, int row) {
    this.column = column;
    this.row = row;
  }

  int column() {
    return column;
  }

  int row() {
    return row;
  }

  /** The middle of the ninth, moved a little towards the middle of the frame. */
  double anchorX() {
    return 0.5 + 0.29 * (column - 1);
  }

  double anchorY() {
    return 0.5 + 0.29 * (row - 1);
  }

  Region mirrored(boolean leftToRight) {
    return leftToRight ? at(2 - column, row) : at(column, 2 - row);
  }

  static Region at(int column, int row) {
    for (Region region : values()) {
      if (region.column == column && region.row == row) {
        return region;
      }
    }
    throw new IllegalArgumentException("no region in column " + column + ", row " + row);
  }

  static Region of(ObjectGroup group) {
    Bounds box = group.bounds();
    double minX = 1;
    double maxX = 0;
    double minY = 1;
    double maxY = 0;
    for (SceneObject object : group.objects()) {
      minX = Math.min(minX, object.x());
      maxX = Math.max(maxX, object.x());
      minY = Math.min(minY, object.y());
      maxY = Math.max(maxY, object.y());
    }
    int column = third(minX, maxX, box.centreX());
    int row = third(minY, maxY, box.centreY());
    return column < 0 || row < 0 ? NONE : at(column, row);
  }

  /** The third of an axis that a group clearly stands in, or -1. */
  private static int third(double min, double max, double centre) {
    if (centre < 0.35 && max < 0.46) {
      return 0;
    }
    if (centre > 0.65 && min > 0.54) {
      return 2;
    }
    return centre > 0.38 && centre < 0.62 ? 1 : -1;
  }
}
