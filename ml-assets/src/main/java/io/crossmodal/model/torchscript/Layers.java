/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

/** Modules of {@code nn.py} that the trainer's heads are built of too. */
public final class Layers {
  private Layers() {}

  /** {@code nn.Linear}, (..., in) to (..., out). */
  public static ScriptModule linear(Weights weights, String path, int in, int out) {
    // Glorot and Bengio 2010; BERT's fixed 0.02 is right for its width of 768 only.
    return linear(weights, path, in, out, Init.normal(Math.sqrt(2.0 / (in + out))));
  }

  static ScriptModule linear(Weights weights, String path, int in, int out, Init init) {
    return new ScriptModule("nn.Linear")
        .with("weight", weights.get(path + ".weight", init, out, in))
        .with("bias", weights.get(path + ".bias", Init.constant(0), out));
  }

  /** {@code nn.LayerNorm} over the last axis of {@code width}. */
  public static ScriptModule layerNorm(Weights weights, String path, int width, double epsilon) {
    return new ScriptModule("nn.LayerNorm")
        .with("weight", weights.get(path + ".weight", Init.constant(1), width))
        .with("bias", weights.get(path + ".bias", Init.constant(0), width))
        .with("eps", epsilon);
  }

  /** {@code nn.BatchNorm} over axis 1 of {@code width}. */
  public static ScriptModule batchNorm(Weights weights, String path, int width) {
    return batchNorm(weights, path, width, 1);
  }

  static ScriptModule batchNorm(Weights weights, String path, int width, double gain) {
    return new ScriptModule("nn.BatchNorm")
        .with("weight", weights.get(path + ".weight", Init.constant(gain), width))
        .with("bias", weights.get(path + ".bias", Init.constant(0), width))
        .with("running_mean", weights.get(path + ".running_mean", Init.buffer(0), width))
        .with("running_var", weights.get(path + ".running_var", Init.buffer(1), width));
  }
}
