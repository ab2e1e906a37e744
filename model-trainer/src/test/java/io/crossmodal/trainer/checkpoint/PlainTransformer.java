/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.util.function.Function;

/**
 * BERT and ViT in plain Java and double precision, by the papers' equations and the checkpoint's
 * own tensor names: what an imported model is held to.
 */
final class PlainTransformer {
  private final Tensors tensors;
  private final int heads;
  private final double epsilon;

  PlainTransformer(Tensors tensors, int heads, double epsilon) {
    this.tensors = tensors;
    this.heads = heads;
    this.epsilon = epsilon;
  }

  /** Word, position and token type 0, normalised. */
  double[][] bertEmbeddings(String prefix, int[] ids) {
    String e = prefix + "embeddings.";
    double[][] word = rows(e + "word_embeddings.weight");
    double[][] position = rows(e + "position_embeddings.weight");
    double[][] type = rows(e + "token_type_embeddings.weight");
    double[][] x = new double[ids.length][];
    for (int i = 0; i < ids.length; i++) {
      x[i] = plus(plus(word[ids[i]], position[i]), type[0]);
    }
    return norm(e + "LayerNorm", x);
  }

  /** One layer of BERT; {@code between} comes behind the attention's norm. */
  double[][] bertLayer(
      String prefix, int index, double[][] x, Function<double[][], double[][]> between) {
    String layer = prefix + "encoder.layer." + index + ".";
    double[][] z =
        attend(
            linear(layer + "attention.self.query", x),
            linear(layer + "attention.self.key", x),
            linear(layer + "attention.self.value", x));
    x =
        norm(
            layer + "attention.output.LayerNorm",
            plus(x, linear(layer + "attention.output.dense", z)));
    x = between.apply(x);
    double[][] inner = gelu(linear(layer + "intermediate.dense", x));
    return norm(layer + "output.LayerNorm", plus(x, linear(layer + "output.dense", inner)));
  }

  /** Hugging Face's ViT without its pooler. */
  double[][] vit(String prefix, int layers, float[] pixels, int side) {
    String e = prefix + "embeddings.";
    double[][] x =
        plus(
            patches(rows(e + "cls_token")[0], e + "patch_embeddings.projection", pixels, side),
            rows(e + "position_embeddings"));
    for (int i = 0; i < layers; i++) {
      String layer = prefix + "encoder.layer." + i + ".";
      double[][] y = norm(layer + "layernorm_before", x);
      double[][] z =
          attend(
              linear(layer + "attention.attention.query", y),
              linear(layer + "attention.attention.key", y),
              linear(layer + "attention.attention.value", y));
      x = plus(x, linear(layer + "attention.output.dense", z));
      y = norm(layer + "layernorm_after", x);
      x = plus(x, linear(layer + "output.dense", gelu(linear(layer + "intermediate.dense", y))));
    }
    return norm(prefix + "layernorm", x);
  }

  /** timm's ViT without its head. */
  double[][] timm(int layers, float[] pixels, int side) {
    double[][] x =
        plus(patches(rows("cls_token")[0], "patch_embed.proj", pixels, side), rows("pos_embed"));
    int h = x[0].length;
    for (int i = 0; i < layers; i++) {
      String block = "blocks." + i + ".";
      double[][] qkv = linear(block + "attn.qkv", norm(block + "norm1", x));
      double[][] z = attend(columns(qkv, 0, h), columns(qkv, h, h), columns(qkv, 2 * h, h));
      x = plus(x, linear(block + "attn.proj", z));
      double[][] y = norm(block + "norm2", x);
      x = plus(x, linear(block + "mlp.fc2", gelu(linear(block + "mlp.fc1", y))));
    }
    return norm("norm", x);
  }

  /** [CLS], then the patches from left to right and top to bottom. */
  private double[][] patches(double[] cls, String projection, float[] pixels, int side) {
    Tensors.Tensor weight = tensors.get(projection + ".weight");
    float[] bias = tensors.get(projection + ".bias").values();
    int p = (int) weight.shape()[2];
    int grid = side / p;
    double[][] x = new double[grid * grid + 1][cls.length];
    x[0] = cls;
    for (int o = 0; o < cls.length; o++) {
      for (int patch = 0; patch < grid * grid; patch++) {
        double sum = bias[o];
        for (int c = 0; c < 3; c++) {
          for (int dy = 0; dy < p; dy++) {
            for (int dx = 0; dx < p; dx++) {
              int row = patch / grid * p + dy;
              int column = patch % grid * p + dx;
              sum +=
                  pixels[(c * side + row) * side + column]
                      * weight.values()[((o * 3 + c) * p + dy) * p + dx];
            }
          }
        }
        x[patch + 1][o] = sum;
      }
    }
    return x;
  }

