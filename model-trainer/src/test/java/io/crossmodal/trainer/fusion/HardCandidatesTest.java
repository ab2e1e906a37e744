/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.crossmodal.trainer.train.CaptionSimilarity;
import io.crossmodal.trainer.train.MicroTraining;
import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.function.BiPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The first wrong answers, against a sort of all of them. */
class HardCandidatesTest {
  private static final int PICTURES = 40;
  private static final int POOL = 12;
  private final SplittableRandom random = new SplittableRandom(MicroTraining.seed());

  private float[][] embeddings(int count) {
    float[][] rows = new float[count][6];
    for (float[] row : rows) {
      for (int d = 0; d < row.length; d++) {
        row[d] = (float) random.nextGaussian();
      }
    }
    return rows;
  }

  /** Two captions a picture; every fifth has one of its neighbour's, too. */
  private static int[][] captionsOf() {
    return IntStream.range(0, PICTURES)
        .mapToObj(
            i ->
                i % 5 == 0 && i > 0
                    ? new int[] {2 * i, 2 * i + 1, 2 * i - 1}
                    : new int[] {2 * i, 2 * i + 1})
        .toArray(int[][]::new);
  }

  private static int[] expected(
      float[][] queries, float[][] answers, int query, BiPredicate<Integer, Integer> wrong) {
    return IntStream.range(0, answers.length)
        .boxed()
        .sorted(
            Comparator.comparingDouble(
                answer -> {
                  double sum = 0;
                  for (int d = 0; d < answers[answer].length; d++) {
                    sum += queries[query][d] * answers[answer][d];
                  }
                  return -sum;
                }))
        // No further than twice the pool is looked.
        .limit(2 * POOL)
        .filter(answer -> wrong.test(query, answer))
        .limit(POOL)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  @Test
  void theyAreTheFirstThatAreWrong() {
    int[][] captionsOf = captionsOf();
    float[][] pictures = embeddings(PICTURES);
    float[][] texts = embeddings(2 * PICTURES);
    // Captions of three words; some differ in one.
    int[][] words =
        IntStream.range(0, 2 * PICTURES)
            .mapToObj(
                t -> new int[] {0, 1 + random.nextInt(6), 10 + random.nextInt(6), 20 + t % 9, 0})
            .toArray(int[][]::new);
    CaptionSimilarity similarity =
        CaptionSimilarity.of(captionsOf, (picture, c) -> words[captionsOf[picture][c]]);
    for (double near : new double[] {1, 0.6}) {
      HardCandidates hard =
          HardCandidates.find(pictures, texts, captionsOf, similarity, near, POOL);
      for (int i = 0; i < PICTURES; i++) {
        int picture = i;
        BiPredicate<Integer, Integer> wrong =
            (p, t) ->
                Arrays.stream(captionsOf[p])
                    .noneMatch(own -> own == t || (near < 1 && similarity.cosine(own, t) >= near));
        assertArrayEquals(
            expected(pictures, texts, picture, wrong), hard.captions()[picture], "picture " + i);
        for (int text : captionsOf[i]) {
          assertArrayEquals(
              expected(texts, pictures, text, (t, p) -> wrong.test(p, t)),
              hard.images()[text],
              "text " + text);
        }
      }
    }
  }
}
