/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import java.util.List;

/**
 * Depths of re-ranking by the fusion encoder: at the first stage's best k answers, for several k,
 * and perhaps at all.
 *
 * @param ks candidates of a query, ascending, each at least 1
 * @param full whether every pair is scored, which is quadratic
 */
public record Depths(List<Integer> ks, boolean full) {
  public Depths {
    for (int k : ks) {
      if (k < 1) {
        throw new IllegalArgumentException("k must be at least 1, got " + k);
      }
    }
    ks = ks.stream().distinct().sorted().toList();
    if (ks.isEmpty() && !full) {
      throw new IllegalArgumentException("no k is given; name at least one, or score in full");
    }
  }

  /** Returns the largest k; without one, no limit. */
  public int largest() {
    return ks.isEmpty() ? Integer.MAX_VALUE : ks.get(ks.size() - 1);
  }

  /**
   * Returns these without what an archive is too small for; one that is smaller than every k is
   * scored in full, which then costs less than was asked for.
   */
  Depths within(int images) {
    List<Integer> fitting = ks.stream().filter(k -> k <= images).toList();
    return new Depths(fitting, full || fitting.isEmpty());
  }
}
