/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.List;

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
}
