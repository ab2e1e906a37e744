/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Content of a picture: the ground, at most one linear feature, and one to three groups of objects
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
    Optional<Coastline> shore,
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

  /** Returns how many objects of the kind there are, whatever their colour. */
  public int count(ObjectKind kind) {
    return groups.stream().filter(g -> g.kind() == kind).mapToInt(ObjectGroup::count).sum();
  }

  /** Returns the group of this kind and colour, if there is one. */
  public Optional<ObjectGroup> group(ObjectKind kind, Colour colour) {
    return groups.stream().filter(g -> g.kind() == kind && g.colour() == colour).findFirst();
  }

  /** Returns whether there is a group of this kind and colour, and of this property. */
  boolean has(ObjectKind kind, Colour colour, Predicate<ObjectGroup> property) {
    return group(kind, colour).filter(property).isPresent();
  }

  /**
   * Returns everything that a full description could say: equal signatures cannot be told apart by
   * words.
   */
  public String signature() {
    StringBuilder text = new StringBuilder(terrain.name());
    shore.ifPresent(s -> text.append(" sea ").append(s.side()));
    feature.ifPresent(f -> text.append(" " + f.kind() + " " + f.direction() + " " + f.crossing()));
    groups.stream()
        .map(
            g ->
                String.format(
                    Locale.ROOT,
                    " | %d %s %s %s%s",
                    g.count(),
                    g.colour(),
                    g.kind(),
                    g.region(),
                    g.inRow() ? " row" : ""))
        .sorted()
        .forEach(text::append);
    return text.toString();
  }

  /**
   * Line where land meets the sea.
   *
   * @param side the side of the picture that the sea is on: LEFT, RIGHT, TOP or BOTTOM
   * @param depth how far the sea reaches in, 0 to 1
   * @param amplitude of the shore line's bends
   * @param phase of the bends, radians
   */
  public record Coastline(Region side, double depth, double amplitude, double phase) {

    public Coastline {
      if (side != Region.LEFT
          && side != Region.RIGHT
          && side != Region.TOP
          && side != Region.BOTTOM) {
        throw new IllegalArgumentException(
            "the sea is on the LEFT, RIGHT, TOP or BOTTOM, got " + side);
      }
    }

    /** Returns the distance to the shore line: above 0 in the sea, below 0 on land. */
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

    /** Returns whether the whole box is in the sea, or on land, with a margin. */
    boolean holds(Bounds box, boolean inSea) {
      for (double u = 0; u <= 1; u += 0.5) {
        for (double v = 0; v <= 1; v += 0.5) {
          double seaward = seaward(box.minX() + u * box.width(), box.minY() + v * box.height());
          if (inSea ? seaward < 0.02 : seaward > -0.03) {
            return false;
          }
        }
      }
      return true;
    }
  }

  /** The ground that fills the picture. */
  public enum Terrain {
    FARMLAND(EnumSet.of(Colour.GREEN)),
    GRASSLAND(EnumSet.of(Colour.GREEN)),
    FOREST(EnumSet.of(Colour.GREEN)),
    DESERT(EnumSet.of(Colour.BROWN, Colour.YELLOW, Colour.ORANGE)),
    BARE_SOIL(EnumSet.of(Colour.BROWN, Colour.ORANGE)),
    CITY(EnumSet.of(Colour.GREY)),
    SEA(EnumSet.of(Colour.BLUE)),
    COAST(EnumSet.of(Colour.GREEN, Colour.BLUE));

    @SuppressWarnings("ImmutableEnumChecker") // an immutable copy
    private final Set<Colour> hiddenColours;

    Terrain(EnumSet<Colour> hiddenColours) {
      this.hiddenColours = Set.copyOf(hiddenColours);
    }

    /** Returns whether an object of this colour stands out from this ground. */
    public boolean shows(Colour colour) {
      return !hiddenColours.contains(colour);
    }

    /** Returns whether a road, railway or river may cross it. */
    public boolean allowsFeature() {
      return this != SEA && this != COAST;
    }
  }
}
