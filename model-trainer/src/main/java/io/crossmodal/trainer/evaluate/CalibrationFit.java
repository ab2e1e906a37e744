/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import java.util.Arrays;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Chooses lambda by the mean reciprocal rank on validation queries, then fits Platt's scaling
 * (Platt 1999, with his smoothed targets) to the pairs' summed logits.
 */
public final class CalibrationFit {
  private static final double[] LAMBDAS = {
    0, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 50
  };
  private static final int NEWTON_STEPS = 100;

  /** A probability shall not fall where the logit rises, however useless the model. */
  private static final double LEAST_SCALE = 1e-3;

  private CalibrationFit() {}

  /**
   * One direction of retrieval.
   *
   * @param right per query and candidate whether they belong together
   */
  @SuppressWarnings("ArrayRecordComponent") // a table, never compared
  record Judged(Candidates candidates, boolean[][] right) {
    /** Returns some of the queries. */
    Judged of(IntPredicate chosen) {
      int[] some = IntStream.range(0, right.length).filter(chosen).toArray();
      return new Judged(
          candidates.of(some),
          Arrays.stream(some).mapToObj(q -> right[q]).toArray(boolean[][]::new));
    }
  }

  /**
   * Fits lambda to all directions, each of them with the same say, then scale and bias to the
   * first.
   *
   * @param directions at least one
   */
  static Calibration fit(Judged... directions) {
    double best = -1;
    double lambda = 0;
    for (double candidate : LAMBDAS) {
      double score = 0;
      for (Judged direction : directions) {
        score += meanReciprocalRank(direction.candidates(), direction.right(), candidate);
      }
      if (score > best) {
        best = score;
        lambda = candidate;
      }
    }
    Candidates candidates = directions[0].candidates();
    boolean[][] right = directions[0].right();
    double[][] logits = new double[right.length][];
    for (int q = 0; q < right.length; q++) {
      logits[q] = new double[right[q].length];
      for (int a = 0; a < right[q].length; a++) {
        logits[q][a] = logit(candidates, q, a, lambda);
      }
    }
    return platt(logits, right, lambda);
  }

  private static double meanReciprocalRank(
      Candidates candidates, boolean[][] right, double lambda) {
    double sum = 0;
    for (int q = 0; q < right.length; q++) {
      double bestRight = Double.NEGATIVE_INFINITY;
      for (int a = 0; a < right[q].length; a++) {
        if (right[q][a]) {
          bestRight = Math.max(bestRight, logit(candidates, q, a, lambda));
        }
      }
      if (bestRight > Double.NEGATIVE_INFINITY) {
        int rank = 1;
        for (int a = 0; a < right[q].length; a++) {
          if (!right[q][a] && logit(candidates, q, a, lambda) >= bestRight) {
            rank++;
          }
        }
        sum += 1.0 / rank;
      }
    }
    return sum / right.length;
  }

  private static double logit(Candidates candidates, int q, int a, double lambda) {
    return candidates.itm()[q][a] + lambda * candidates.biEncoder()[q][a];
  }

  /**
   * Fits scale and bias by Newton's method, with a little ridge so that it cannot run away.
   *
   * <p>It works on standardised logits: a sum with the bi-encoder's may lie at a hundred, where
   * steps of bounded length would not arrive.
   *
   * @param logits per query and candidate what pairs are ranked by
   * @param right per query and candidate whether they belong together
   * @param lambda handed on
   */
  public static Calibration platt(double[][] logits, boolean[][] right, double lambda) {
    long positives = 0;
    long all = 0;
    for (boolean[] query : right) {
      for (boolean r : query) {
        positives += r ? 1 : 0;
        all++;
      }
    }
    double mean = 0;
    double squares = 0;
    for (double[] query : logits) {
      for (double x : query) {
        mean += x / all;
        squares += x * x / all;
      }
    }
    double variance = squares - mean * mean;
    double deviation = variance > 0 ? Math.sqrt(variance) : 1;
    double high = (positives + 1.0) / (positives + 2.0);
    double low = 1.0 / (all - positives + 2.0);
    double a = 1;
    double b = 0;
    for (int step = 0; step < NEWTON_STEPS; step++) {
      double ga = 1e-6 * (a - 1);
      double gb = 1e-6 * b;
      double haa = 1e-6;
      double hab = 0;
      double hbb = 1e-6;
      for (int q = 0; q < right.length; q++) {
        for (int c = 0; c < right[q].length; c++) {
          double x = (logits[q][c] - mean) / deviation;
          double p = 1 / (1 + Math.exp(-(a * x + b)));
          double error = p - (right[q][c] ? high : low);
          double w = p * (1 - p);
          ga += error * x;
          gb += error;
          haa += w * x * x;
          hab += w * x;
          hbb += w;
        }
      }
      double determinant = haa * hbb - hab * hab;
      double da = (hbb * ga - hab * gb) / determinant;
      double db = (haa * gb - hab * ga) / determinant;
      // Far from the optimum a full step overshoots.
      double damp = 1 / Math.max(1, Math.hypot(da, db));
      a -= damp * da;
      b -= damp * db;
      if (Math.hypot(da, db) < 1e-9) {
        break;
      }
    }
    double scale = a / deviation;
    if (scale >= LEAST_SCALE) {
      return new Calibration(lambda, scale, b - scale * mean);
    }
    // Logits that say nothing, or mislead: every pair is as likely as pairs are on average.
    double share = (positives * high + (all - positives) * low) / all;
    return new Calibration(lambda, LEAST_SCALE, Math.log(share / (1 - share)) - LEAST_SCALE * mean);
  }
}
