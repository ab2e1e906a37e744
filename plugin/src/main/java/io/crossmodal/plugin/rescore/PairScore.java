/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.inference.scoring.ScoringService.ModelInfo;
import java.util.Map;

/** The score of a query and a document, with what it was made of. */
sealed interface PairScore permits PairScore.Fused, PairScore.Compared {
  /** Returns what hits are ranked by, in [0, 1]; NaN where the model gave no number. */
  float p();

  /** Returns the model that gave it. */
  ModelInfo model();

  /** Adds what p was made of to the description of a hit. */
  void describe(Map<String, Object> object);

  /**
   * A text and an image.
   *
   * @param p probability of a match
   * @param itm logit of the fusion encoder
   * @param preRank logit of the pre-ranker
   */
  record Fused(float p, float itm, float preRank, ModelInfo model) implements PairScore {
    static Fused of(float itm, float preRank, ModelInfo model) {
      return new Fused(model.calibration().probability(itm, preRank), itm, preRank, model);
    }

    @Override
    public void describe(Map<String, Object> object) {
      object.put("itm", itm);
      object.put("filter", preRank);
      object.put("lambda", model.calibration().lambda());
      object.put("scale", model.calibration().scale());
      object.put("bias", model.calibration().bias());
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
  record Compared(float p, float maxSim, SensorCalibration calibration, ModelInfo model)
      implements PairScore {
    static Compared of(float maxSim, SensorCalibration calibration, ModelInfo model) {
      float p =
          calibration == null
              // Sums of cosines may leave [-1, 1] by a rounding.
              ? Math.max(0, Math.min(1, (1 + maxSim) / 2))
              : calibration.probability(maxSim);
      return new Compared(p, maxSim, calibration, model);
    }

    @Override
    public void describe(Map<String, Object> object) {
      object.put("max_sim", maxSim);
      if (calibration != null) {
        object.put("query_sensor", calibration.query());
        object.put("sensor", calibration.archive());
        object.put("scale", calibration.scale());
        object.put("bias", calibration.bias());
      }
    }
  }
}
