/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import java.util.Objects;

/**
 * Combines a hit's first score with its fusion score, for the search and for explain alike (step 8
 * of ARCHITECTURE.md).
 *
 * <p>With {@link FusionScoreMode#REPLACE} a rescored hit scores 1 + p, which lies in [1, 2], and
 * any other hit s / (1 + s), which lies in [0, 1) and keeps the first pass's order: no hit without
 * a fusion score comes before one with it, on any shard. The squeeze is not strict: far from 1,
 * first-pass scores that differ in their last digits may become equal. The other modes are core's
 * {@code QueryRescoreMode}: a rescored hit's two scores, each times its weight, are combined; any
 * other hit has its first-pass score times its weight.
 *
 * @param mode how scores are combined
 * @param queryWeight of the first pass; finite, at least 0
 * @param rescoreQueryWeight of the fusion score; finite, at least 0
 */
public record ScoreCombiner(FusionScoreMode mode, float queryWeight, float rescoreQueryWeight) {
  private static final float BELOW_ONE = Math.nextDown(1f);

  public ScoreCombiner {
    Objects.requireNonNull(mode, "mode");
    checkWeight("query_weight", queryWeight);
    checkWeight("rescore_query_weight", rescoreQueryWeight);
    if (mode == FusionScoreMode.REPLACE && (queryWeight != 1 || rescoreQueryWeight != 1)) {
      throw new IllegalArgumentException(
          "[query_weight] and [rescore_query_weight] have no effect with [score_mode: replace],"
              + " leave them out or use another mode");
    }
  }

  private static void checkWeight(String name, float weight) {
    if (!(weight >= 0) || !Float.isFinite(weight)) {
      throw new IllegalArgumentException(
          "[" + name + "] must be finite and at least 0, got [" + weight + "]");
    }
  }

  /**
   * Returns the score of a hit that has a fusion score.
   *
   * @param firstPass at least 0
   * @param probability the fusion score, in [0, 1]
   */
  public float rescored(float firstPass, float probability) {
    float first = firstPass * queryWeight;
    float second = probability * rescoreQueryWeight;
    return switch (mode) {
      case REPLACE -> 1 + probability;
      case TOTAL -> first + second;
      case MULTIPLY -> first * second;
      case AVG -> (first + second) / 2;
      case MAX -> Math.max(first, second);
      case MIN -> Math.min(first, second);
    };
  }

  /**
   * Returns the score of a hit that has no fusion score.
   *
   * @param firstPass at least 0
   */
  public float untouched(float firstPass) {
    return mode == FusionScoreMode.REPLACE
        // In double, and below 1 even where the quotient rounds to it or the score is infinite.
        ? Math.min(BELOW_ONE, (float) (1 - 1 / (1 + (double) firstPass)))
        : firstPass * queryWeight;
  }
}
