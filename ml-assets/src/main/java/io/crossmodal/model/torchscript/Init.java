/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

/**
 * How a tensor starts.
 *
 * @param mean mean of a normal distribution, or the constant
 * @param deviation standard deviation; 0 for a constant
 * @param trainable false for a buffer
 */
public record Init(double mean, double deviation, boolean trainable) {
  public static Init normal(double deviation) {
    return new Init(0, deviation, true);
  }

  public static Init constant(double value) {
    return new Init(value, 0, true);
  }

  public static Init buffer(double value) {
    return new Init(value, 0, false);
  }
}
