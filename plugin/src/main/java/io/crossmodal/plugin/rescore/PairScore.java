/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.inference.scoring.ScoredBy;

/** The score of a query and a document, with what it was made of. */
public sealed interface PairScore permits PairScore.Fused, PairScore.Compared {
  /** What hits are ranked by, in [0, 1]; NaN where the model gave no number. */
  float p();

  /** The model that gave it. */
  ScoredBy model();

  /**
   * A text and an image.
   *
   * @param p probability of a match
   * @param itm logit of the fusion encoder
   * @param filter logit of the filter
   */
  record Fused(float p, float itm, float filter, ScoredBy model) implements PairScore {
    static Fused of(float itm, float filter, ScoredBy model) {
      return new Fused(model.calibration().probability(itm, filter), itm, filter, model);
    }

    /** What makes p of the logits. */
    public Calibration calibration() {
      return model.calibration();
    }
  }

  /**
   * Two images.
   *
   * @param p probability that both show one place; without a calibration (1 + MaxSim) / 2, which is
   *     none
   * @param maxSim how alike their patches are, in [-1, 1]
   * @param calibration what makes p of it, by the sensors of both; null for none
   */
  record Compared(float p, float maxSim, SensorCalibration calibration, ScoredBy model)
      implements PairScore {
    static Compared of(float maxSim, SensorCalibration calibration, ScoredBy model) {
      float p =
          calibration == null
              // Sums of cosines may leave [-1, 1] by a rounding.
              ? Math.max(0, Math.min(1, (1 + maxSim) / 2))
              : calibration.probability(maxSim);
      return new Compared(p, maxSim, calibration, model);
    }
  }
}
