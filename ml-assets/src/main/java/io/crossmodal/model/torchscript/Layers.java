/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.Weights.Init;
import java.util.function.Function;

/** The modules of {@code nn.py}; the trainer's heads are built of them too. */
public final class Layers {
  private Layers() {}

  /** {@code nn.Linear}, (..., in) to (..., out). */
  public static ScriptModule linear(Weights weights, String path, int in, int out) {
    // Glorot and Bengio 2010; BERT's fixed 0.02 is right for its width of 768 only.
    return linear(weights, path, in, out, Init.normal(Math.sqrt(2.0 / (in + out))));
  }

  /**
   * The same for what reads a pretrained tower: PyTorch's own deviation of a linear layer. Adam's
   * steps have one size, so weights that start smaller turn sooner, and the towers wait for these.
   */
  static ScriptModule readout(Weights weights, String path, int in, int out) {
    return linear(weights, path, in, out, Init.normal(1 / Math.sqrt(3.0 * in)));
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
    return normTensors(new ScriptModule("nn.BatchNorm"), weights, path, width, gain);
  }

  /** Adds the four tensors of a batch norm. */
  static ScriptModule normTensors(
      ScriptModule norm, Weights weights, String path, int width, double gain) {
    return norm.with("weight", weights.get(path + ".weight", Init.constant(gain), width))
        .with("bias", weights.get(path + ".bias", Init.constant(0), width))
        .with("running_mean", weights.get(path + ".running_mean", Init.buffer(0), width))
        .with("running_var", weights.get(path + ".running_var", Init.buffer(1), width));
  }

  /**
   * {@code nn.MultiHeadAttention} of the config's width and heads.
   *
   * @param residual deviation of the output's weights times the root of its width; 0: as {@link
   *     #linear}
   */
  static ScriptModule attention(Weights weights, String path, ModelConfig config, double residual) {
    return attention(weights, path, config.hidden(), config.heads(), residual);
  }

  /** The same of a width H and heads of its own. */
  static ScriptModule attention(Weights weights, String path, int h, int heads, double residual) {
    return attention(weights, path, h, h, heads, residual);
  }

  /**
   * The same whose keys and values are made of tokens of another width.
   *
   * @param read that width
   */
  static ScriptModule attention(
      Weights weights, String path, int h, int read, int heads, double residual) {
    return new ScriptModule("nn.MultiHeadAttention")
        .with("heads", heads)
        .with("query", linear(weights, path + ".query", h, h))
        .with("key", linear(weights, path + ".key", read, h))
        .with("value", linear(weights, path + ".value", read, h))
        .with("output", output(weights, path + ".output", h, h, residual));
  }

  /** {@code nn.FeedForward} of the config's widths; {@code residual} as in {@link #attention}. */
  static ScriptModule feedForward(
      Weights weights, String path, ModelConfig config, double residual) {
    return feedForward(weights, path, config.hidden(), config.feedForward(), residual);
  }

  /** The same of a width H and an inner width F of its own. */
  static ScriptModule feedForward(Weights weights, String path, int h, int f, double residual) {
    return new ScriptModule("nn.FeedForward")
        .with("inner", linear(weights, path + ".inner", h, f))
        .with("outer", output(weights, path + ".outer", f, h, residual));
  }

  /** Returns what a layer adds to its input. */
  private static ScriptModule output(
      Weights weights, String path, int in, int out, double residual) {
    return residual == 0
        ? linear(weights, path, in, out)
        : linear(weights, path, in, out, Init.normal(residual / Math.sqrt(in)));
  }

  /** Adds so many numbered layers, from 0 on, to their parent, and returns that. */
  static ScriptModule repeat(
      ScriptModule parent, String path, int count, Function<String, ScriptModule> layer) {
    for (int i = 0; i < count; i++) {
      parent.with("layer" + i, layer.apply(path + ".layer" + i));
    }
    return parent;
  }
}
