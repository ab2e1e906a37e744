/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * The same place seen by two sensors.
 *
 * @param id unique in the data set
 * @param first files of the first sensor: one with all bands, or one a band
 * @param second files of the second sensor
 * @param labels what is there; empty where the data set has no labels. Training never looks at them
 * @param group tiles of one group touch or overlap, so they are never in two splits
 * @param split that it is in
 */
public record TilePair(
    String id, List<Path> first, List<Path> second, Set<String> labels, String group, Split split) {
  public TilePair {
    first = List.copyOf(first);
    second = List.copyOf(second);
    labels = Set.copyOf(labels);
  }
}
