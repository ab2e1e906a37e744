/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.registry;

import io.crossmodal.model.Precision;
import java.util.Objects;

/**
 * How a model did in one precision when it was loaded.
 *
 * @param embedding as {@link io.crossmodal.model.bundle.Golden.Deviation#embedding}; 0 for fp32
 * @param logit as {@link io.crossmodal.model.bundle.Golden.Deviation#logit}; 0 for fp32
 * @param micros of a score call, the same in all precisions; 0 where it could not be loaded
 * @param error why it could not be loaded; empty where it could
 */
public record PrecisionTrial(
    Precision precision, double embedding, double logit, long micros, String error) {
  public PrecisionTrial {
    Objects.requireNonNull(precision, "precision");
    Objects.requireNonNull(error, "error");
  }
}
