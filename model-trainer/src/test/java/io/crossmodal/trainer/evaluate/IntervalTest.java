/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.train.MicroTraining;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class IntervalTest {
  private final SplittableRandom random = new SplittableRandom(MicroTraining.seed());

  /** Of n pictures with one caption each, whose ranks are 1 or beyond all cuts, alike both ways. */
  @Test
  void itIsAsWideAsAShareOfSoManyPicturesLeavesOpen() {
    for (int n : new int[] {100, 1600}) {
      int[] ranks = new int[n];
      Arrays.setAll(ranks, i -> i % 2 == 0 ? 1 : 99);
      Interval interval = Interval.of(ranks, ranks, t -> t);
      double expected = 2 * 1.96 * 100 * Math.sqrt(0.25 / n);
      assertEquals(expected, interval.high() - interval.low(), 0.15 * expected, "" + n);
      assertEquals(50, (interval.high() + interval.low()) / 2, 0.1 * expected);
      assertEquals(interval, Interval.of(ranks, ranks, t -> t));
    }
  }

  /** Five captions that are found or missed together are no five times as much evidence. */
  @Test
  void picturesAreDrawnWithTheirCaptions() {
    int n = 200;
    int[] images = new int[n];
    Arrays.setAll(images, i -> random.nextBoolean() ? 1 : 99);
    int[] texts = new int[5 * n];
    Arrays.setAll(texts, t -> images[t / 5]);
    Interval one = Interval.of(images, images, t -> t);
    Interval five = Interval.of(images, texts, t -> t / 5);
    assertEquals(one.high() - one.low(), five.high() - five.low(), 0.5);
    assertTrue(five.low() < five.high());
  }
}
