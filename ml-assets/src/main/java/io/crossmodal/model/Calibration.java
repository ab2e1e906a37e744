/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Locale;

/**
 * From logits to a probability: p = sigmoid(scale (itm + lambda filter) + bias).
 *
 * <p>The filter's logit takes part because re-ranking by the matching logit alone can lose against
 * the filter (ALBEF ranks by ITM alone, BLIP adds the contrastive similarity). {@code lambda} is
 * chosen on validation pairs for the ranking; {@code scale} and {@code bias} are Platt scaling
 * (Platt 1999) on the same pairs and leave the ranking alone.
 *
 * @param lambda weight of the filter's logit, at least 0
 * @param scale above 0
 * @param bias any finite number
 */
public record Calibration(double lambda, double scale, double bias) {
  /** Matching and filter logits summed as they are. */
  public static final Calibration NONE = new Calibration(1, 1, 0);

  public Calibration {
    if (!(lambda >= 0) || !(scale > 0) || !Double.isFinite(lambda + scale + bias)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "lambda must be at least 0, scale above 0 and all finite, got %s, %s and %s",
              lambda,
              scale,
              bias));
    }
  }

  /** Returns what pairs are ranked by. */
  public double logit(float itm, float biEncoder) {
    return itm + lambda * biEncoder;
  }

  /** The probability, in [0, 1], that the pair matches. */
  public float probability(float itm, float biEncoder) {
    return (float) (1 / (1 + Math.exp(-(scale * logit(itm, biEncoder) + bias))));
  }
}
