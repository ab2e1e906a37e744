/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/** Argument checks of the configuration records, worded alike. */
final class Checks {
  private Checks() {}

  static void atLeast(String name, long value, long minimum) {
    if (value < minimum) {
      throw new IllegalArgumentException(name + " must be at least " + minimum + ", got " + value);
    }
  }

  /** Sizes multiply: each has an upper bound, so that no product runs over. */
  static void within(String name, long value, long minimum, long maximum) {
    if (value < minimum || value > maximum) {
      throw new IllegalArgumentException(
          name + " must be from " + minimum + " to " + maximum + ", got " + value);
    }
  }

  static void layerNormEpsilon(double value) {
    if (!(value > 0 && value < 1)) {
      throw new IllegalArgumentException("layer_norm_epsilon must lie in (0, 1), got " + value);
    }
  }
}
