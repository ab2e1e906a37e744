/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import io.crossmodal.trainer.train.OptionRecords;
import java.util.Locale;

/**
 * Options of the distillation of bi-encoder and MLP pre-ranker.
 *
 * @param seed of the sample, the candidates, the order and the MLP's start
 * @param sample at most so many training images take part, each with one caption an epoch's list is
 *     made of; the teacher scores {@code sample x (1 + hard + easy)} pairs once
 * @param hard candidates a text besides its own image: those the bi-encoder now ranks highest
 * @param easy candidates a text drawn uniformly, so that the MLP learns what is far off
 * @param epochs passes over the texts (the paper: 30)
 * @param batch Q, texts per step (the paper: 128)
 * @param learningRate peak of a cosine schedule (the paper: 1e-4)
 * @param weightDecay decoupled (the paper: 0.02)
 * @param alpha weight of the MLP's L_hard (the paper: 0.2)
 * @param contrast weight of image-text contrast beside the dot product's listwise loss
 */
public record DistillationOptions(
    long seed,
    int sample,
    int hard,
    int easy,
    int epochs,
    int batch,
    double learningRate,
    double weightDecay,
    double alpha,
    double contrast) {

  public DistillationOptions {
    OptionRecords.atLeast("sample", sample, 2);
    OptionRecords.atLeast("hard", hard, 0);
    OptionRecords.atLeast("easy", easy, 0);
    OptionRecords.atLeast("hard + easy", hard + easy, 1);
    OptionRecords.atLeast("epochs", epochs, 1);
    OptionRecords.atLeast("batch", batch, 2);
    if (!(learningRate > 0) || !(weightDecay >= 0) || !(alpha >= 0) || !(contrast >= 0)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "learning_rate must be above 0, weight_decay, alpha and contrast at least 0,"
                  + " got %s, %s, %s and %s",
              learningRate,
              weightDecay,
              alpha,
              contrast));
    }
  }

  /** Returns the options that nobody has changed. */
  public static DistillationOptions defaults() {
    return OptionRecords.of(
        DistillationOptions.class, OptionRecords.recipe(DistillationOptions.class, "DEFAULTS"));
  }
}
