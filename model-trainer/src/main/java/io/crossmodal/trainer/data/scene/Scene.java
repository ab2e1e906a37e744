/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What is in a picture: the ground, at most one linear feature, and one to three groups of objects
 * that neither overlap each other nor stand on the wrong ground.
 *
 * @param index the scene's number in its data set
 * @param shore present exactly where the terrain is {@link Terrain#COAST}
 * @param lookSeed textures, light and noise: what may differ between pictures of one caption
 * @param twin present where the scene was made from an earlier one by changing one attribute
 */
public record Scene(
    int index,
    Terrain terrain,
    Optional<Shore> shore,
    Optional<LinearFeature> feature,
    List<ObjectGroup> groups,
    long lookSeed,
    Optional<Twin> twin) {

  /** The earlier scene that this one is a near twin of, and the only thing that differs. */
  public record Twin(int of, Change change) {}

  /** The one attribute in which near twins differ. */
  public enum Change {
    COUNT,
    COLOUR,
    /** Two groups exchanged their colours. */
    COLOUR_SWAP,
    /** A group moved to the opposite side, or two groups exchanged their places. */
    SIDE,
    /** A road became a railway, a bridge went, and so on. */
    FEATURE
  }

  public Scene {
    groups = List.copyOf(groups);
    if (groups.isEmpty() || groups.size() > 3) {
      throw new IllegalArgumentException("a scene has 1 to 3 groups, got " + groups.size());
    }
    if (shore.isPresent() != (terrain == Terrain.COAST)) {
      throw new IllegalArgumentException("a shore belongs to COAST and only there: " + terrain);
    }
    Set<String> seen = new HashSet<>();
    for (ObjectGroup group : groups) {
      if (!seen.add(group.kind() + " " + group.colour())) {
        throw new IllegalArgumentException(
            "two groups of the same kind and colour: " + group.colour() + " " + group.kind());
      }
    }
  }

  /** How many objects of the kind there are, whatever their colour. */
  public int count(ObjectKind kind) {
    return groups.stream().filter(g -> g.kind() == kind).mapToInt(ObjectGroup::count).sum();
  }

  /** The group of this kind and colour, if there is one. */
  public Optional<ObjectGroup> group(ObjectKind kind, ObjectColour colour) {
    return groups.stream().filter(g -> g.kind() == kind && g.colour() == colour).findFirst();
  }

  /**
   * Everything that a full description could say: equal signatures cannot be told apart by words.
   */
  public String signature() {
    StringBuilder text = new StringBuilder(terrain.name());
    shore.ifPresent(s -> text.append(" sea ").append(s.side()));
    feature.ifPresent(
        f ->
            text.append(' ')
                .append(f.kind())
                .append(' ')
                .append(f.direction())
                .append(' ')
                .append(f.crossing()));
    groups.stream()
        .map(
            g ->
                " | "
                    + g.count()
                    + " "
                    + g.colour()
                    + " "
                    + g.kind()
                    + " "
                    + g.region()
                    + (g.inRow() ? " row" : ""))
        .sorted()
        .forEach(text::append);
    return text.toString();
  }
}
