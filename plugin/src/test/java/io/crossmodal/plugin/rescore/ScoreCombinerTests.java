/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import org.opensearch.test.OpenSearchTestCase;

public class ScoreCombinerTests extends OpenSearchTestCase {
  private static final ScoreCombiner REPLACE = new ScoreCombiner(FusionScoreMode.REPLACE, 1, 1);

  public void testNoUntouchedHitReachesARescoredOne() {
    float worst = REPLACE.rescored(0, 0);
    for (float score :
        new float[] {0, 1e-30f, 0.5f, 1, 25, 1e9f, Float.MAX_VALUE, Float.POSITIVE_INFINITY}) {
      assertTrue(score + " is squeezed below 1", REPLACE.untouched(score) < worst);
      assertTrue(REPLACE.untouched(score) >= 0);
    }
  }

  public void testSqueezeKeepsTheOrder() {
    float low = randomFloat() * 50;
    float high = low * (1 + randomFloat());
    assertTrue(REPLACE.untouched(low) <= REPLACE.untouched(high));
    assertTrue(REPLACE.untouched(0.5f) < REPLACE.untouched(0.500001f));
  }

  public void testModesAreThoseOfCore() {
    float first = randomFloat() * 10;
    float p = randomFloat();
    float w = randomFloat();
    float v = randomFloat();
    for (FusionScoreMode mode : FusionScoreMode.values()) {
      if (mode != FusionScoreMode.REPLACE) {
        float expected =
            org.opensearch.search.rescore.QueryRescoreMode.valueOf(
                    mode == FusionScoreMode.MULTIPLY
                        ? "Multiply"
                        : mode.name().charAt(0)
                            + mode.name().substring(1).toLowerCase(java.util.Locale.ROOT))
                .combine(first * w, p * v);
        assertEquals(mode.name(), expected, new ScoreCombiner(mode, w, v).rescored(first, p), 0);
        assertEquals(first * w, new ScoreCombiner(mode, w, v).untouched(first), 0);
      }
    }
  }

  public void testBadWeights() {
    for (float weight : new float[] {-1, Float.NaN, Float.POSITIVE_INFINITY}) {
      expectThrows(
          IllegalArgumentException.class, () -> new ScoreCombiner(FusionScoreMode.AVG, weight, 1));
      expectThrows(
          IllegalArgumentException.class, () -> new ScoreCombiner(FusionScoreMode.AVG, 1, weight));
    }
    expectThrows(
        IllegalArgumentException.class, () -> new ScoreCombiner(FusionScoreMode.REPLACE, 2, 1));
  }
}
