/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.trainer.data.Augmentation;

/** Complete sets of options to start from. */
public enum Recipe {
  /**
   * What section 4.2 states: ITM, MLM and MVJRC with equal weights, negatives drawn uniformly, 60
   * epochs. Decision 0009 says what it leaves open. It trains no filter: distil one afterwards, or
   * rank by the fusion encoder alone.
   */
  PAPER(60),
  /** What trains a small model from scratch on a CPU best, as far as docs/results measured. */
  SCRATCH(1.5),
  /**
   * Photographs from scratch: the filter first, then ITM and MLM beside it. Shared out for 30 and
   * 60 minutes on two quiet cores; docs/results/photographs.md says what was measured.
   */
  PHOTOGRAPHS(13.6);

  /** A thousand pairs or two: enough for batches of nearly equal length. */
  private static final int LENGTH_GROUP = 16;

  private final double epochs;

  Recipe(double epochs) {
    this.epochs = epochs;
  }

  /** Passes over all pairs of an image and one of its captions. */
  public double epochs() {
    return epochs;
  }

  /** The options; seed and steps are for the caller to choose. */
  public TrainingOptions options() {
    return switch (this) {
      case PAPER -> paper();
      case SCRATCH -> scratch();
      case PHOTOGRAPHS -> photographs();
    };
  }

  /**
   * Optimiser steps in so many epochs.
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

  private static TrainingOptions paper() {
    return new TrainingOptions(
        ModelConfig.Preset.BASE,
        1,
        1,
        32,
        1,
        1,
        Precision.FP32,
        new Optimiser(1e-4, 1000, 0.02, Optimiser.NO_CLIP, 0),
        new TrainingOptions.Tasks(0, 1, 1, 1, 0, 0.15),
        TrainingOptions.Momentum.NONE,
        TrainingOptions.Stages.NONE,
        new TrainingOptions.Regularisation(Augmentation.RANDAUGMENT, 0.1, 0),
        1,
        1000);
  }

  private static TrainingOptions scratch() {
    return new TrainingOptions(
        ModelConfig.Preset.TINY,
        1,
        1,
        64,
        1,
        LENGTH_GROUP,
        Precision.FP32,
        new Optimiser(8e-4, 100, 0.02, 1, 0.995),
        new TrainingOptions.Tasks(1, 1, 1, 0, 0.5, 0.25),
        TrainingOptions.Momentum.NONE,
        TrainingOptions.Stages.NONE,
        new TrainingOptions.Regularisation(Augmentation.JITTER, 0, 0.03),
        3,
        250);
  }

  private static TrainingOptions photographs() {
    return new TrainingOptions(
        ModelConfig.Preset.COMPACT,
        1,
        1,
        128,
        1,
        LENGTH_GROUP,
        Precision.FP32,
        new Optimiser(1.5e-3, 100, 0.08, 1, 0.998),
        new TrainingOptions.Tasks(1, 1, 0.5, 0, 0.5, 0.25),
        TrainingOptions.Momentum.NONE,
        // Three quarters of the steps that the filter has to itself.
        new TrainingOptions.Stages(0.58, 0.5, 0.435, 64),
        new TrainingOptions.Regularisation(Augmentation.AERIAL, 0.1, 0.1),
        3,
        250);
  }
}
