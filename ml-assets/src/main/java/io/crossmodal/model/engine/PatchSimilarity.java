/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.tokens.Tokens;
import java.nio.FloatBuffer;
import java.util.Locale;

/**
 * Where a text is in an image, for a model without a fusion encoder whose image tower has the value
 * path ({@link ImageTowerConfig#hasValuePath}): the cosines of its embedding with the image's
 * patches, as MaskCLIP (Zhou et al. 2022) finds what a pixel shows. They are put through a softmax
 * over the patches, at the temperature at which CLIPs are trained, so that they sum to 1 as an
 * attention does and show what stands out. They say where the text would be if it is there, and not
 * whether.
 */
public final class PatchSimilarity {
  /** The inverse temperature of CLIP's softmax, at which its training and OpenCLIP's clip it. */
  public static final double SCALE = 100;

  private PatchSimilarity() {}

  /**
   * Compares a text with an image's patches.
   *
   * @param text H values of any length but 0, in the space of the tokens
   * @param image (1 + G x G, H); [CLS] takes no part
   * @return one row, that of the whole text, whose weight for [CLS] is 0
   * @throws IllegalArgumentException when the patches form no square, or the widths differ
   */
  public static WordPatchWeights of(float[] text, Tokens image) {
    int h = image.hidden();
    if (text.length != h) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "a text of %d values has no cosine with patches of %d", text.length, h));
    }
    FloatBuffer values = FloatBuffer.allocate(image.count() * h);
    image.writeTo(values);
    double[] logits = new double[image.count()];
    double length = Math.sqrt(dot(text, FloatBuffer.wrap(text), 0));
    double most = Double.NEGATIVE_INFINITY;
    for (int patch = 1; patch < logits.length; patch++) {
      double squares = 0;
      for (int i = patch * h; i < (patch + 1) * h; i++) {
        squares += (double) values.get(i) * values.get(i);
      }
      // A patch of zeros is like nothing.
      logits[patch] =
          SCALE * dot(text, values, patch * h) / Math.max(length * Math.sqrt(squares), 1e-12);
      most = Math.max(most, logits[patch]);
    }
    double sum = 0;
    for (int patch = 1; patch < logits.length; patch++) {
      logits[patch] = Math.exp(logits[patch] - most);
      sum += logits[patch];
    }
    float[] weights = new float[logits.length];
    for (int patch = 1; patch < logits.length; patch++) {
      weights[patch] = (float) (logits[patch] / sum);
    }
    return new WordPatchWeights(1, weights.length, weights);
  }

  private static double dot(float[] text, FloatBuffer values, int from) {
    double sum = 0;
    for (int i = 0; i < text.length; i++) {
      sum += (double) text[i] * values.get(from + i);
    }
    return sum;
  }
}
