/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/** A checkpoint's tensors in memory, random, under the names that the libraries give them. */
final class Tensors {
  /** Row-major values. */
  @SuppressWarnings("ArrayRecordComponent") // looked at, never compared
  record Tensor(float[] values, long... shape) {}

  /** A seed for names and shapes without values: those of the real models fill a gigabyte. */
  static final long SHAPES_ONLY = Long.MIN_VALUE;

  final Map<String, Tensor> byName = new LinkedHashMap<>();
  private final RandomGenerator random;
  private final boolean shapesOnly;

  Tensors(long seed) {
    this.random = new SplittableRandom(seed);
    this.shapesOnly = seed == SHAPES_ONLY;
  }

  Tensor get(String name) {
    Tensor tensor = byName.get(name);
    if (tensor == null) {
      throw new AssertionError(name + " is not among " + byName.keySet());
    }
    return tensor;
  }

  void add(String name, double mean, double deviation, long... shape) {
    int size = 1;
    for (long extent : shape) {
      size *= (int) extent;
    }
    float[] values = new float[shapesOnly ? 0 : size];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (mean + deviation * random.nextGaussian());
    }
    byName.put(name, new Tensor(values, shape));
  }

  private void linear(String name, int in, int out) {
    add(name + ".weight", 0, 0.3, out, in);
    add(name + ".bias", 0, 0.2, out);
  }

  private void norm(String weight, String bias, int width) {
    add(weight, 1, 0.2, width);
    add(bias, 0, 0.2, width);
  }

  /** Hugging Face's BertForPreTraining, or BertModel where {@code head} is false. */
  static Tensors bert(
      long seed, String prefix, boolean old, boolean head, int layers, int h, int f, int v, int p) {
    Tensors t = new Tensors(seed);
    String weight = old ? ".gamma" : ".weight";
    String bias = old ? ".beta" : ".bias";
    String e = prefix + "embeddings.";
    t.add(e + "word_embeddings.weight", 0, 0.5, v, h);
    t.add(e + "position_embeddings.weight", 0, 0.5, p, h);
    t.add(e + "token_type_embeddings.weight", 0, 0.5, 2, h);
    t.norm(e + "LayerNorm" + weight, e + "LayerNorm" + bias, h);
    for (int i = 0; i < layers; i++) {
      String layer = prefix + "encoder.layer." + i + ".";
      t.linear(layer + "attention.self.query", h, h);
      t.linear(layer + "attention.self.key", h, h);
      t.linear(layer + "attention.self.value", h, h);
      t.linear(layer + "attention.output.dense", h, h);
      String norm = layer + "attention.output.LayerNorm";
      t.norm(norm + weight, norm + bias, h);
      t.linear(layer + "intermediate.dense", h, f);
      t.linear(layer + "output.dense", f, h);
      t.norm(layer + "output.LayerNorm" + weight, layer + "output.LayerNorm" + bias, h);
    }
    t.linear(prefix + "pooler.dense", h, h);
    if (head) {
      t.add("cls.predictions.bias", 0, 0.2, v);
      t.linear("cls.predictions.transform.dense", h, h);
      String norm = "cls.predictions.transform.LayerNorm";
      t.norm(norm + weight, norm + bias, h);
      t.byName.put("cls.predictions.decoder.weight", t.get(e + "word_embeddings.weight"));
      t.linear("cls.seq_relationship", h, 2);
    }
    return t;
  }

  /** Hugging Face's ViTForImageClassification. */
  static Tensors vit(long seed, String prefix, int layers, int h, int f, int patch, int tokens) {
    Tensors t = new Tensors(seed);
    String e = prefix + "embeddings.";
    t.add(e + "cls_token", 0, 0.5, 1, 1, h);
    t.add(e + "position_embeddings", 0, 0.5, 1, tokens, h);
    t.add(e + "patch_embeddings.projection.weight", 0, 0.2, h, 3, patch, patch);
    t.add(e + "patch_embeddings.projection.bias", 0, 0.2, h);
    for (int i = 0; i < layers; i++) {
      String layer = prefix + "encoder.layer." + i + ".";
      t.linear(layer + "attention.attention.query", h, h);
      t.linear(layer + "attention.attention.key", h, h);
      t.linear(layer + "attention.attention.value", h, h);
      t.linear(layer + "attention.output.dense", h, h);
      t.linear(layer + "intermediate.dense", h, f);
      t.linear(layer + "output.dense", f, h);
      t.norm(layer + "layernorm_before.weight", layer + "layernorm_before.bias", h);
      t.norm(layer + "layernorm_after.weight", layer + "layernorm_after.bias", h);
    }
    t.norm(prefix + "layernorm.weight", prefix + "layernorm.bias", h);
    t.linear("classifier", h, 10);
    return t;
  }

  /** timm's VisionTransformer, DeiT too; so small at its start that epsilon counts. */
  static Tensors timm(long seed, int layers, int h, int f, int patch, int tokens) {
    Tensors t = new Tensors(seed);
    t.add("cls_token", 0, 1e-3, 1, 1, h);
    t.add("pos_embed", 0, 1e-3, 1, tokens, h);
    t.add("patch_embed.proj.weight", 0, 1e-4, h, 3, patch, patch);
    t.add("patch_embed.proj.bias", 0, 1e-3, h);
    for (int i = 0; i < layers; i++) {
      String layer = "blocks." + i + ".";
      t.norm(layer + "norm1.weight", layer + "norm1.bias", h);
      t.linear(layer + "attn.qkv", h, 3 * h);
      t.linear(layer + "attn.proj", h, h);
      t.norm(layer + "norm2.weight", layer + "norm2.bias", h);
      t.linear(layer + "mlp.fc1", h, f);
      t.linear(layer + "mlp.fc2", f, h);
    }
    t.norm("norm.weight", "norm.bias", h);
    t.linear("head", h, 10);
    return t;
  }
}
