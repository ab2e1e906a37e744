/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.Init;
import io.crossmodal.model.torchscript.Layers;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.Weights;

/** What {@code training.py} puts on top of the model while it trains, and nobody serves. */
final class TrainingHeads {
  private TrainingHeads() {}

  /** {@code training.MaskedLanguageHead}, weights below {@code mlm}. */
  static ScriptModule maskedLanguage(ModelConfig config, Weights weights) {
    int h = config.hidden();
    return new ScriptModule("training.MaskedLanguageHead")
        .with("dense", Layers.linear(weights, "mlm.dense", h, h))
        .with("norm", Layers.layerNorm(weights, "mlm.norm", h, config.layerNormEpsilon()))
        .with("bias", weights.get("mlm.bias", Init.constant(0), config.text().vocabularySize()));
  }

  /**
   * {@code training.MultiViewHead}, weights below {@code mvjrc}. The paper gives no widths: H, and
   * in the predictor a quarter of it, SimSiam's bottleneck.
   */
  static ScriptModule multiView(ModelConfig config, Weights weights) {
    int h = config.hidden();
    int bottleneck = Math.max(1, h / 4);
    ScriptModule project = new ScriptModule("training.Projector");
    for (int i = 1; i <= 3; i++) {
      project
          .with("fc" + i, Layers.linear(weights, "mvjrc.project.fc" + i, h, h))
          .with("norm" + i, Layers.batchNorm(weights, "mvjrc.project.norm" + i, h));
    }
    return new ScriptModule("training.MultiViewHead")
        .with("project", project)
        .with(
            "predict",
            new ScriptModule("training.Predictor")
                .with("fc1", Layers.linear(weights, "mvjrc.predict.fc1", h, bottleneck))
                .with("norm", Layers.batchNorm(weights, "mvjrc.predict.norm", bottleneck))
                .with("fc2", Layers.linear(weights, "mvjrc.predict.fc2", bottleneck, h)));
  }
}
