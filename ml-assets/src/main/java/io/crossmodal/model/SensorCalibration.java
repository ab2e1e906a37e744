/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Locale;
import java.util.Objects;

/**
 * From how alike two images are, the cosine of their embeddings or MaxSim of their patches, to a
 * probability. One a pair of sensors: radar and optical images are less alike than two radar images
 * of places that differ as much, so what two pairs of sensors give cannot be ranked in one list.
 *
 * @param query sensor of the image that is searched by
 * @param archive sensor of the image that is found
 * @param scale above 0
 * @param bias added to scale times the cosine, or MaxSim
 */
public record SensorCalibration(String query, String archive, double scale, double bias) {
  public SensorCalibration {
    Objects.requireNonNull(query, "query");
    Objects.requireNonNull(archive, "archive");
    if (!(scale > 0) || !Double.isFinite(scale + bias)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "calibration of %s and %s: scale must be above 0 and both finite, got %s and %s",
              query,
              archive,
              scale,
              bias));
    }
  }

  /**
   * The probability, in [0, 1], that both images belong together.
   *
   * @param alike cosine or MaxSim, whichever this was fitted to
   */
  public float probability(float alike) {
    return (float) (1 / (1 + Math.exp(-(scale * alike + bias))));
  }

  /**
   * Checks that a model has both sensors.
   *
   * @throws IllegalArgumentException naming those that it has
   */
  public void requireIn(ModelConfig config) {
    config.sensor(query);
    config.sensor(archive);
  }
}
