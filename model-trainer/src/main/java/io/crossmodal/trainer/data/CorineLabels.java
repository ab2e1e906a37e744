/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * BigEarthNet's 43 CORINE classes and the 19 that they are gathered to.
 *
 * @see "Sumbul et al. 2021, BigEarthNet-MM, table 2"
 */
final class CorineLabels {
  /** A class of the 19 and those of the 43 that it gathers. */
  private record Group(String name, List<String> members) {}

  private static final List<Group> GROUPS =
      List.of(
          new Group(
              "Urban fabric", List.of("Continuous urban fabric", "Discontinuous urban fabric")),
          new Group("Industrial or commercial units", List.of("Industrial or commercial units")),
          new Group(
              "Arable land",
              List.of("Non-irrigated arable land", "Permanently irrigated land", "Rice fields")),
          new Group(
              "Permanent crops",
              List.of(
                  "Vineyards",
                  "Fruit trees and berry plantations",
                  "Olive groves",
                  "Annual crops associated with permanent crops")),
          new Group("Pastures", List.of("Pastures")),
          new Group("Complex cultivation patterns", List.of("Complex cultivation patterns")),
          new Group(
              "Land principally occupied by agriculture, with significant areas of "
                  + "natural vegetation",
              List.of(
                  "Land principally occupied by agriculture, with significant areas of "
                      + "natural vegetation")),
          new Group("Agro-forestry areas", List.of("Agro-forestry areas")),
          new Group("Broad-leaved forest", List.of("Broad-leaved forest")),
          new Group("Coniferous forest", List.of("Coniferous forest")),
          new Group("Mixed forest", List.of("Mixed forest")),
          new Group(
              "Natural grassland and sparsely vegetated areas",
              List.of("Natural grassland", "Sparsely vegetated areas")),
          new Group(
              "Moors, heathland and sclerophyllous vegetation",
              List.of("Moors and heathland", "Sclerophyllous vegetation")),
          new Group("Transitional woodland, shrub", List.of("Transitional woodland/shrub")),
          new Group("Beaches, dunes, sands", List.of("Beaches, dunes, sands")),
          new Group("Inland wetlands", List.of("Inland marshes", "Peatbogs")),
          new Group("Coastal wetlands", List.of("Salt marshes", "Salines")),
          new Group("Inland waters", List.of("Water courses", "Water bodies")),
          new Group("Marine waters", List.of("Coastal lagoons", "Estuaries", "Sea and ocean")));

  private static final Map<String, String> NINETEEN = nineteen();

  private CorineLabels() {}

  private static Map<String, String> nineteen() {
    Map<String, String> nineteen = new HashMap<>();
    for (Group group : GROUPS) {
      group.members().forEach(member -> nineteen.put(member, group.name()));
    }
    return Map.copyOf(nineteen);
  }

  /** The class of the 19; empty where there is none for it. */
  static Optional<String> nineteen(String label) {
    return Optional.ofNullable(NINETEEN.get(label));
  }
}
