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
    ObjectKind kind, ObjectColour colour, boolean inRow, List<SceneObject> objects) {

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

  /** The box around all objects of the group. */
  public Bounds bounds() {
    Bounds all = objects.get(0).bounds();
    for (SceneObject object : objects) {
      all = all.union(object.bounds());
    }
    return all;
  }

  /** Where in the frame the whole group clearly stands, or {@link Region#NONE}. */
  public Region region() {
    return Region.of(this);
  }
}
