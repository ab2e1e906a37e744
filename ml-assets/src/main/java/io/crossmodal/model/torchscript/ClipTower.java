/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.torchscript.Weights.Init;

/** CLIP's towers: the trees of {@code clip.py}, {@code clip_text.py} and {@code clip_vision.py}. */
final class ClipTower {
  private final ModelConfig config;
  private final Weights weights;

  ClipTower(ModelConfig config, Weights weights) {
    this.config = config;
    this.weights = weights;
  }

  /** Returns whether a tower of the model is made of the layers of {@code clip.py}. */
  static boolean in(ModelConfig config) {
    return config.image().kind() == ImageTowerConfig.Kind.CLIP
        || (config.hasText() && config.text().isClip());
  }

  ScriptModule text(String path) {
    TextConfig text = config.text();
    int w = text.transformer().width();
    double epsilon = config.layerNormEpsilon();
    ScriptModule tower =
        new ScriptModule("text.TextTower")
            .with("word", weights.get(path + ".word", Init.normal(0.02), text.vocabularySize(), w))
            .with(
                "position",
                weights.get(path + ".position", Init.normal(0.01), text.maxTokens(), w));
    layers(tower, path, text.layers(), text.transformer(), epsilon);
    return tower
        .with("last", Layers.layerNorm(weights, path + ".last", w, epsilon))
        .with("project", projection(path, w));
  }

  ScriptModule image(ScriptModule tower, String path, SensorConfig sensor) {
    ImageTowerConfig image = config.image();
    int w = image.transformer().width();
    int p = image.patch();
    int grid = image.gridSide(sensor.imageSize());
    double epsilon = config.imageLayerNormEpsilon();
    Init init = Init.normal(1 / Math.sqrt(w));
    tower
        .with("patch", p)
        .with("patch_weight", weights.get(path + ".patch_weight", init, w, sensor.channels(), p, p))
        .with("cls", weights.get(path + ".cls", init, 1, 1, w))
        .with("position", weights.get(path + ".position", init, 1, 1 + grid * grid, w))
        .with("first", Layers.layerNorm(weights, path + ".first", w, epsilon));
    layers(tower, path, image.layers(), image.transformer(), epsilon);
    return tower
        .with("last", Layers.layerNorm(weights, path + ".last", w, epsilon))
        .with("project", projection(path, w));
  }

  private ScriptTensor projection(String path, int width) {
    Init init = Init.normal(1 / Math.sqrt(width));
    return weights.get(path + ".project", init, config.hidden(), width);
  }

  private void layers(
      ScriptModule tower, String path, int count, TransformerConfig shape, double epsilon) {
    int w = shape.width();
    int f = shape.feedForward();
    Layers.repeat(
        tower,
        path,
        count,
        layer ->
            new ScriptModule("clip.Layer")
                .with("norm1", Layers.layerNorm(weights, layer + ".norm1", w, epsilon))
                .with(
                    "attention",
                    Layers.attention(weights, layer + ".attention", w, shape.heads(), 0))
                .with("norm2", Layers.layerNorm(weights, layer + ".norm2", w, epsilon))
                .with(
                    "feed_forward",
                    new ScriptModule("clip.FeedForward")
                        .with("quick", shape.activation() == Activation.QUICK_GELU ? 1 : 0)
                        .with("inner", Layers.linear(weights, layer + ".feed_forward.inner", w, f))
                        .with(
                            "outer", Layers.linear(weights, layer + ".feed_forward.outer", f, w))));
  }
}
