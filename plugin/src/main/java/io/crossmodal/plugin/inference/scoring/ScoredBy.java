/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.scoring;

import io.crossmodal.model.Calibration;
import io.crossmodal.plugin.inference.registry.ModelVersion;
import java.util.Objects;

/**
 * The version of a model that gave logits, as far as whoever reads them needs it: the version may
 * have served on another node.
 *
 * @param id of the model
 * @param number of the version, as {@link ModelVersion#number}
 * @param calibration what makes probabilities of its logits
 */
public record ScoredBy(String id, long number, Calibration calibration) {
  public ScoredBy {
    Objects.requireNonNull(id, "id");
    Objects.requireNonNull(calibration, "calibration");
  }

  public static ScoredBy of(ModelVersion version) {
    return new ScoredBy(version.id(), version.number(), version.manifest().calibration());
  }
}
