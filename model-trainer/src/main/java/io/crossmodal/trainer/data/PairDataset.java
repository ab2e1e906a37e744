/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * Pairs of tiles of two sensors, as their lists say; nothing is decoded yet.
 *
 * @param name of the data set
 * @param first the sensor of {@link TilePair#first}
 * @param second the sensor of {@link TilePair#second}
 * @param pairs usable ones
 * @param problems what was left out, a line each
 * @param problemsLeft how many more tiles may be bad
 */
public record PairDataset(
    String name,
    SensorSource first,
    SensorSource second,
    List<TilePair> pairs,
    List<String> problems,
    int problemsLeft) {
  public PairDataset {
    pairs = List.copyOf(pairs);
    problems = List.copyOf(problems);
    if (first.name().equals(second.name())) {
      throw new IllegalArgumentException("two sensors are needed, got " + first.name() + " twice");
    }
  }

  /** Returns the pairs of a split, in the data set's order. */
  public List<TilePair> split(Split split) {
    return pairs.stream().filter(pair -> pair.split() == split).toList();
  }

  /**
   * The same place seen by two sensors.
   *
   * @param id unique in the data set
   * @param first files of the first sensor: one with all bands, or one a band
   * @param second files of the second sensor
   * @param labels what is there; empty where the data set has no labels. Training never looks at
   *     them
   * @param group tiles of one group touch or overlap, so they are never in two splits
   * @param place that the tiles show; pairs of one place, at other times, are no negatives of each
   *     other
   * @param split that it is in
   */
  public record TilePair(
      String id,
      List<Path> first,
      List<Path> second,
      Set<String> labels,
      String group,
      String place,
      Split split) {
    public TilePair {
      first = List.copyOf(first);
      second = List.copyOf(second);
      labels = Set.copyOf(labels);
    }
  }
}
