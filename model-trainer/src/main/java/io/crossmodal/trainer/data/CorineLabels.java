/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonElement;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * BigEarthNet's 43 CORINE classes and the 19 that they are gathered to, from {@code corine.json}.
 *
 * @see "Sumbul et al. 2021, BigEarthNet-MM, table 2"
 */
final class CorineLabels {
  private static final Map<String, String> NINETEEN = nineteen();

  private CorineLabels() {}

  private static Map<String, String> nineteen() {
    Map<String, String> nineteen = new HashMap<>();
    TextFiles.resource(CorineLabels.class, "corine.json")
        .asMap()
        .forEach(
            (name, members) -> {
              for (JsonElement member : members.getAsJsonArray()) {
                nineteen.put(member.getAsString(), name);
              }
            });
    return Map.copyOf(nineteen);
  }

  /** Returns the class of the 19; empty where there is none for it. */
  static Optional<String> nineteen(String label) {
    return Optional.ofNullable(NINETEEN.get(label));
  }
}
