/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.train.Optimiser;
import picocli.CommandLine.Option;

/** The options of a training's optimiser; what is not given is the recipe's. */
final class OptimiserArguments {
  @Option(names = "--learning-rate", description = "peak, cosine schedule")
  private Double learningRate;

  @Option(names = "--warmup", description = "steps of linear warm-up")
  private Integer warmup;

  @Option(names = "--weight-decay")
  private Double weightDecay;

  @Option(names = "--clip", description = "largest norm of the gradient")
  private Double clip;

  @Option(names = "--averaging", description = "moving average of weights")
  private Double averaging;

  Optimiser over(Optimiser recipes) {
    return new Optimiser(
        learningRate == null ? recipes.learningRate() : learningRate,
        warmup == null ? recipes.warmup() : warmup,
        weightDecay == null ? recipes.weightDecay() : weightDecay,
        clip == null ? recipes.clip() : clip,
        averaging == null ? recipes.averaging() : averaging);
  }
}
