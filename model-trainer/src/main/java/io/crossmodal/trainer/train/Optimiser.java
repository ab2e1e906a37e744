/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.util.Locale;

/**
 * AdamW and its schedule.
 *
 * @param learningRate peak of the cosine schedule
 * @param warmup steps of linear warm-up
 * @param weightDecay decoupled, on matrices only
 * @param clip largest global norm of the gradient; 1e9, which no usable one reaches, for none
 * @param averaging decay of the moving average of the weights that is evaluated and exported
 */
public record Optimiser(
    double learningRate, int warmup, double weightDecay, double clip, double averaging) {

  public Optimiser {
    OptionRecords.atLeast("warmup", warmup, 0);
    if (!(learningRate > 0) || !(weightDecay >= 0) || !(clip > 0)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "learning_rate and clip must be above 0 and weight_decay at least 0, got %s, %s and"
                  + " %s",
              learningRate,
              clip,
              weightDecay));
    }
    OptionRecords.share("averaging", averaging);
  }

  /**
   * Returns the learning rate at a step: linear warm-up, then half a cosine down to a hundredth of
   * the peak.
   *
   * @param step from 0
   * @param steps in all
   */
  public double learningRate(int step, int steps) {
    if (step < warmup) {
      return learningRate * (step + 1.0) / warmup;
    }
    double progress = (double) (step - warmup) / Math.max(1, steps - warmup);
    return learningRate * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * progress)));
  }

  /** Returns what a step needs of it. */
  public AdamW.Settings settings() {
    return new AdamW.Settings(weightDecay, clip, averaging);
  }
}
