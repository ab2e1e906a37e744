/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.util.HashMap;
import java.util.Map;

/** Complete sets of options to start from. */
public enum Recipe {
  /**
   * What section 4.2 states: ITM, MLM and MVJRC with equal weights, negatives drawn uniformly, 60
   * epochs. Decision 0009 says what it leaves open. It trains no bi-encoder: distil one afterwards,
   * or rank by the fusion encoder alone.
   */
  PAPER(60),
  /** What trains a small model from scratch on a CPU best, as far as docs/results measured. */
  SCRATCH(1.5),
  /**
   * Photographs from scratch: the bi-encoder first, then ITM and MLM beside it. Shared out for 30
   * and 60 minutes on two quiet cores; docs/results/photographs.md says what was measured.
   */
  PHOTOGRAPHS(13.6),
  /**
   * Photographs from pretrained towers: the bi-encoder alone, over features of the frozen first
   * part of EfficientNet-Lite; {@code train-fusion} follows. Starts from what {@code import
   * --preset AERIAL} makes.
   */
  AERIAL(4),
  /** From weights that have learnt already, at a rate that keeps what they know. */
  FINE_TUNE(5);

  private final double epochs;

  Recipe(double epochs) {
    this.epochs = epochs;
  }

  /** Passes over all pairs of an image and one of its captions. */
  public double epochs() {
    return epochs;
  }

  /** Returns the options, as {@code recipes.json} has them; seed and steps are for the caller. */
  public TrainingOptions options() {
    Map<String, Object> values = new HashMap<>(OptionRecords.recipe(TrainingOptions.class, name()));
    values.put("steps", 1);
    return OptionRecords.of(TrainingOptions.class, values);
  }

  /**
   * Returns the optimiser steps of so many epochs.
   *
   * @param pairs captions of the training split
   * @param perStep pairs that a step takes in
   */
  public static int steps(double epochs, long pairs, int perStep) {
    double steps = Math.ceil(epochs * pairs / perStep);
    if (!(steps >= 1 && steps <= Integer.MAX_VALUE)) {
      throw new IllegalArgumentException(
          "epochs must be above 0 and give at most 2^31 steps, got " + epochs);
    }
    return (int) steps;
  }
}
