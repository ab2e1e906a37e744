/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;

/**
 * Where mR lies in 95 of 100 draws of as many pictures, each with its captions, from those that
 * were measured (the bootstrap's percentiles; Efron 1979). Pictures are drawn rather than queries:
 * the captions of one are no independent evidence.
 *
 * @param low in percent
 * @param high in percent
 */
public record Interval(double low, double high) {
  private static final int DRAWS = 1000;
  private static final int[] CUTS = {1, 5, 10};

  /**
   * Draws the interval, the same for the same ranks.
   *
   * @param images per picture, the rank of its best caption
   * @param texts per caption, the rank of its best picture
   * @param owner of a caption, its picture
   */
  static Interval of(int[] images, int[] texts, IntUnaryOperator owner) {
    int n = images.length;
    int[][] hits = new int[n][2 * CUTS.length];
    int[] captions = new int[n];
    for (int c = 0; c < CUTS.length; c++) {
      for (int i = 0; i < n; i++) {
        hits[i][c] = images[i] <= CUTS[c] ? 1 : 0;
      }
      for (int t = 0; t < texts.length; t++) {
        hits[owner.applyAsInt(t)][CUTS.length + c] += texts[t] <= CUTS[c] ? 1 : 0;
      }
    }
    for (int t = 0; t < texts.length; t++) {
      captions[owner.applyAsInt(t)]++;
    }
    SplittableRandom random = new SplittableRandom(1);
    double[] means = new double[DRAWS];
    for (int draw = 0; draw < DRAWS; draw++) {
      long[] sums = new long[2 * CUTS.length];
      long drawnTexts = 0;
      for (int j = 0; j < n; j++) {
        int image = random.nextInt(n);
        drawnTexts += captions[image];
        for (int c = 0; c < sums.length; c++) {
          sums[c] += hits[image][c];
        }
      }
      for (int c = 0; c < sums.length; c++) {
        means[draw] +=
            100.0 * sums[c] / Math.max(1, c < CUTS.length ? n : drawnTexts) / sums.length;
      }
    }
    Arrays.sort(means);
    return new Interval(means[DRAWS / 40], means[DRAWS - 1 - DRAWS / 40]);
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%.1f to %.1f", low, high);
  }
}
