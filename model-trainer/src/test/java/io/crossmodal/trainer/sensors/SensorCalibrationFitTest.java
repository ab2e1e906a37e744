/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorCalibration;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SensorCalibrationFitTest {
  private static final int TILES = 3000;
  private static final double DEVIATION = 0.01;
  private static final double OTHERS = 0.80;

  /**
   * MaxSim of tiles that belong together and of others, normal with one deviation: then the odds
   * are a logistic function of it, whose scale and bias are known.
   */
  private static double[][] alike(Random random, double own, int others) {
    double[][] alike = new double[TILES][1 + others];
    for (double[] values : alike) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (i == 0 ? own : OTHERS) + DEVIATION * random.nextGaussian();
      }
    }
    return alike;
  }

  @Test
  void findsTheLogisticThatTheTilesWereDrawnFrom() {
    long seed = System.nanoTime();
    double own = 0.82;
    double variance = DEVIATION * DEVIATION;
    double scale = (own - OTHERS) / variance;
    for (int others : new int[] {20, 50}) {
      SensorCalibration fitted =
          SensorCalibrationFit.maxSim("s1", "s2", alike(new Random(seed), own, others), TILES)
              .orElseThrow();
      assertEquals("s1", fitted.query());
      assertEquals("s2", fitted.archive());
      assertEquals(scale, fitted.scale(), 0.1 * scale, "seed " + seed);
      // Where a tile is as likely its own one as not: however few others were drawn, it is one
      // among all.
      double even = (own + OTHERS) / 2 + Math.log(TILES - 1) / scale;
      assertEquals(even, -fitted.bias() / fitted.scale(), 0.2 * DEVIATION, "seed " + seed);
    }
  }

  @Test
  void whatTellsNothingIsLeftOut() {
    long seed = System.nanoTime();
    for (double own : new double[] {OTHERS - 0.2 * DEVIATION, OTHERS - 2 * DEVIATION}) {
      assertTrue(
          SensorCalibrationFit.maxSim("s1", "s2", alike(new Random(seed), own, 20), TILES)
              .isEmpty(),
          "seed " + seed);
    }
    double[][] same = new double[TILES][21];
    assertTrue(SensorCalibrationFit.maxSim("s1", "s2", same, TILES).isEmpty());
  }
}
