/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import io.crossmodal.model.Precision;
import java.util.Locale;
import java.util.Optional;

/** In which precision a node loads its models. */
public enum PrecisionPolicy {
  /**
   * The fastest of those that the device computes in, measured when a model is loaded; fp32 unless
   * another is clearly faster and near enough to the golden outputs.
   */
  AUTO(null),
  FP32(Precision.FP32),
  BF16(Precision.BF16),
  FP16(Precision.FP16),
  INT8(Precision.INT8);

  private final Precision fixed;

  PrecisionPolicy(Precision fixed) {
    this.fixed = fixed;
  }

  /** Returns what to load in, whatever it costs; empty for {@link #AUTO}. */
  public Optional<Precision> fixed() {
    return Optional.ofNullable(fixed);
  }

  /**
   * Returns the constant of a name as users write it.
   *
   * @throws IllegalArgumentException for a name that is none of them
   */
  public static PrecisionPolicy of(String name) {
    for (PrecisionPolicy policy : values()) {
      if (policy.name().toLowerCase(Locale.ROOT).equals(name)) {
        return policy;
      }
    }
    throw new IllegalArgumentException(
        "[precision] must be one of [auto, fp32, bf16, fp16, int8], got [" + name + "]");
  }
}
