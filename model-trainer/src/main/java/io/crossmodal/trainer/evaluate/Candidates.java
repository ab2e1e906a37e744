/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * A first stage's best answers to each query of one direction, with the logits of the first K
 * pairs.
 *
 * @param answers per query the answers' numbers, best first; at least K
 * @param itm per query and answer the matching logit
 * @param biEncoder per query and answer the bi-encoder's logit
 */
@SuppressWarnings("ArrayRecordComponent") // a table, never compared
record Candidates(int[][] answers, float[][] itm, float[][] biEncoder) {

  /** Tells whether an answer is right for a query. */
  @FunctionalInterface
  interface Right {
    boolean test(int query, int answer);
  }

  int queries() {
    return answers.length;
  }

  /** Returns the ranks of the best right answers by the first stage's own order. */
  int[] firstStageRanks(Right right) {
    return IntStream.range(0, queries())
        .map(
            q ->
                IntStream.range(0, answers[q].length)
                    .filter(a -> right.test(q, answers[q][a]))
                    .map(a -> a + 1)
                    .findFirst()
                    .orElse(Integer.MAX_VALUE))
        .toArray();
  }

  /**
   * Returns the ranks of the best right answers where the first k candidates are re-ranked.
   *
   * @param k at most K
   * @param calibrations what each query is ranked by
   * @return per query a rank from 1, or beyond every cut-off when the candidates hold no right one
   */
  int[] fusionRanks(int k, IntFunction<Calibration> calibrations, Right right) {
    return IntStream.range(0, queries())
        .map(q -> fusionRank(q, k, calibrations.apply(q), right))
        .toArray();
  }

  /** Returns some of the queries. */
  Candidates of(int[] some) {
    return new Candidates(
        Arrays.stream(some).mapToObj(q -> answers[q]).toArray(int[][]::new),
        Arrays.stream(some).mapToObj(q -> itm[q]).toArray(float[][]::new),
        Arrays.stream(some).mapToObj(q -> biEncoder[q]).toArray(float[][]::new));
  }

  private int fusionRank(int q, int k, Calibration calibration, Right right) {
    int best = -1;
    for (int a = 0; a < k; a++) {
      if (right.test(q, answers[q][a])
          && (best < 0 || logit(q, a, calibration) > logit(q, best, calibration))) {
        best = a;
      }
    }
    if (best < 0) {
      return Integer.MAX_VALUE;
    }
    double logit = logit(q, best, calibration);
    int rank = 1;
    for (int a = 0; a < k; a++) {
      double other = logit(q, a, calibration);
      // Ties keep the first stage's order.
      if (other > logit || (other == logit && a < best)) {
        rank++;
      }
    }
    return rank;
  }

  /**
   * Returns the first answers to a query, best first, where its first k candidates are re-ranked.
   */
  int[] fusionOrder(int q, int k, Calibration calibration, int first) {
    return IntStream.range(0, k)
        .boxed()
        .sorted(Comparator.comparingDouble(a -> -logit(q, a, calibration)))
        .limit(first)
        .mapToInt(a -> answers[q][a])
        .toArray();
  }

  private double logit(int q, int a, Calibration calibration) {
    return calibration.logit(itm[q][a], biEncoder[q][a]);
  }

  /**
   * Returns the same pairs from the answers' side, once every pair is scored.
   *
   * @param back per answer all queries, best first
   */
  Candidates transposed(int[][] back) {
    float[][] denseItm = dense(itm);
    float[][] denseBiEncoder = dense(biEncoder);
    float[][] itmBack = new float[back.length][queries()];
    float[][] biEncoderBack = new float[back.length][queries()];
    for (int a = 0; a < back.length; a++) {
      for (int i = 0; i < queries(); i++) {
        itmBack[a][i] = denseItm[back[a][i]][a];
        biEncoderBack[a][i] = denseBiEncoder[back[a][i]][a];
      }
    }
    return new Candidates(back, itmBack, biEncoderBack);
  }

  /** Returns logits per query in the answers' own order, not in the first stage's. */
  private float[][] dense(float[][] logits) {
    float[][] dense = new float[queries()][];
    for (int q = 0; q < dense.length; q++) {
      dense[q] = new float[answers[q].length];
      for (int a = 0; a < dense[q].length; a++) {
        dense[q][answers[q][a]] = logits[q][a];
      }
    }
    return dense;
  }

  /**
   * Relevance of the texts of a split to its images.
   *
   * <p>Strict counts only an image's own captions; duplicate-aware counts every image that has the
   * caption, letter by letter, among its own (in RSICD's test split 11.7 % of the captions describe
   * several images).
   */
  static final class Relevance {
    /** Per text the image that it was written for. */
    private final int[] owner;

    private final List<String> textKeys = new ArrayList<>();
    private final List<Set<String>> imageKeys = new ArrayList<>();

    Relevance(List<CaptionedImage> split) {
      List<Integer> owners = new ArrayList<>();
      for (int i = 0; i < split.size(); i++) {
        Set<String> keys = new HashSet<>();
        for (String caption : split.get(i).captions()) {
          String key = CaptionedDataset.captionKey(caption);
          textKeys.add(key);
          keys.add(key);
          owners.add(i);
        }
        imageKeys.add(keys);
      }
      this.owner = owners.stream().mapToInt(Integer::intValue).toArray();
    }

    int owner(int text) {
      return owner[text];
    }

    boolean right(int image, int text, boolean aware) {
      return aware ? imageKeys.get(image).contains(textKeys.get(text)) : owner[text] == image;
    }

    /** Returns which answers are right for queries of one modality over the other. */
    Candidates.Right of(boolean imageQueries, boolean aware) {
      return imageQueries
          ? (image, text) -> right(image, text, aware)
          : (text, image) -> right(image, text, aware);
    }
  }
}
