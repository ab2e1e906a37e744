/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TransformerConfig;

/**
 * Peak memory of a call of a model, beside the weights: the arrays that go in, once in the Java
 * heap and once in native memory, and the widest moment of the layers, in 32-bit numbers. Without
 * gradients a layer's values are freed when the next one has read them, so the number of layers
 * does not matter.
 *
 * <p>An estimate from the shapes, meant for a budget that must be known before the call. Letters as
 * in {@code nn.py}; B items, N and M the tokens of the longest text and of an image.
 */
public final class Footprint {
  // A layer norm's or a residual's input, its output, and the sum of both.
  private static final int RESIDUAL = 3;

  private Footprint() {}

  /** {@link FusionModel#score} of B pairs, in bytes. */
  public static long score(ModelConfig config, int pairs, int n, int m) {
    long h = config.widthOfFusion();
    // Where the fusion encoder is of another width, its own projections of them, and their norms.
    long in = (long) config.hidden() * n + (long) config.tokenWidth() * m;
    long own = config.fusionWidth() == null ? 0 : 2 * h * (n + m);
    // Keys and values, or of all heads the queries that took W_k in and what they read.
    long image = absorbs(config, n, m) ? 2L * config.heads() * n * read(config) : 2 * h * m;
    long attention = RESIDUAL * h * n + (long) config.heads() * n * Math.max(n, m);
    long feedForward = RESIDUAL * h * n + 2L * config.feedForward() * n;
    return bytes(pairs, 2 * in + own + image + Math.max(attention, feedForward));
  }

  /**
   * Returns whether cross-attention goes without keys and values of the image: what {@code
   * absorbed.py} chooses.
   *
   * @param n rows that ask
   */
  public static boolean absorbs(ModelConfig config, long n, long m) {
    long h = config.widthOfFusion();
    long t = read(config);
    return 5 * n * (h * t + m * (config.heads() * t - h)) < 4 * m * h * t;
  }

  /** Returns the width of what cross-attention reads. */
  private static long read(ModelConfig config) {
    return config.fusionWidth() == null ? config.tokenWidth() : config.fusionWidth();
  }

  /** {@link FusionModel#attention} of B pairs, in bytes. */
  public static long attention(ModelConfig config, int pairs, int n, int m) {
    // Beside what a score needs: the softmax of all heads, and their mean in native memory, in the
    // heap, and cut to the text's length.
    return score(config, pairs, n, m) + bytes(pairs, (config.heads() + 3L) * n * m);
  }

  /**
   * {@link FusionModel#maxSim} of B pairs, in bytes.
   *
   * @param n tokens of the query with the most
   */
  public static long maxSim(ModelConfig config, int pairs, int n, int m) {
    // Tokens in the heap, in native memory and at length 1; cosines, and their maxima with the
    // places where they were found, in 64 bits.
    return bytes(pairs, 3L * config.tokenWidth() * (n + m) + (long) n * m + 3L * n);
  }

  /** {@link FusionModel#preRank} of B pairs, in bytes. */
  public static long preRank(ModelConfig config, int pairs) {
    // Both class tokens in heap and native memory, side by side, and two of the layers.
    return bytes(pairs, (2 * 2 + 2 + RESIDUAL) * (long) config.hidden());
  }

  /** {@link FusionModel#encodeTexts} of B texts, in bytes. */
  public static long encodeTexts(ModelConfig config, int texts, int n) {
    TransformerConfig own = config.text().transformer();
    return bytes(texts, own == null ? tower(config, n) : clip(config, own, n));
  }

  /** {@link FusionModel#encodeImages} of B images, in bytes. */
  public static long encodeImages(ModelConfig config, SensorConfig sensor, int images) {
    long pixels = (long) sensor.channels() * sensor.imageSize() * sensor.imageSize();
    int m = config.towerTokens(sensor);
    long widest =
        switch (config.image().kind()) {
          case VISION_TRANSFORMER -> tower(config, m);
          case CONVOLUTIONAL, RESNET -> convolutions(config.image(), sensor.imageSize());
          case EFFICIENTNET_LITE -> inverted(config, sensor);
          case CLIP -> clip(config, sensor);
        };
    long stored =
        config.tokenProjection() == null
            ? 0
            : 2L * config.tokenWidth() * config.imageTokens(sensor);
    return bytes(images, 2 * pixels + widest + (long) config.hidden() * m + stored);
  }

  /** Values that a transformer layer holds of one item of N tokens. */
  private static long tower(ModelConfig config, long n) {
    return tower(config.hidden(), config.heads(), config.feedForward(), n);
  }

  private static long tower(long h, long heads, long inner, long n) {
    return Math.max((RESIDUAL + 3) * h * n + heads * n * n, RESIDUAL * h * n + 2 * inner * n);
  }

  /** The same of a tower of CLIP, and the projected tokens. */
  private static long clip(ModelConfig config, TransformerConfig own, long n) {
    return tower(own.width(), own.heads(), own.feedForward(), n) + 2L * config.hidden() * n;
  }

  /** The same of an image tower, whose patches are as many whatever becomes of their tokens. */
  private static long clip(ModelConfig config, SensorConfig sensor) {
    long side = config.image().gridSide(sensor.imageSize());
    return clip(config, config.image().transformer(), 1 + side * side);
  }

  /** Values that the widest convolution holds of one image: its input, output, norm and sum. */
  private static long convolutions(ImageTowerConfig tower, long side) {
    long widest = 0;
    long before = 0;
    for (int width : tower.stems()) {
      side /= 2;
      long after = width * side * side;
      widest = Math.max(widest, before + RESIDUAL * after);
      before = after;
    }
    if (tower.kind() == ImageTowerConfig.Kind.RESNET) {
      side /= 2;
      before /= 4;
    }
    for (ImageTowerConfig.Stage stage : tower.stages()) {
      side /= stage.stride();
      long after = stage.width() * side * side;
      // The shortcut's means are at most as large as what goes in.
      long shortcut = tower.hasShortcuts() ? before / stage.stride() / stage.stride() : 0;
      widest = Math.max(widest, before + shortcut + (RESIDUAL + 1) * after);
      before = after;
    }
    return widest;
  }

  /** Values that the widest inverted bottleneck, or the tower's end, holds of one image. */
  private static long inverted(ModelConfig config, SensorConfig sensor) {
    ImageTowerConfig tower = config.image();
    long side = sensor.imageSize() / 2;
    long before = tower.stems().get(0) * side * side;
    // The padded pixels beside the stem's output.
    long widest =
        2L * sensor.channels() * sensor.imageSize() * sensor.imageSize() + RESIDUAL * before;
    for (ImageTowerConfig.Stage stage : tower.stages()) {
      long expanded = before * stage.expansion();
      side /= stage.stride();
      long convolved = expanded / stage.stride() / stage.stride();
      long after = stage.width() * side * side;
      // The expanded input with its ReLU, or with the padded copy that the convolution reads.
      widest = Math.max(widest, before + 2 * expanded + 2 * convolved + RESIDUAL * after);
      before = after;
    }
    long finest = tower.stages().get(tower.lastReduction() - 1).width();
    long finer = tower.hasFineTokens() ? 2 * 4 * finest * side * side : 0;
    long end = before + finer + RESIDUAL * (tower.head() + (long) config.hidden()) * side * side;
    return Math.max(widest, end);
  }

  private static long bytes(int items, long values) {
    return items * values * Float.BYTES;
  }
}
