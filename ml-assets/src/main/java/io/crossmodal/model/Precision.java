/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/** The numbers that a loaded model computes with; callers see 32-bit floats in all of them. */
public enum Precision {
  /** IEEE 754 single precision, in which models are trained and bundles are written. */
  FP32,
  /** bfloat16: the range of fp32 with 8 bits of precision. */
  BF16,
  /** IEEE 754 half precision. Slow beyond use on a CPU. */
  FP16,
  /**
   * The fusion encoder's linear layers in 8-bit integers, the rest in fp32; on a CPU only.
   * Activations are scaled by the largest of the whole call, so a score depends slightly on what it
   * shares its call with.
   */
  INT8
}
