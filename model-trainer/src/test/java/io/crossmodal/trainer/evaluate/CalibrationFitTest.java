/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.trainer.train.MicroTraining;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;

class CalibrationFitTest {
  private static final long SEED = MicroTraining.seed();

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static int[][] answers(int queries, int k) {
    int[][] answers = new int[queries][k];
    for (int[] row : answers) {
      Arrays.setAll(row, a -> a);
    }
    return answers;
  }

  /**
   * Random logits; one of an answer's candidates is right, drawn with odds exp(scale (itm + lambda
   * filter)).
   */
  private Candidates draw(int queries, int k, double lambda, double scale, boolean[][] right) {
    float[][] itm = new float[queries][k];
    float[][] filter = new float[queries][k];
    for (int q = 0; q < queries; q++) {
      right[q] = new boolean[k];
      double best = Double.NEGATIVE_INFINITY;
      int chosen = 0;
      for (int a = 0; a < k; a++) {
        itm[q][a] = (float) (3 * random.nextGaussian());
        filter[q][a] = (float) (3 * random.nextGaussian());
        double gumbel = -Math.log(-Math.log(random.nextDouble(Double.MIN_NORMAL, 1)));
        double value = scale * (itm[q][a] + lambda * filter[q][a]) + gumbel;
        if (value > best) {
          best = value;
          chosen = a;
        }
      }
      right[q][chosen] = true;
    }
    return new Candidates(answers(queries, k), itm, filter);
  }

  private static Calibration fit(Candidates candidates, boolean[][] right) {
    return CalibrationFit.fit(new CalibrationFit.Judged(candidates, right));
  }

  /** The one direction alone would say 0, the other is told apart by the filter alone. */
  @Test
  void bothDirectionsChooseLambda() {
    boolean[][] right = new boolean[1500][];
    boolean[][] rightBack = new boolean[1500][];
    CalibrationFit.Judged there = new CalibrationFit.Judged(draw(1500, 8, 0, 1.5, right), right);
    CalibrationFit.Judged back =
        new CalibrationFit.Judged(draw(1500, 8, 2, 1.5, rightBack), rightBack);
    double one = CalibrationFit.fit(there).lambda();
    double both = CalibrationFit.fit(there, back).lambda();
    double other = CalibrationFit.fit(back).lambda();
    assertTrue(one < both && both < other, one + " " + both + " " + other);
  }

  @Test
  void findsWhichLogitTellsMore() {
    for (double lambda : new double[] {0, 0.5, 2}) {
      boolean[][] right = new boolean[1500][];
      Calibration fitted = fit(draw(1500, 8, lambda, 1.5, right), right);
      assertTrue(
          fitted.lambda() >= lambda / 2 && fitted.lambda() <= Math.max(0.2, 2 * lambda),
          "lambda " + lambda + " came back as " + fitted);
    }
  }

  @Test
  void recoversPlattsScaling() {
    int n = 20_000;
    float[][] itm = new float[1][n];
    boolean[][] right = new boolean[1][n];
    for (int a = 0; a < n; a++) {
      itm[0][a] = (float) (2 * random.nextGaussian());
      right[0][a] = random.nextDouble() < 1 / (1 + Math.exp(-(0.7 * itm[0][a] - 1.2)));
    }
    Calibration fitted = fit(new Candidates(answers(1, n), itm, new float[1][n]), right);
    assertEquals(0.7, fitted.scale(), 0.08);
    assertEquals(-1.2, fitted.bias(), 0.1);
  }

  /** A filter that was trained for long has logits of some tens, and lambda multiplies them. */
  @Test
  void arrivesWhereLogitsLieFarFromZero() {
    // Two normal distributions a gap apart: the log odds rise by gap / variance.
    Calibration fitted = fitTo(3);
    assertEquals(3, fitted.scale(), 0.3, fitted.toString());
  }

  @Test
  void whereLogitsMisleadPairsAreAsLikelyAsOnAverage() {
    Calibration fitted = fitTo(-3);
    assertTrue(fitted.scale() > 0 && fitted.scale() < 0.01, fitted.toString());
  }

  /** Fits to logits about 90, matches a gap above the others, and checks the mean probability. */
  private Calibration fitTo(double gap) {
    int n = 20_000;
    float[][] itm = new float[1][n];
    boolean[][] right = new boolean[1][n];
    int matches = 0;
    for (int a = 0; a < n; a++) {
      right[0][a] = random.nextInt(16) == 0;
      matches += right[0][a] ? 1 : 0;
      itm[0][a] = (float) (90 + (right[0][a] ? gap : 0) + random.nextGaussian());
    }
    Calibration fitted = fit(new Candidates(answers(1, n), itm, new float[1][n]), right);
    double mean = 0;
    for (float logit : itm[0]) {
      mean += fitted.probability(logit, 0) / n;
    }
    assertEquals((double) matches / n, mean, 1e-3, fitted.toString());
    return fitted;
  }

  @RepeatedTest(5)
  void probabilitiesKeepTheOrderOfTheLogits() {
    boolean[][] right = new boolean[50][];
    Calibration fitted = fit(draw(50, 6, random.nextDouble(3), random.nextDouble(3), right), right);
    double last = -1;
    for (float logit = -30; logit <= 30; logit += 0.5f) {
      double p = fitted.probability(logit, 0);
      assertTrue(p >= last && p >= 0 && p <= 1, fitted.toString());
      last = p;
    }
  }

  @Test
  void whatTeachesNothingStillGivesFiniteNumbers() {
    boolean[][] right = new boolean[4][];
    Candidates random = draw(4, 5, 1, 1, right);
    for (boolean same : new boolean[] {true, false}) {
      boolean[][] all = new boolean[4][5];
      for (boolean[] row : all) {
        Arrays.fill(row, same);
      }
      assertUsable(fit(random, all));
    }
    // Logits that tell right from wrong without fail, that mislead, that are all the same, none.
    Candidates apart =
        new Candidates(answers(1, 2), new float[][] {{1e4f, -1e4f}}, new float[1][2]);
    assertUsable(fit(apart, new boolean[][] {{true, false}}));
    assertUsable(fit(apart, new boolean[][] {{false, true}}));
    Candidates same = new Candidates(answers(1, 2), new float[1][2], new float[1][2]);
    assertUsable(fit(same, new boolean[][] {{false, true}}));
    assertUsable(
        fit(new Candidates(new int[0][], new float[0][], new float[0][]), new boolean[0][]));
  }

  private static void assertUsable(Calibration fitted) {
    assertTrue(Double.isFinite(fitted.bias()) && fitted.scale() > 0, fitted.toString());
    assertTrue(Float.isFinite(fitted.probability(3, 2)), fitted.toString());
  }
}
