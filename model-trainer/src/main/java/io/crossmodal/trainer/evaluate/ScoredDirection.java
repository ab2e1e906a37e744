/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * One direction of retrieval, scored, from which every row's half is read.
 *
 * @param candidates the pairs
 * @param strict an image's own captions are right
 * @param aware every image that has the caption is right
 * @param medianMillis for a cut k: the median over queries of the milliseconds that the fusion
 *     stage took for a query's first k pairs
 * @param computed whether those were computed from the time of a pair in the other direction
 * @param top per query full fusion's first ten answers; null where not every pair was scored
 */
@SuppressWarnings("ArrayRecordComponent") // a table, never compared
record ScoredDirection(
    Candidates candidates,
    Candidates.Right strict,
    Candidates.Right aware,
    IntToDoubleFunction medianMillis,
    boolean computed,
    int[][] top) {

  static final int TOP = 10;

  /** With full fusion's first ten, once every pair is scored. */
  ScoredDirection full(Calibration calibration) {
    int[][] first =
        IntStream.range(0, candidates.queries())
            .parallel()
            .mapToObj(
                q -> candidates.fusionOrder(q, candidates.answers()[q].length, calibration, TOP))
            .toArray(int[][]::new);
    return new ScoredDirection(candidates, strict, aware, medianMillis, computed, first);
  }

  /** The filter's own order. */
  Row.Direction filter() {
    return new Row.Direction(
        Retrieval.of(candidates.filterRanks(strict)),
        Retrieval.of(candidates.filterRanks(aware)),
        null,
        false,
        null);
  }

  /** The filter's first k, re-ranked. */
  Row.Direction fusion(int k, Calibration calibration) {
    return new Row.Direction(
        Retrieval.of(candidates.fusionRanks(k, calibration, strict)),
        Retrieval.of(candidates.fusionRanks(k, calibration, aware)),
        medianMillis.applyAsDouble(k),
        computed,
        top == null ? null : topFound(k));
  }

  private double topFound(int k) {
    long found = 0;
    long all = 0;
    for (int q = 0; q < top.length; q++) {
      Set<Integer> first = new HashSet<>();
      Arrays.stream(candidates.answers()[q]).limit(k).forEach(first::add);
      found += Arrays.stream(top[q]).filter(first::contains).count();
      all += top[q].length;
    }
    return 100.0 * found / all;
  }
}
