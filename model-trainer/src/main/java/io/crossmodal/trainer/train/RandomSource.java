/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Random numbers of a run that do not depend on what was drawn before, so that a resumed run draws
 * what the uninterrupted one would have.
 *
 * @param seed of the run
 */
public record RandomSource(long seed) {
  /** Returns a generator of its own for each purpose and index. */
  public SplittableRandom random(int purpose, long index) {
    long mixed = (seed * 0x9E3779B97F4A7C15L + purpose) * 0xBF58476D1CE4E5B9L + index;
    return new SplittableRandom(mixed * 0x94D049BB133111EBL);
  }

  /** Returns the numbers below {@code size}, shuffled. */
  public int[] order(int purpose, long index, int size) {
    int[] order = IntStream.range(0, size).toArray();
    SplittableRandom random = random(purpose, index);
    for (int i = order.length - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swap = order[i];
      order[i] = order[j];
      order[j] = swap;
    }
    return order;
  }
}
