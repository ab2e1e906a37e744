/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.evaluate.EvaluationTable.Retrieval;
import io.crossmodal.trainer.evaluate.EvaluationTable.Row;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongConsumer;
import java.util.stream.IntStream;

/**
 * One direction of retrieval: finds each query's candidates by a first stage and scores the pairs
 * by the fusion encoder.
 */
final class CandidateScorer {
  /** Pairs of the first call of a query. */
  private static final int SMALLEST_CALL = 16;

  /** Pairs of the largest call; more need much memory and are no faster. */
  private static final int LARGEST_CALL = 256;

  private final FusionModel model;
  private final boolean imageQueries;
  private final List<Encoding> queries;
  private final List<Encoding> answers;

  CandidateScorer(
      FusionModel model, boolean imageQueries, List<Encoding> images, List<Encoding> texts) {
    this.model = model;
    this.imageQueries = imageQueries;
    this.queries = imageQueries ? images : texts;
    this.answers = imageQueries ? texts : images;
  }

  /**
   * Returns per query its best answers by the bi-encoder, best first.
   *
   * @param k at most so many, at least 1
   */
  int[][] nearest(int k) {
    return queries.parallelStream()
        .map(query -> nearest(query.embedding(), k))
        .toArray(int[][]::new);
  }

  /**
   * Returns per query its best answers by the MLP pre-ranker, best first: no index helps it, so it
   * meets every answer.
   *
   * @param k at most so many, at least 1
   */
  int[][] preRankedByMlp(int k) {
    List<TokenBlock> classes = answers.stream().map(a -> a.tokens().classToken()).toList();
    int[][] nearest = new int[queries.size()][];
    for (int q = 0; q < nearest.length; q++) {
      List<TokenBlock> query = List.of(queries.get(q).tokens());
      float[] logits = imageQueries ? model.preRank(classes, query) : model.preRank(query, classes);
      nearest[q] = best(logits, k);
    }
    return nearest;
  }

  /**
   * Returns per query the bi-encoder's best answers in the order of MaxSim.
   *
   * @param pool answers that are ordered, at most all
   * @param k at most so many, at least 1
   */
  int[][] preRankedByMaxSim(WordPatchMaxSim maxSim, int pool, int k) {
    int[][] nearest = nearest(pool);
    return IntStream.range(0, nearest.length)
        .parallel()
        .mapToObj(
            q -> {
              int[] found = nearest[q];
              float[] scores = new float[found.length];
              for (int a = 0; a < found.length; a++) {
                scores[a] = imageQueries ? maxSim.score(found[a], q) : maxSim.score(q, found[a]);
              }
              return Arrays.stream(best(scores, k)).map(a -> found[a]).toArray();
            })
        .toArray(int[][]::new);
  }

  private int[] nearest(float[] query, int k) {
    float[] similarity = new float[answers.size()];
    for (int a = 0; a < similarity.length; a++) {
      float[] embedding = answers.get(a).embedding();
      float sum = 0;
      for (int d = 0; d < query.length; d++) {
        sum += query[d] * embedding[d];
      }
      similarity[a] = sum;
    }
    return best(similarity, k);
  }

  private static int[] best(float[] similarity, int k) {
    return IntStream.range(0, similarity.length)
        .boxed()
        .sorted((a, b) -> Float.compare(similarity[b], similarity[a]))
        .limit(k)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /**
   * Scores every query's first candidates, each pair once.
   *
   * <p>No call crosses a cut or one of 16, 32, 64, 128, 256, 512, 768 and so on, so that the first
   * k pairs, with such a k, are scored by the same calls in about the same time, whatever else is
   * asked for.
   *
   * @param nearest per query its candidates, best first
   * @param cuts ascending; the last one is how many candidates are scored
   * @param relevance which answers are right
   * @param progress told the pairs scored so far
   */
  ScoredDirection score(
      int[][] nearest, List<Integer> cuts, Candidates.Relevance relevance, LongConsumer progress) {
    int k = cuts.get(cuts.size() - 1);
    float[][] itm = new float[queries.size()][k];
    float[][] biEncoder = new float[queries.size()][k];
    double[][] millis = new double[cuts.size()][queries.size()];
    long pairs = 0;
    for (int q = 0; q < queries.size(); q++) {
      long since = System.nanoTime();
      int from = 0;
      for (int c = 0; c < cuts.size(); c++) {
        while (from < cuts.get(c)) {
          int to = Math.min(cuts.get(c), endOfCall(from));
          PairLogits logits = score(q, Arrays.copyOfRange(nearest[q], from, to));
          System.arraycopy(logits.itm(), 0, itm[q], from, to - from);
          System.arraycopy(logits.biEncoder(), 0, biEncoder[q], from, to - from);
          from = to;
        }
        millis[c][q] = (System.nanoTime() - since) / 1e6;
      }
      pairs += k;
      progress.accept(pairs);
    }
    return new ScoredDirection(
        new Candidates(nearest, itm, biEncoder),
        relevance.of(imageQueries, false),
        relevance.of(imageQueries, true),
        cut -> median(millis[cuts.indexOf(cut)]),
        false,
        null);
  }

  private static int endOfCall(int from) {
    return from < LARGEST_CALL
        ? Math.max(SMALLEST_CALL, 2 * Integer.highestOneBit(from))
        : (from / LARGEST_CALL + 1) * LARGEST_CALL;
  }

  private PairLogits score(int query, int[] found) {
    List<TokenBlock> one = List.of(queries.get(query).tokens());
    List<TokenBlock> many = Arrays.stream(found).mapToObj(a -> answers.get(a).tokens()).toList();
    return imageQueries ? model.score(many, one) : model.score(one, many);
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int half = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

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

    /** Returns this with full fusion's first ten, once every pair is scored. */
    ScoredDirection full(Calibration calibration) {
      int[][] first =
          IntStream.range(0, candidates.queries())
              .parallel()
              .mapToObj(
                  q -> candidates.fusionOrder(q, candidates.answers()[q].length, calibration, TOP))
              .toArray(int[][]::new);
      return new ScoredDirection(candidates, strict, aware, medianMillis, computed, first);
    }

    /**
     * Returns the ranks of the first k, re-ranked; of the first stage's own order where k is 0.
     *
     * @param calibrations what each query is ranked by
     */
    int[] ranks(int k, IntFunction<Calibration> calibrations, boolean duplicateAware) {
      Candidates.Right right = duplicateAware ? aware : strict;
      return k == 0
          ? candidates.firstStageRanks(right)
          : candidates.fusionRanks(k, calibrations, right);
    }

    /** Returns the first stage's own order. */
    Row.Direction firstStage() {
      return new Row.Direction(
          Retrieval.of(candidates.firstStageRanks(strict)),
          Retrieval.of(candidates.firstStageRanks(aware)),
          null,
          false,
          null);
    }

    /**
     * Returns the first stage's first k, re-ranked.
     *
     * @param calibrations what each query is ranked by
     */
    Row.Direction fusion(int k, IntFunction<Calibration> calibrations) {
      return new Row.Direction(
          Retrieval.of(candidates.fusionRanks(k, calibrations, strict)),
          Retrieval.of(candidates.fusionRanks(k, calibrations, aware)),
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
}
