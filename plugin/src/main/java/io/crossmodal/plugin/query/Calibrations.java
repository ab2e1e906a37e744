/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import java.util.List;
import java.util.Locale;

/**
 * The calibrations of a search, of cosines for its query and of MaxSim for its rescorer: one for
 * each sensor of the searched field, or none, never some.
 */
public final class Calibrations {
  /** The key of a request, in the query and in the rescorer. */
  public static final String CALIBRATE = "calibrate";

  private Calibrations() {}

  /**
   * Returns the calibrations that all hits of a search are scored by.
   *
   * @param calibrate what the request says; null where the model decides
   * @param found one for each sensor of the searched field, or none
   * @param key of the query source
   * @param why there are none, if there are none
   * @return none where hits score as they do without
   * @throws IllegalArgumentException when the request asks for calibrations and there are none
   */
  public static List<SensorCalibration> choose(
      Boolean calibrate, List<SensorCalibration> found, String key, String why) {
    if (Boolean.FALSE.equals(calibrate)) {
      return List.of();
    }
    if (Boolean.TRUE.equals(calibrate) && found.isEmpty()) {
      throw missing(key, why);
    }
    // A single sensor's hits are in one order either way.
    return calibrate == null && found.size() == 1 ? List.of() : found;
  }

  static IllegalArgumentException missing(String key, String why) {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "[%s] goes with an image on a field of images whose model has a calibration from the"
                + " image's sensor to each of its own, as train-sensors fits them; got [%s]: %s",
            CALIBRATE,
            key,
            why));
  }
}
