/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.tokens.Tokens;
import java.util.Objects;

/**
 * What a rescore knows of a document.
 *
 * @param tokens as they are stored
 * @param calibration from MaxSim with the query to a probability, by the sensors of both; null
 *     where the search is not calibrated
 */
record Candidate(Tokens tokens, SensorCalibration calibration) {
  Candidate {
    Objects.requireNonNull(tokens, "tokens");
  }
}
