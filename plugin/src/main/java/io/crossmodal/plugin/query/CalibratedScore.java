/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import java.io.IOException;
import java.util.Objects;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.DoubleValues;
import org.apache.lucene.search.DoubleValuesSource;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.search.IndexSearcher;

/**
 * The probability that a kNN hit of one sensor shows the place of a query of another or the same
 * one, from its score (1 + cosine) / 2. It rises with the cosine, so the k nearest of a sensor stay
 * the k best.
 */
final class CalibratedScore extends DoubleValuesSource {
  private final SensorCalibration calibration;

  CalibratedScore(SensorCalibration calibration) {
    this.calibration = Objects.requireNonNull(calibration, "calibration");
  }

  private static double cosine(double score) {
    return 2 * score - 1;
  }

  @Override
  public DoubleValues getValues(LeafReaderContext leaf, DoubleValues scores) {
    return new DoubleValues() {
      @Override
      public double doubleValue() throws IOException {
        return calibration.probability((float) cosine(scores.doubleValue()));
      }

      @Override
      public boolean advanceExact(int doc) throws IOException {
        return scores.advanceExact(doc);
      }
    };
  }

  @Override
  public Explanation explain(LeafReaderContext leaf, int doc, Explanation score) {
    float cosine = (float) cosine(score.getValue().doubleValue());
    return Explanation.match(
        calibration.probability(cosine),
        "probability that query and document show one place, calibrated from sensor ["
            + calibration.query()
            + "] to ["
            + calibration.archive()
            + "]: sigmoid(scale * cosine + bias)",
        Explanation.match(cosine, "cosine, 2 * score - 1", score),
        Explanation.match((float) calibration.scale(), "scale"),
        Explanation.match((float) calibration.bias(), "bias"));
  }

  @Override
  public boolean needsScores() {
    return true;
  }

  @Override
  public DoubleValuesSource rewrite(IndexSearcher searcher) {
    return this;
  }

  @Override
  public boolean isCacheable(LeafReaderContext leaf) {
    return true;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CalibratedScore score && calibration.equals(score.calibration);
  }

  @Override
  public int hashCode() {
    return calibration.hashCode();
  }

  @Override
  public String toString() {
    return "calibrated(" + calibration.query() + " to " + calibration.archive() + ")";
  }
}
