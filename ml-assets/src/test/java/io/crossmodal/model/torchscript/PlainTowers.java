/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import java.util.Arrays;

/**
 * The text tower of kind MEAN, the convolutional tower with shortcuts, the ResNet and the
 * EfficientNet-Lite, of one text and one image in plain Java and double precision: what libtorch's
 * answers are tested against.
 */
final class PlainTowers {
  private final ModelConfig config;
  private final StateDict weights;

  PlainTowers(ModelConfig config, StateDict weights) {
    this.config = config;
    this.weights = weights;
  }

  private float[] values(String name) {
    return weights.tensors().get(name).values();
  }

  /** Tokens of a text without padding, N x H. */
  double[][] text(int... ids) {
    int h = config.hidden();
    double[][] x = new double[ids.length][h];
    for (int n = 0; n < ids.length; n++) {
      for (int j = 0; j < h; j++) {
        x[n][j] = values("text.word")[ids[n] * h + j] + values("text.position")[n * h + j];
      }
    }
    x = layerNorm("text.norm", x);
    for (int layer = 0; layer < config.text().layers(); layer++) {
      String path = "text.layer" + layer;
      add(x, attention(path + ".attention", layerNorm(path + ".norm1", x)));
      double[][] inner = linear(path + ".feed_forward.inner", layerNorm(path + ".norm2", x));
      for (double[] row : inner) {
        for (int j = 0; j < row.length; j++) {
          row[j] = gelu(row[j]);
        }
      }
      add(x, linear(path + ".feed_forward.outer", inner));
    }
    x = layerNorm("text.last", x);
    double[] mean = new double[h];
    for (double[] token : x) {
      for (int j = 0; j < h; j++) {
        mean[j] += token[j] / x.length;
      }
    }
    x[0] = mean;
    return x;
  }

  /** What leaves the last stage of an image of C x S x S, as channels x G x G. */
  double[][][] stages(String path, double[][][] pixels) {
    ImageTowerConfig tower = config.image();
    double[][][] x = pixels;
    for (int i = 0; i < tower.stems().size(); i++) {
      x = relu(convolution(path + ".stem" + i, x, 2));
    }
    boolean resnet = tower.kind() == ImageTowerConfig.Kind.RESNET;
    if (resnet) {
      x = largest(x);
    }
    for (int i = 0; i < tower.stages().size(); i++) {
      String stage = path + ".stage" + i;
      int stride = tower.stages().get(i).stride();
      double[][][] y = relu(convolution(stage + ".first", x, resnet ? 1 : stride));
      y = convolution(stage + ".second", y, resnet ? stride : 1);
      if (resnet) {
        y = convolution(stage + ".third", relu(y), 1);
      }
      double[][][] around = x;
      if (weights.tensors().containsKey(stage + ".shortcut.weight")) {
        around =
            resnet
                ? convolution(stage + ".shortcut", x, stride)
                : convolution(stage + ".shortcut", mean(x, stride), 1);
      }
      for (int c = 0; c < y.length; c++) {
        add(y[c], around[c]);
      }
      x = relu(y);
    }
    return x;
  }

  /** The image's [CLS]: the means over cells, a channel's side by side, pooled and normalised. */
  double[] imageCls(String path, double[][][] pixels, int cells) {
    double[][][] means =
        mean(stages(path, pixels), config.image().gridSide(pixels[0].length) / cells);
    double[] flat =
        Arrays.stream(means).flatMap(Arrays::stream).flatMapToDouble(Arrays::stream).toArray();
    return layerNorm(path + ".norm", linear(path + ".pool", new double[][] {flat}))[0];
  }

  /** Maximum pooling over 3 x 3 with stride 2. */
  private static double[][][] largest(double[][][] x) {
    int side = (x[0].length + 1) / 2;
    double[][][] y = new double[x.length][side][side];
    for (int c = 0; c < x.length; c++) {
      for (int i = 0; i < side; i++) {
        for (int j = 0; j < side; j++) {
          double most = Double.NEGATIVE_INFINITY;
          for (int row = Math.max(0, 2 * i - 1);
              row <= Math.min(x[c].length - 1, 2 * i + 1);
              row++) {
            for (int k = Math.max(0, 2 * j - 1); k <= Math.min(x[c].length - 1, 2 * j + 1); k++) {
              most = Math.max(most, x[c][row][k]);
            }
          }
          y[c][i][j] = most;
        }
      }
    }
    return y;
  }

