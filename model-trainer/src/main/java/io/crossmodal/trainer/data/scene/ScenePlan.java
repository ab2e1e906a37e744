/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.LinearFeature.Crossing;
import io.crossmodal.trainer.data.scene.LinearFeature.Direction;
import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import io.crossmodal.trainer.data.scene.Scene.Change;
import io.crossmodal.trainer.data.scene.Scene.Coastline;
import io.crossmodal.trainer.data.scene.Scene.Terrain;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Plan of a scene's content, before every object has its place: how plans are drawn, and how they
 * are changed for near twins.
 */
record ScenePlan(
    Terrain terrain,
    Optional<Coastline> shore,
    Optional<LinearFeature> feature,
    List<GroupPlan> groups) {

  /** Arrangement of the objects of a group. */
  enum Arrangement {
    CLUSTER,
    ROW_ACROSS,
    ROW_DOWN,
    /** In a line along the scene's linear feature; the region is then left to the feature. */
    ALONG_FEATURE
  }

  record GroupPlan(
      ObjectKind kind, Colour colour, int count, Region region, Arrangement arrangement) {

    GroupPlan withColour(Colour newColour) {
      return new GroupPlan(kind, newColour, count, region, arrangement);
    }

    GroupPlan withCount(int newCount) {
      Arrangement kept = newCount < 3 ? Arrangement.CLUSTER : arrangement;
      return new GroupPlan(kind, colour, newCount, region, kept);
    }

    GroupPlan withRegion(Region newRegion) {
      return new GroupPlan(kind, colour, count, newRegion, arrangement);
    }
  }

  ScenePlan {
    groups = List.copyOf(groups);
  }

  ScenePlan withGroup(int at, GroupPlan group) {
    List<GroupPlan> changed = new ArrayList<>(groups);
    changed.set(at, group);
    return new ScenePlan(terrain, shore, feature, changed);
  }

  ScenePlan withFeature(LinearFeature changed) {
    return new ScenePlan(terrain, shore, Optional.of(changed), groups);
  }

  boolean hasDistinctGroups() {
    return groups.stream().map(g -> g.kind() + " " + g.colour()).distinct().count()
        == groups.size();
  }

  /** Returns this plan with one attribute of it changed, or nothing where that cannot be. */
  Optional<ScenePlan> changed(Change change, SceneRandom random) {
    int at = random.below(groups.size());
    GroupPlan group = groups.get(at);
    switch (change) {
      case COUNT -> {
        int count = group.count() + (random.chance(0.5) ? 1 : -1);
        boolean line = group.arrangement() == Arrangement.ALONG_FEATURE;
        return count < (line ? 3 : 1) || count > group.kind().maxCount()
            ? Optional.empty()
            : Optional.of(withGroup(at, group.withCount(count)));
      }
      case COLOUR -> {
        List<Colour> others = new ArrayList<>(group.kind().colours());
        others.removeIf(c -> c == group.colour() || !terrain.shows(c));
        return others.isEmpty()
            ? Optional.empty()
            : Optional.of(withGroup(at, group.withColour(random.pick(others))));
      }
      case COLOUR_SWAP -> {
        return swapColours(at, random.below(groups.size()));
      }
      case SIDE -> {
        return changeSide(at, random);
      }
      default -> {
        return feature.map(f -> withFeature(changeFeature(f, random)));
      }
    }
  }

  private Optional<ScenePlan> swapColours(int a, int b) {
    GroupPlan first = groups.get(a);
    GroupPlan second = groups.get(b);
    if (first.colour() == second.colour()
        || !first.kind().colours().contains(second.colour())
        || !second.kind().colours().contains(first.colour())
        || (first.kind() == second.kind() && first.count() == second.count())) {
      return Optional.empty();
    }
    return Optional.of(
        withGroup(a, first.withColour(second.colour()))
            .withGroup(b, second.withColour(first.colour())));
  }

  private Optional<ScenePlan> changeSide(int a, SceneRandom random) {
    GroupPlan first = groups.get(a);
    int b = random.below(groups.size());
    GroupPlan second = groups.get(b);
    if (first.region() == Region.NONE || second.region() == Region.NONE) {
      return Optional.empty();
    }
    if (a != b) {
      return Optional.of(
          withGroup(a, first.withRegion(second.region()))
              .withGroup(b, second.withRegion(first.region())));
    }
    Region moved = first.region().mirrored(random.chance(0.5));
    boolean taken = groups.stream().anyMatch(g -> g.region() == moved);
    return taken ? Optional.empty() : Optional.of(withGroup(a, first.withRegion(moved)));
  }

  private static LinearFeature changeFeature(LinearFeature feature, SceneRandom random) {
    if (feature.crossing() != Crossing.NONE) {
      return feature.bare(feature.kind());
    }
    List<LinearFeature.Kind> others = new ArrayList<>(List.of(LinearFeature.Kind.values()));
    others.remove(feature.kind());
    return feature.bare(random.pick(others));
  }

  /** Draws ground, shore and linear feature; groups are still to come. */
  static ScenePlan empty(SceneRandom random) {
    Terrain terrain = random.weighted(List.of(Terrain.values()), 16, 14, 12, 14, 13, 15, 5, 11);
    Optional<Coastline> shore =
        terrain == Terrain.COAST ? Optional.of(shore(random)) : Optional.empty();
    Optional<LinearFeature> feature =
        terrain.allowsFeature() && random.chance(0.62)
            ? Optional.of(feature(random))
            : Optional.empty();
    return new ScenePlan(terrain, shore, feature, List.of());
  }

  /** Draws groups for this ground, without places. */
  List<GroupPlan> draw(int wanted, SceneRandom random) {
    List<GroupPlan> drawn = new ArrayList<>();
    while (drawn.size() < wanted) {
      ObjectKind kind = kind(drawn, random);
      Colour colour = random.pick(kind.colours());
      boolean taken = drawn.stream().anyMatch(g -> g.kind() == kind && g.colour() == colour);
      if (terrain.shows(colour) && !taken) {
        int count = 1 + random.below(kind.maxCount());
        Arrangement arrangement = arrangement(kind, count, random);
        drawn.add(new GroupPlan(kind, colour, count, Region.NONE, arrangement));
      }
    }
    return drawn;
  }

  private ObjectKind kind(List<GroupPlan> drawn, SceneRandom random) {
    if (!drawn.isEmpty() && random.chance(0.22)) {
      // The same kind in another colour: only a model that binds colour to count gets it right.
      return drawn.get(0).kind();
    }
    if (terrain == Terrain.COAST && random.chance(0.35)) {
      return ObjectKind.SHIP;
    }
    while (true) {
      ObjectKind kind = random.pick(List.of(ObjectKind.values()));
      if (kind.fits(terrain)) {
        return kind;
      }
    }
  }

  private Arrangement arrangement(ObjectKind kind, int count, SceneRandom random) {
    boolean straight = feature.isPresent() && !feature.get().direction().diagonal();
    if (straight && kind.mayLineFeature() && count >= 3 && count <= 5 && random.chance(0.6)) {
      return Arrangement.ALONG_FEATURE;
    }
    if (count >= 3 && random.chance(0.4)) {
      return random.chance(0.5) ? Arrangement.ROW_ACROSS : Arrangement.ROW_DOWN;
    }
    return Arrangement.CLUSTER;
  }

  /** Returns this plan with groups, each with a ninth of the frame of its own, on its ground. */
  ScenePlan withGroups(List<GroupPlan> drawn, SceneRandom random) {
    List<Region> free = new ArrayList<>(List.of(Region.values()));
    free.remove(Region.NONE);
    random.shuffle(free);
    List<GroupPlan> placed = new ArrayList<>();
    for (GroupPlan group : drawn) {
      Region region = Region.NONE;
      if (group.arrangement() != Arrangement.ALONG_FEATURE) {
        region = free.stream().filter(r -> suits(group, r)).findFirst().orElse(free.get(0));
        free.remove(region);
      }
      placed.add(group.withRegion(region));
    }
    return new ScenePlan(terrain, shore, feature, placed);
  }

  private boolean suits(GroupPlan group, Region region) {
    double x = region.anchorX();
    double y = region.anchorY();
    if (shore.isPresent()) {
      double seaward = shore.get().seaward(x, y);
      return group.kind().floats() ? seaward > 0.07 : seaward < -0.08;
    }
    if (feature.isPresent()) {
      return feature.get().gapTo(new Bounds(x, y, x, y)) > 0.06;
    }
    return true;
  }

  private static Coastline shore(SceneRandom random) {
    Region side = random.pick(List.of(Region.LEFT, Region.RIGHT, Region.TOP, Region.BOTTOM));
    return new Coastline(
        side, random.between(0.36, 0.54), random.between(0.01, 0.035), random.between(0, 6.28));
  }

  private static LinearFeature feature(SceneRandom random) {
    LinearFeature.Kind kind = random.weighted(List.of(LinearFeature.Kind.values()), 45, 25, 30);
    Direction direction = random.weighted(List.of(Direction.values()), 36, 36, 14, 14);
    double offset =
        direction.diagonal()
            ? 0.5
            : 0.5 + random.pick(List.of(-0.17, 0.0, 0.17)) + random.between(-0.05, 0.05);
    double amplitude =
        kind == LinearFeature.Kind.RIVER
            ? random.between(0.015, 0.045)
            : random.between(0, kind == LinearFeature.Kind.ROAD ? 0.02 : 0.012);
    Crossing crossing = Crossing.NONE;
    if (kind == LinearFeature.Kind.RIVER && random.chance(0.45)) {
      crossing = Crossing.BRIDGE;
    } else if (kind == LinearFeature.Kind.ROAD && random.chance(0.25)) {
      crossing = Crossing.ROUNDABOUT;
    }
    return new LinearFeature(
        kind,
        direction,
        offset,
        amplitude,
        random.between(0, 6.28),
        crossing,
        random.between(0.25, 0.75));
  }
}