  double[][] attend(double[][] q, double[][] k, double[][] v) {
    int width = q[0].length / heads;
    double[][] z = new double[q.length][q[0].length];
    for (int head = 0; head < heads; head++) {
      for (int n = 0; n < q.length; n++) {
        double[] weight = new double[k.length];
        double sum = 0;
        for (int m = 0; m < k.length; m++) {
          double dot = 0;
          for (int j = head * width; j < (head + 1) * width; j++) {
            dot += q[n][j] * k[m][j];
          }
          weight[m] = Math.exp(dot / Math.sqrt(width));
          sum += weight[m];
        }
        for (int m = 0; m < k.length; m++) {
          for (int j = head * width; j < (head + 1) * width; j++) {
            z[n][j] += weight[m] / sum * v[m][j];
          }
        }
      }
    }
    return z;
  }

  double[][] linear(String name, double[][] x) {
    double[][] weight = rows(name + ".weight");
    float[] bias = tensors.get(name + ".bias").values();
    double[][] y = new double[x.length][weight.length];
    for (int n = 0; n < x.length; n++) {
      for (int o = 0; o < weight.length; o++) {
        y[n][o] = bias[o];
        for (int i = 0; i < x[n].length; i++) {
          y[n][o] += weight[o][i] * x[n][i];
        }
      }
    }
    return y;
  }

  double[][] norm(String name, double[][] x) {
    boolean old = tensors.byName.containsKey(name + ".gamma");
    float[] weight = tensors.get(name + (old ? ".gamma" : ".weight")).values();
    float[] bias = tensors.get(name + (old ? ".beta" : ".bias")).values();
    double[][] y = new double[x.length][weight.length];
    for (int n = 0; n < x.length; n++) {
      double mean = 0;
      for (double value : x[n]) {
        mean += value / x[n].length;
      }
      double variance = 0;
      for (double value : x[n]) {
        variance += (value - mean) * (value - mean) / x[n].length;
      }
      for (int j = 0; j < weight.length; j++) {
        y[n][j] = (x[n][j] - mean) / Math.sqrt(variance + epsilon) * weight[j] + bias[j];
      }
    }
    return y;
  }

  /** x times the normal distribution's share below x, by Simpson's rule. */
  private static double[][] gelu(double[][] x) {
    double[][] y = new double[x.length][x[0].length];
    for (int n = 0; n < x.length; n++) {
      for (int j = 0; j < x[n].length; j++) {
        double to = Math.max(-9, Math.min(9, x[n][j]));
        int steps = 200;
        double integral = 0;
        for (int s = 0; s <= steps; s++) {
          double t = to * s / steps;
          double simpson = s == 0 || s == steps ? 1 : s % 2 == 1 ? 4 : 2;
          integral += simpson * Math.exp(-t * t / 2);
        }
        double share = 0.5 + integral * to / steps / 3 / Math.sqrt(2 * Math.PI);
        y[n][j] = x[n][j] * share;
      }
    }
    return y;
  }

  /** All but the last axis folded into rows. */
  private double[][] rows(String name) {
    Tensors.Tensor tensor = tensors.get(name);
    int width = (int) tensor.shape()[tensor.shape().length - 1];
    double[][] rows = new double[tensor.values().length / width][width];
    for (int i = 0; i < tensor.values().length; i++) {
      rows[i / width][i % width] = tensor.values()[i];
    }
    return rows;
  }

  private static double[][] columns(double[][] x, int from, int count) {
    double[][] y = new double[x.length][count];
    for (int n = 0; n < x.length; n++) {
      System.arraycopy(x[n], from, y[n], 0, count);
    }
    return y;
  }

  static double[][] plus(double[][] a, double[][] b) {
    double[][] sum = new double[a.length][];
    for (int n = 0; n < a.length; n++) {
      sum[n] = plus(a[n], b[n]);
    }
    return sum;
  }

  private static double[] plus(double[] a, double[] b) {
    double[] sum = new double[a.length];
    for (int j = 0; j < a.length; j++) {
      sum[j] = a[j] + b[j];
    }
    return sum;
  }
}
