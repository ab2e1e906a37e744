/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * Late interaction of words and patches: MaxSim of ColBERT (Khattab and Zaharia 2020) in the space
 * of the filter, whose projections of [CLS] are applied to every token. For each word the cosine of
 * the most similar patch, by its mean. The projections were trained on [CLS] alone. Thread-safe.
 */
final class WordPatchMaxSim {
  private final int dimension;
  private final float[][] texts; // per text its tokens but [CLS], (N - 1, D), of unit length
  private final float[][] images; // per image its patches, (M - 1, D), of unit length

  /**
   * Projects the tokens of a split.
   *
   * @throws IllegalArgumentException when the model has no fusion encoder
   */
  WordPatchMaxSim(FusionModel model, List<Encoding> images, List<Encoding> texts) {
    if (!model.bundle().manifest().config().hasFusion()) {
      throw new IllegalArgumentException(
          "model "
              + model.bundle().manifest().id()
              + " has no fusion encoder, before which a stage could stand");
    }
    if (model.bundle().manifest().config().tokenProjection() != null) {
      throw new IllegalArgumentException(
          "model "
              + model.bundle().manifest().id()
              + " stores projected tokens, which the filter's projections do not read: leave"
              + " --max-sim out");
    }
    StateDict weights;
    try {
      weights = model.bundle().weights();
    } catch (IOException e) {
      throw new UncheckedIOException("reading the model's weights", e);
    }
    this.dimension = model.bundle().manifest().config().embeddingDimension();
    this.texts = project(weights, "filter.text", texts);
    this.images = project(weights, "filter.image", images);
  }

  private float[][] project(StateDict weights, String linear, List<Encoding> encodings) {
    ScriptTensor weight = weights.tensors().get(linear + ".weight"); // (D, H)
    ScriptTensor bias = weights.tensors().get(linear + ".bias"); // (D)
    float[] w = weight.values();
    float[] b = bias.values();
    return encodings.parallelStream()
        .map(encoding -> project(w, b, encoding.tokens()))
        .toArray(float[][]::new);
  }

  private float[] project(float[] weight, float[] bias, TokenBlock tokens) {
    int h = tokens.hidden();
    float[] values = tokens.values();
    float[] projected = new float[(tokens.count() - 1) * dimension];
    for (int t = 1; t < tokens.count(); t++) {
      int at = (t - 1) * dimension;
      double squares = 0;
      for (int d = 0; d < dimension; d++) {
        float value = bias[d] + dot(weight, d * h, values, t * h, h);
        projected[at + d] = value;
        squares += (double) value * value;
      }
      float scale = (float) (1 / Math.max(Math.sqrt(squares), 1e-6));
      for (int d = 0; d < dimension; d++) {
        projected[at + d] *= scale;
      }
    }
    return projected;
  }

  /** Returns a score in [-1, 1]; 0 for a text of [CLS] alone. */
  float score(int text, int image) {
    float[] words = texts[text];
    float[] patches = images[image];
    float sum = 0;
    for (int w = 0; w < words.length; w += dimension) {
      float best = -1;
      for (int p = 0; p < patches.length; p += dimension) {
        best = Math.max(best, dot(words, w, patches, p, dimension));
      }
      sum += best;
    }
    int count = words.length / dimension;
    return count == 0 ? 0 : sum / count;
  }

  private static float dot(float[] a, int atA, float[] b, int atB, int length) {
    float sum = 0;
    for (int i = 0; i < length; i++) {
      sum += a[atA + i] * b[atB + i];
    }
    return sum;
  }
}
