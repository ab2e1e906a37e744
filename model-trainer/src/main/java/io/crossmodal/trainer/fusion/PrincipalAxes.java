/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.train.CaptionStates;
import io.crossmodal.trainer.train.FeatureCache;
import io.crossmodal.trainer.train.FrozenTowers;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The directions in which vectors lie most: the first eigenvectors of their second moments, about
 * zero and not about their mean, so that what is projected onto them keeps its dot products.
 */
final class PrincipalAxes {
  /** Of a subspace iteration; from random directions the first half is right after few. */
  private static final int ITERATIONS = 8;

  /** Tokens of pictures, and of texts, that are looked at. */
  private static final int TOKENS = 4096;

  private PrincipalAxes() {}

  /**
   * Returns the axes of the tokens of some pictures and captions where the bi-encoder compares
   * them; each token has length 1, and both kinds have the same say.
   *
   * @param weights of the bundle
   * @param features whose rows are tokens, (M, H)
   * @param count E, at most H
   * @return (E, H)
   */
  static float[] ofTokens(
      StateDict weights, FeatureCache features, CaptionStates captions, int count) {
    int h = captions.hidden();
    int pictures = Math.max(1, Math.min(features.pictures(), TOKENS * h / features.values()));
    float[] images = new float[pictures * features.values()];
    for (int i = 0; i < pictures; i++) {
      int picture = (int) ((long) i * features.pictures() / pictures);
      features.read(picture, 0, images, i * features.values());
    }
    float[] words = new float[TOKENS * h];
    int filled = 0;
    for (int i = 0; i < captions.size() && filled < words.length; i++) {
      // 7919 is a prime: an order that has nothing to do with that of the data set.
      int caption = (int) (i * 7919L % captions.size());
      float[] own = new float[captions.length(caption) * h];
      captions.read(caption, own, 0);
      int values = Math.min(own.length, words.length - filled);
      System.arraycopy(own, 0, words, filled, values);
      filled += values;
    }
    double[][] moments = new double[h][h];
    addMoments(moments, weights, "filter.image", images);
    addMoments(moments, weights, "filter.text", Arrays.copyOf(words, filled));
    return of(moments, count);
  }

  /**
   * Returns the axes of the tokens of some pictures as the fusion encoder reads them; [CLS] has as
   * much say as all patches.
   *
   * @param towers that made the features
   * @param config of the model that stores T values of a token
   * @return (T, H)
   */
  static float[] ofImages(FrozenTowers towers, FeatureCache features, ModelConfig config) {
    int h = config.hidden();
    int m = config.towerTokens(config.sensors().get(0));
    int pictures = Math.min(features.pictures(), Math.ceilDiv(TOKENS, m));
    double[][] moments = new double[h][h];
    for (int i = 0; i < pictures; i++) {
      float[] own = new float[features.values()];
      features.read((int) ((long) i * features.pictures() / pictures), 0, own, 0);
      float[] tokens = towers.tokens(own);
      for (int t = 0; t < m; t++) {
        double weight = t == 0 ? m - 1 : 1;
        for (int a = 0; a < h; a++) {
          for (int b = 0; b < h; b++) {
            moments[a][b] += weight * tokens[t * h + a] * tokens[t * h + b];
          }
        }
      }
    }
    return of(moments, config.tokenWidth());
  }

  /** Adds the mean products of the values of tokens (R, H), projected and of length 1. */
  private static void addMoments(
      double[][] moments, StateDict weights, String filter, float[] tokens) {
    int h = moments.length;
    long rows = tokens.length / h;
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray projected =
          manager
              .create(tokens, new Shape(rows, h))
              .matMul(
                  manager
                      .create(weights.get(filter + ".weight", h, h).values(), new Shape(h, h))
                      .transpose())
              .add(manager.create(weights.get(filter + ".bias", h).values()));
      NDArray unit = projected.div(projected.norm(new int[] {1}, true).maximum(1e-6f));
      float[] products = unit.transpose().matMul(unit).toFloatArray();
      for (int i = 0; i < products.length; i++) {
        moments[i / h][i % h] += products[i] / rows;
      }
    }
  }

  /**
   * Returns axes as rows, orthonormal, which together span about what the first ones do.
   *
   * @param moments (H, H), sums of products of the vectors' values
   * @param count E, at most H
   * @return (E, H)
   */
  static float[] of(double[][] moments, int count) {
    int h = moments.length;
    SplittableRandom random = new SplittableRandom(1);
    double[][] axes = new double[count][h];
    for (double[] axis : axes) {
      for (int i = 0; i < h; i++) {
        axis[i] = random.nextGaussian();
      }
    }
    orthonormalise(axes, random);
    for (int iteration = 0; iteration < ITERATIONS; iteration++) {
      for (int a = 0; a < count; a++) {
        double[] turned = new double[h];
        for (int i = 0; i < h; i++) {
          add(turned, moments[i], axes[a][i]);
        }
        axes[a] = turned;
      }
      orthonormalise(axes, random);
    }
    float[] flat = new float[count * h];
    for (int i = 0; i < flat.length; i++) {
      flat[i] = (float) axes[i / h][i % h];
    }
    return flat;
  }

  /** Gram and Schmidt, twice for each, which is enough in floating point. */
  private static void orthonormalise(double[][] axes, SplittableRandom random) {
    for (int a = 0; a < axes.length; a++) {
      double length = 0;
      while (!(length > 0)) {
        scale(axes[a], Math.sqrt(dot(axes[a], axes[a])));
        for (int round = 0; round < 2; round++) {
          for (int b = 0; b < a; b++) {
            add(axes[a], axes[b], -dot(axes[a], axes[b]));
          }
        }
        length = Math.sqrt(dot(axes[a], axes[a]));
        if (!(length > 1e-9)) {
          // The vectors lie in fewer directions: any other will do.
          length = 0;
          for (int i = 0; i < axes[a].length; i++) {
            axes[a][i] = random.nextGaussian();
          }
        }
      }
      scale(axes[a], length);
    }
  }

  private static void scale(double[] vector, double length) {
    for (int i = 0; length > 0 && i < vector.length; i++) {
      vector[i] /= length;
    }
  }

  private static void add(double[] to, double[] vector, double factor) {
    for (int i = 0; i < to.length; i++) {
      to[i] += factor * vector[i];
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
