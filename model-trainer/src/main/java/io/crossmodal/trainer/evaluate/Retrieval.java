/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

/**
 * R@1, R@5, R@10 in percent: the share of queries with a right answer among the first K.
 *
 * @param r1 R@1
 * @param r5 R@5
 * @param r10 R@10
 * @param queries how many queries the shares are of; 0 where a source does not say
 */
public record Retrieval(double r1, double r5, double r10, int queries) {

  /**
   * Counts ranks within the cut-offs.
   *
   * @param ranks per query the rank, from 1, of its best right answer
   */
  public static Retrieval of(int[] ranks) {
    return new Retrieval(share(ranks, 1), share(ranks, 5), share(ranks, 10), ranks.length);
  }

  private static double share(int[] ranks, int k) {
    int hits = 0;
    for (int rank : ranks) {
      if (rank <= k) {
        hits++;
      }
    }
    return ranks.length == 0 ? 0 : 100.0 * hits / ranks.length;
  }

  /** The mean of the six shares of both directions: mR. */
  public static double meanRecall(Retrieval imageToText, Retrieval textToImage) {
    return (imageToText.r1
            + imageToText.r5
            + imageToText.r10
            + textToImage.r1
            + textToImage.r5
            + textToImage.r10)
        / 6;
  }
}
