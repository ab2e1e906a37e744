/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.EnumSet;
import java.util.Set;

/** The ground that fills the picture. */
public enum Terrain {
  FARMLAND(EnumSet.of(ObjectColour.GREEN)),
  GRASSLAND(EnumSet.of(ObjectColour.GREEN)),
  FOREST(EnumSet.of(ObjectColour.GREEN)),
  DESERT(EnumSet.of(ObjectColour.BROWN, ObjectColour.YELLOW, ObjectColour.ORANGE)),
  BARE_SOIL(EnumSet.of(ObjectColour.BROWN, ObjectColour.ORANGE)),
  CITY(EnumSet.of(ObjectColour.GREY)),
  SEA(EnumSet.of(ObjectColour.BLUE)),
  COAST(EnumSet.of(ObjectColour.GREEN, ObjectColour.BLUE));

  @SuppressWarnings("ImmutableEnumChecker") // an immutable copy
  private final Set<ObjectColour> hiddenColours;

  Terrain(EnumSet<ObjectColour> hiddenColours) {
    this.hiddenColours = Set.copyOf(hiddenColours);
  }

  /** Whether an object of this colour stands out from this ground. */
  public boolean shows(ObjectColour colour) {
    return !hiddenColours.contains(colour);
  }

  /** Whether a road, railway or river may cross it. */
  public boolean allowsFeature() {
    return this != SEA && this != COAST;
  }
}
