/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.trainer.train.CaptionSimilarity;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The bi-encoder's first wrong answers to each caption and each picture of a training set: what a
 * fusion encoder has to put in order when it serves.
 *
 * @param images of each caption the first pictures that it does not belong to, best first
 * @param captions of each picture the first captions that do not belong to it, best first
 */
@SuppressWarnings("ArrayRecordComponent") // tables, never compared
record HardCandidates(int[][] images, int[][] captions) {
  /** Queries of one matrix product. */
  private static final int BLOCK = 512;

  /**
   * Finds them among all pictures and captions.
   *
   * @param pictures embeddings, (P, D)
   * @param texts embeddings of the distinct captions, (T, D)
   * @param captionsOf of each picture the numbers of its captions
   * @param similarity of captions
   * @param near a caption is no wrong answer to a picture that has a caption as similar as this; 1
   *     where its own alone are none
   * @param pool how many are kept; fewer where there are fewer
   */
  static HardCandidates find(
      float[][] pictures,
      float[][] texts,
      int[][] captionsOf,
      CaptionSimilarity similarity,
      double near,
      int pool) {
    Wrong wrong =
        (picture, text) ->
            Arrays.stream(captionsOf[picture]).noneMatch(own -> own == text)
                && (near == 1 || !similarity.isNear(captionsOf[picture], text, near));
    return new HardCandidates(
        first(texts, pictures, pool, (text, picture) -> wrong.test(picture, text)),
        first(pictures, texts, pool, wrong));
  }

  /** Tells whether an answer is wrong. */
  @FunctionalInterface
  private interface Wrong {
    boolean test(int query, int answer);
  }

  private static int[][] first(float[][] queries, float[][] answers, int pool, Wrong wrong) {
    int[][] found = new int[queries.length][];
    // Right ones and near ones stand among the first: look twice as far.
    int k = Math.min(answers.length, 2 * pool);
    try (NDManager manager = NDManager.newBaseManager();
        NDArray all = matrix(manager, answers, 0, answers.length).transpose()) {
      for (int from = 0; from < queries.length; from += BLOCK) {
        int start = from;
        int to = Math.min(queries.length, from + BLOCK);
        long[] best;
        try (NDManager block = manager.newSubManager();
            NDArray asking = matrix(block, queries, from, to)) {
          best =
              asking
                  .matMul(all)
                  .topK(k, 1, true, true)
                  .get(1)
                  .toType(DataType.INT64, false)
                  .toLongArray();
        }
        IntStream.range(from, to)
            .parallel()
            .forEach(
                query ->
                    found[query] =
                        Arrays.stream(best, (query - start) * k, (query - start + 1) * k)
                            .mapToInt(Math::toIntExact)
                            .filter(answer -> wrong.test(query, answer))
                            .limit(pool)
                            .toArray());
      }
    }
    return found;
  }

  private static NDArray matrix(NDManager manager, float[][] rows, int from, int to) {
    int d = rows[0].length;
    float[] flat = new float[(to - from) * d];
    for (int i = from; i < to; i++) {
      System.arraycopy(rows[i], 0, flat, (i - from) * d, d);
    }
    return manager.create(flat, new Shape(to - from, d));
  }
}