  /** The tokens of an EfficientNet-Lite, M x H. */
  double[][] efficientNetLite(String path, double[][][] pixels) {
    ImageTowerConfig tower = config.image();
    double[][][] x = relu6(same(path + ".stem", pixels, 2));
    double[][][] finer = x;
    for (int i = 0; i < tower.stages().size(); i++) {
      ImageTowerConfig.Stage stage = tower.stages().get(i);
      String block = path + ".stage" + i;
      finer = i == tower.lastReduction() ? x : finer;
      double[][][] y = stage.expansion() == 1 ? x : relu6(same(block + ".expand", x, 1));
      y = same(block + ".project", relu6(same(block + ".depthwise", y, stage.stride())), 1);
      for (int c = 0; c < y.length && stage.stride() == 1 && y.length == x.length; c++) {
        add(y[c], x[c]);
      }
      x = y;
    }
    double[][][] head = relu6(same(path + ".head", x, 1));
    int g = head[0].length;
    double[][] tokens = new double[1 + g * g][];
    tokens[0] = linear(path + ".embed", new double[][] {column(mean(head, g), 0, 0)})[0];
    for (int p = 0; p < g * g; p++) {
      double[][] token = linear(path + ".embed", new double[][] {column(head, p / g, p % g)});
      double[] four = new double[4 * finer.length];
      for (int i = 0; i < 4; i++) {
        double[] place = column(finer, 2 * (p / g) + i / 2, 2 * (p % g) + i % 2);
        System.arraycopy(place, 0, four, i * place.length, place.length);
      }
      add(token, linear(path + ".fine", new double[][] {four}));
      for (int j = 0; j < token[0].length; j++) {
        token[0][j] += values(path + ".position")[p * token[0].length + j];
      }
      tokens[1 + p] = layerNorm(path + ".norm", token)[0];
    }
    return tokens;
  }

  private static double[] column(double[][][] x, int row, int column) {
    return Arrays.stream(x).mapToDouble(plane -> plane[row][column]).toArray();
  }

  private static double[][][] relu6(double[][][] x) {
    for (double[][] plane : relu(x)) {
      for (double[] row : plane) {
        Arrays.setAll(row, j -> Math.min(6, row[j]));
      }
    }
    return x;
  }

  /** With TensorFlow's padding "same", of which the smaller half stands before. */
  private double[][][] same(String path, double[][][] x, int stride) {
    long[] shape = weights.tensors().get(path + ".weight").shape();
    int k = shape.length == 2 ? 1 : (int) shape[2];
    int side = (x[0].length + stride - 1) / stride;
    int padding = Math.max(0, (side - 1) * stride + k - x[0].length);
    return convolution(path, x, stride, padding / 2, 1e-3);
  }

  private double[][][] convolution(String path, double[][][] x, int stride) {
    int k = (int) weights.tensors().get(path + ".weight").shape()[2];
    return convolution(path, x, stride, k / 2, 1e-5);
  }

  /** A convolution in as many groups as its kernel wants, and its norm in evaluation. */
  private double[][][] convolution(
      String path, double[][][] x, int stride, int before, double epsilon) {
    ScriptTensor kernel = weights.tensors().get(path + ".weight");
    int out = (int) kernel.shape()[0];
    int in = (int) kernel.shape()[1];
    int k = kernel.shape().length == 2 ? 1 : (int) kernel.shape()[2];
    int side = (x[0].length + stride - 1) / stride;
    double[][][] y = new double[out][side][side];
    for (int o = 0; o < out; o++) {
      double scale =
          values(path + ".norm.weight")[o]
              / Math.sqrt(values(path + ".norm.running_var")[o] + epsilon);
      for (int row = 0; row < side; row++) {
        for (int column = 0; column < side; column++) {
          double sum = -values(path + ".norm.running_mean")[o];
          for (int c = 0; c < in; c++) {
            double[][] plane = x[o * (x.length / in) / out * in + c];
            for (int i = 0; i < k * k; i++) {
              int from = row * stride + i / k - before;
              int at = column * stride + i % k - before;
              if (from >= 0 && at >= 0 && from < plane.length && at < plane.length) {
                sum += plane[from][at] * kernel.values()[(o * in + c) * k * k + i];
              }
            }
          }
          y[o][row][column] = sum * scale + values(path + ".norm.bias")[o];
        }
      }
    }
    return y;
  }

