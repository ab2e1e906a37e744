/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Calibration;
import io.crossmodal.plugin.inference.ScoredBy;

/**
 * The fusion score of a query and a document, with what it was made of.
 *
 * @param p probability of a match, in [0, 1]; NaN where the model gave no number
 * @param itm logit of the fusion encoder
 * @param filter logit of the filter
 * @param model that gave the logits
 */
public record PairScore(float p, float itm, float filter, ScoredBy model) {
  static PairScore of(float itm, float filter, ScoredBy model) {
    return new PairScore(model.calibration().probability(itm, filter), itm, filter, model);
  }

  /** What makes p of the logits. */
  public Calibration calibration() {
    return model.calibration();
  }
}
