/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.scoring;

import io.crossmodal.model.PairLogits;
import io.crossmodal.plugin.inference.batching.JobTimes;

/**
 * The answer of the fusion encoder for B pairs.
 *
 * @param logits of each pair
 * @param model that gave them: its calibration belongs to them, whatever the id stands for by now
 * @param times what they cost
 */
public record Scores(PairLogits logits, ScoredBy model, JobTimes times) {
  /** Matching logits, as {@link PairLogits#itm}. */
  public float[] itm() {
    return logits.itm();
  }

  /** Filter logits, as {@link PairLogits#filter}. */
  public float[] filter() {
    return logits.filter();
  }
}
