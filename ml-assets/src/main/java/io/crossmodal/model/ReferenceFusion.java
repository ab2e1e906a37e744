/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;

/**
 * {@code score} and {@code attention} of one pair in slow plain Java and double precision, straight
 * from the equations: the oracle that libtorch's answers are tested against.
 *
 * <p>It shares no code with the TorchScript sources and takes none of their short cuts: every row
 * of every layer is computed.
 */
public final class ReferenceFusion {
  private final ModelConfig config;
  private final StateDict weights;

  public ReferenceFusion(ModelConfig config, StateDict weights) {
    this.config = config;
    this.weights = weights;
  }

  /** The logits of one pair. */
  public PairLogits score(TokenBlock text, TokenBlock image) {
    double[][] s = rows(image);
    double[][] u = rows(text);
    for (int i = 0; i < config.fusionLayers(); i++) {
      u = layer("fusion.layer" + i, u, s);
    }
    double[] itm = linear("itm", new double[][] {u[0]})[0];
    double[] t = linear("filter.text", new double[][] {rows(text)[0]})[0];
    double[] v = linear("filter.image", new double[][] {s[0]})[0];
    double scale = Math.exp(weights.get("filter.log_scale", 1).values()[0]);
    double cosine = dot(t, v) / Math.sqrt(dot(t, t) * dot(v, v));
    return new PairLogits(
        new float[] {(float) (itm[1] - itm[0])},
        new float[] {(float) (Math.min(scale, 100) * cosine)});
  }

  /** The weights of one pair: the last cross-attention layer but one, mean over heads. */
  public WordPatchWeights attention(TokenBlock text, TokenBlock image) {
    double[][] s = rows(image);
    double[][] u = rows(text);
    int drawn = config.fusionLayers() - 2;
    for (int i = 0; i < drawn; i++) {
      u = layer("fusion.layer" + i, u, s);
    }
    String layer = "fusion.layer" + drawn;
    u = normalise(layer + ".norm1", plus(u, attend(layer + ".self_attention", u, u)));
    float[] mean = new float[u.length * s.length];
    for (double[][] head : softmax(layer + ".cross_attention", u, s)) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] += (float) (head[i / s.length][i % s.length] / config.heads());
      }
    }
    return new WordPatchWeights(u.length, s.length, mean);
  }

  private double[][] layer(String layer, double[][] text, double[][] image) {
    double[][] u = text;
    u = normalise(layer + ".norm1", plus(u, attend(layer + ".self_attention", u, u)));
    u = normalise(layer + ".norm2", plus(u, attend(layer + ".cross_attention", u, image)));
    double[][] inner = linear(layer + ".feed_forward.inner", u);
    for (double[] row : inner) {
      for (int j = 0; j < row.length; j++) {
        row[j] = 0.5 * row[j] * (1 + erf(row[j] / Math.sqrt(2)));
      }
    }
    return normalise(layer + ".norm3", plus(u, linear(layer + ".feed_forward.outer", inner)));
  }

  /** Equations (1) and (2). */
  private double[][] attend(String path, double[][] x, double[][] y) {
    double[][][] attention = softmax(path, x, y);
    double[][] v = linear(path + ".value", y);
    int width = config.hidden() / config.heads();
    double[][] heads = new double[x.length][config.hidden()];
    for (int n = 0; n < x.length; n++) {
      for (int j = 0; j < config.hidden(); j++) {
        for (int m = 0; m < y.length; m++) {
          heads[n][j] += attention[j / width][n][m] * v[m][j];
        }
      }
    }
    return linear(path + ".output", heads);
  }

  /** softmax(Q K^T / sqrt(d)) of equation (1): (A, N, M). */
  private double[][][] softmax(String path, double[][] x, double[][] y) {
    double[][] q = linear(path + ".query", x);
    double[][] k = linear(path + ".key", y);
    int width = config.hidden() / config.heads();
    double[][][] heads = new double[config.heads()][x.length][];
    for (int head = 0; head < config.heads(); head++) {
      int from = head * width;
      for (int n = 0; n < x.length; n++) {
        double[] attention = new double[y.length];
        double max = Double.NEGATIVE_INFINITY;
        for (int m = 0; m < y.length; m++) {
          for (int j = from; j < from + width; j++) {
            attention[m] += q[n][j] * k[m][j] / Math.sqrt(width);
          }
          max = Math.max(max, attention[m]);
        }
        double sum = 0;
        for (int m = 0; m < y.length; m++) {
          attention[m] = Math.exp(attention[m] - max);
          sum += attention[m];
        }
        for (int m = 0; m < y.length; m++) {
          attention[m] /= sum;
        }
        heads[head][n] = attention;
      }
    }
    return heads;
  }

  private double[][] linear(String path, double[][] x) {
    ScriptTensor weight = weights.tensors().get(path + ".weight");
    float[] w = weight.values();
    float[] bias = weights.tensors().get(path + ".bias").values();
    int in = (int) weight.shape()[1];
    double[][] out = new double[x.length][bias.length];
    for (int n = 0; n < x.length; n++) {
      for (int o = 0; o < bias.length; o++) {
        double sum = bias[o];
        for (int i = 0; i < in; i++) {
          sum += x[n][i] * w[o * in + i];
        }
        out[n][o] = sum;
      }
    }
    return out;
  }

  private double[][] normalise(String path, double[][] x) {
    float[] weight = weights.get(path + ".weight", config.hidden()).values();
    float[] bias = weights.get(path + ".bias", config.hidden()).values();
    double[][] out = new double[x.length][config.hidden()];
    for (int n = 0; n < x.length; n++) {
      double mean = 0;
      for (double value : x[n]) {
        mean += value / x[n].length;
      }
      double variance = 0;
      for (double value : x[n]) {
        variance += (value - mean) * (value - mean) / x[n].length;
      }
      double deviation = Math.sqrt(variance + config.layerNormEpsilon());
      for (int j = 0; j < x[n].length; j++) {
        out[n][j] = (x[n][j] - mean) / deviation * weight[j] + bias[j];
      }
    }
    return out;
  }

  private static double[][] plus(double[][] a, double[][] b) {
    double[][] sum = new double[a.length][];
    for (int n = 0; n < a.length; n++) {
      sum[n] = a[n].clone();
      for (int j = 0; j < b[n].length; j++) {
        sum[n][j] += b[n][j];
      }
    }
    return sum;
  }

  private static double[][] rows(TokenBlock block) {
    double[][] rows = new double[block.count()][block.hidden()];
    for (int i = 0; i < block.values().length; i++) {
      rows[i / block.hidden()][i % block.hidden()] = block.values()[i];
    }
    return rows;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** The error function by its Maclaurin series, or 1 where the series has long reached it. */
  private static double erf(double x) {
    if (Math.abs(x) > 5) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
}