  /** Means of squares; the side is a multiple of theirs. */
  private static double[][][] mean(double[][][] x, int side) {
    double[][][] y = new double[x.length][x[0].length / side][x[0].length / side];
    for (int c = 0; c < x.length; c++) {
      for (int i = 0; i < x[c].length; i++) {
        for (int j = 0; j < x[c].length; j++) {
          y[c][i / side][j / side] += x[c][i][j] / (side * side);
        }
      }
    }
    return y;
  }

  private static double[][][] relu(double[][][] x) {
    for (double[][] plane : x) {
      for (double[] row : plane) {
        for (int j = 0; j < row.length; j++) {
          row[j] = Math.max(0, row[j]);
        }
      }
    }
    return x;
  }

  private double[][] attention(String path, double[][] x) {
    double[][] q = linear(path + ".query", x);
    double[][] k = linear(path + ".key", x);
    double[][] v = linear(path + ".value", x);
    int width = config.hidden() / config.heads();
    double[][] z = new double[x.length][config.hidden()];
    for (int n = 0; n < x.length; n++) {
      for (int from = 0; from < config.hidden(); from += width) {
        double[] weight = new double[x.length];
        double sum = 0;
        for (int m = 0; m < x.length; m++) {
          double dot = 0;
          for (int j = from; j < from + width; j++) {
            dot += q[n][j] * k[m][j];
          }
          weight[m] = Math.exp(dot / Math.sqrt(width));
          sum += weight[m];
        }
        for (int m = 0; m < x.length; m++) {
          for (int j = from; j < from + width; j++) {
            z[n][j] += weight[m] / sum * v[m][j];
          }
        }
      }
    }
    return linear(path + ".output", z);
  }

  private double[][] linear(String path, double[][] x) {
    float[] weight = values(path + ".weight");
    float[] bias = values(path + ".bias");
    double[][] y = new double[x.length][bias.length];
    for (int n = 0; n < x.length; n++) {
      for (int o = 0; o < bias.length; o++) {
        y[n][o] = bias[o];
        for (int i = 0; i < x[n].length; i++) {
          y[n][o] += x[n][i] * weight[o * x[n].length + i];
        }
      }
    }
    return y;
  }

  private double[][] layerNorm(String path, double[][] x) {
    double[][] y = new double[x.length][config.hidden()];
    for (int n = 0; n < x.length; n++) {
      double mean = 0;
      double square = 0;
      for (double value : x[n]) {
        mean += value / x[n].length;
        square += value * value / x[n].length;
      }
      for (int j = 0; j < x[n].length; j++) {
        y[n][j] =
            (x[n][j] - mean)
                    / Math.sqrt(square - mean * mean + config.layerNormEpsilon())
                    * values(path + ".weight")[j]
                + values(path + ".bias")[j];
      }
    }
    return y;
  }

  private static void add(double[][] x, double[][] y) {
    for (int n = 0; n < x.length; n++) {
      for (int j = 0; j < x[n].length; j++) {
        x[n][j] += y[n][j];
      }
    }
  }

  /** With the normal distribution integrated by Simpson's rule. */
  private static double gelu(double x) {
    int steps = 2000;
    double sum = 0;
    for (int i = 0; i <= steps; i++) {
      double t = x * i / steps;
      int weight = i == 0 || i == steps ? 1 : 2 + 2 * (i % 2);
      sum += weight * Math.exp(-t * t / 2);
    }
    return x * (0.5 + sum * x / (3.0 * steps) / Math.sqrt(2 * Math.PI));
  }
}
