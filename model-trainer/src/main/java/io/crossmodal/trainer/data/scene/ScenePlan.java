/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import io.crossmodal.trainer.data.scene.ObjectGroup.Region;
import io.crossmodal.trainer.data.scene.ObjectKind.Colour;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What a scene shall contain, before every object has its place. Near twins change a plan. */
record ScenePlan(
    Scene.Terrain terrain,
    Optional<Scene.Coastline> shore,
    Optional<LinearFeature> feature,
    List<GroupPlan> groups) {

  /** How the objects of a group stand. */
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
}
