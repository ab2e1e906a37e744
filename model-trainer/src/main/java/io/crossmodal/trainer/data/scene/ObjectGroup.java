/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.List;

/**
 * All objects of one kind and colour in a scene; they stand together, and no two groups of a scene
 * have the same kind and colour, so "three red cars" is exact.
 *
 * @param inRow whether the objects stand in one line
 */
public record ObjectGroup(
    ObjectKind kind, ObjectKind.Colour colour, boolean inRow, List<Member> objects) {

  public ObjectGroup {
    objects = List.copyOf(objects);
    if (objects.isEmpty() || objects.size() > kind.maxCount()) {
      throw new IllegalArgumentException(
          "a group of "
              + kind
              + " has 1 to "
              + kind.maxCount()
              + " objects, got "
              + objects.size());
    }
    if (!kind.colours().contains(colour)) {
      throw new IllegalArgumentException(kind + " comes in " + kind.colours() + ", got " + colour);
    }
  }

  public int count() {
    return objects.size();
  }

  /** Returns the box around all objects of the group. */
  public Bounds bounds() {
    return bounds(objects);
  }

  static Bounds bounds(List<Member> objects) {
    return objects.stream().map(Member::bounds).reduce(Bounds::union).orElseThrow();
  }

  /** Returns where in the frame the whole group clearly stands, or {@link Region#NONE}. */
  public Region region() {
    return Region.of(this);
  }

  /**
   * One object: its centre, its footprint before rotation (fractions of the picture's side) and its
   * angle (radians, clockwise).
   */
  public record Member(double x, double y, double width, double height, double angle) {

    public Member {
      if (!(width > 0 && height > 0)) {
        throw new IllegalArgumentException(
            "an object's width and height must be above 0, got " + width + " x " + height);
      }
    }

    /** Returns the axis-parallel box around the rotated footprint. */
    public Bounds bounds() {
      double cos = Math.abs(Math.cos(angle));
      double sin = Math.abs(Math.sin(angle));
      double halfX = (width * cos + height * sin) / 2;
      double halfY = (width * sin + height * cos) / 2;
      return new Bounds(x - halfX, y - halfY, x + halfX, y + halfY);
    }

    Member movedBy(double dx, double dy) {
      return new Member(x + dx, y + dy, width, height, angle);
    }
  }

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

    /** Returns the middle of the ninth, moved a little towards the middle of the frame. */
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
      for (ObjectGroup.Member object : group.objects()) {
        minX = Math.min(minX, object.x());
        maxX = Math.max(maxX, object.x());
        minY = Math.min(minY, object.y());
        maxY = Math.max(maxY, object.y());
      }
      int column = third(minX, maxX, box.centreX());
      int row = third(minY, maxY, box.centreY());
      return column < 0 || row < 0 ? NONE : at(column, row);
    }

    /** Returns the third of an axis that a group clearly stands in, or -1. */
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
}
