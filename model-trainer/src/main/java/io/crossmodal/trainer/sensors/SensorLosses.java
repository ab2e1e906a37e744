/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.trainer.train.StepLosses;

/** The losses of a step, those that take no part being 0. */
record SensorLosses(
    double total, double mutual, double angular, double neighbours, double patches, double tokens)
    implements StepLosses<SensorLosses> {
  @Override
  public boolean finite() {
    return Double.isFinite(total);
  }

  /** These losses of a step that could not be taken. */
  SensorLosses diverged() {
    return new SensorLosses(Double.NaN, mutual, angular, neighbours, patches, tokens);
  }

  @Override
  public SensorLosses plus(SensorLosses other) {
    return new SensorLosses(
        total + other.total,
        mutual + other.mutual,
        angular + other.angular,
        neighbours + other.neighbours,
        patches + other.patches,
        tokens + other.tokens);
  }

  @Override
  public SensorLosses times(double factor) {
    return new SensorLosses(
        total * factor,
        mutual * factor,
        angular * factor,
        neighbours * factor,
        patches * factor,
        tokens * factor);
  }
}
