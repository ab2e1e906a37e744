/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * How much captions have in common: the cosine of their TF-IDF vectors over word pieces, in [0, 1].
 *
 * <p>Captions of aerial pictures repeat each other ("many buildings are near a road", "many
 * buildings are near the road"): contrasted as negatives they would teach a model to tell apart
 * what is the same. Rare words weigh more, so that "a red boat" and "a blue boat" stay negatives.
 */
public final class CaptionSimilarity {
  /** Gives the word pieces of a caption. */
  @FunctionalInterface
  public interface Ids {
    /** Returns those of an image's caption, by their places. */
    int[] of(int image, int caption);
  }

  /** Of each caption its distinct word pieces, ascending. */
  private final int[][] pieces;

  /** Their weights; a caption's have length 1. */
  private final float[][] weights;

  private CaptionSimilarity(int[][] pieces, float[][] weights) {
    this.pieces = pieces;
    this.weights = weights;
  }

  /**
   * Compares the captions of images.
   *
   * @param numbers of each image the numbers of its captions, from 0; equal for equal captions
   * @param captions their word pieces, [CLS] first and [SEP] last
   */
  public static CaptionSimilarity of(int[][] numbers, Ids captions) {
    int count = Arrays.stream(numbers).flatMapToInt(Arrays::stream).max().orElse(-1) + 1;
    int[][] pieces = new int[count][];
    for (int i = 0; i < numbers.length; i++) {
      for (int c = 0; c < numbers[i].length; c++) {
        int[] ids = captions.of(i, c);
        // Without [CLS] and [SEP], which all have.
        pieces[numbers[i][c]] =
            Arrays.stream(ids, 1, Math.max(1, ids.length - 1)).sorted().distinct().toArray();
      }
    }
    Map<Integer, Integer> holders = new HashMap<>();
    for (int[] own : pieces) {
      for (int piece : own) {
        holders.merge(piece, 1, Integer::sum);
      }
    }
    float[][] weights = new float[count][];
    for (int i = 0; i < count; i++) {
      weights[i] = new float[pieces[i].length];
      double squares = 0;
      for (int j = 0; j < weights[i].length; j++) {
        double idf = Math.log((1.0 + count) / holders.get(pieces[i][j]));
        weights[i][j] = (float) idf;
        squares += idf * idf;
      }
      for (int j = 0; j < weights[i].length; j++) {
        weights[i][j] /= (float) Math.sqrt(squares);
      }
    }
    return new CaptionSimilarity(pieces, weights);
  }

  /** Returns the similarity of two captions by their numbers. */
  public double cosine(int one, int other) {
    int[] a = pieces[one];
    int[] b = pieces[other];
    double sum = 0;
    for (int i = 0, j = 0; i < a.length && j < b.length; ) {
      if (a[i] == b[j]) {
        sum += weights[one][i++] * weights[other][j++];
      } else if (a[i] < b[j]) {
        i++;
      } else {
        j++;
      }
    }
    return sum;
  }

  /** Returns whether a caption has at least so much in common with one of others. */
  public boolean isNear(int[] others, int caption, double threshold) {
    for (int other : others) {
      if (cosine(other, caption) >= threshold) {
        return true;
      }
    }
    return false;
  }
}
