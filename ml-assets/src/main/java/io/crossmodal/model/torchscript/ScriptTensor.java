/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.util.Arrays;
import java.util.Objects;

/**
 * A float32 tensor of an archive: row-major values with their shape.
 *
 * <p>A final class rather than a record, because a record of arrays would compare identities.
 */
public final class ScriptTensor {
  private final long[] shape;
  private final float[] values;
  private final boolean trainable;

  private ScriptTensor(float[] values, boolean trainable, long[] shape) {
    this.values = Objects.requireNonNull(values, "values");
    this.shape = shape.clone();
    this.trainable = trainable;
    long size = 1;
    for (long extent : shape) {
      size = Math.multiplyExact(size, extent);
    }
    if (size != values.length) {
      throw new IllegalArgumentException(
          "shape " + Arrays.toString(shape) + " needs " + size + " values, got " + values.length);
    }
  }

  /** A tensor that gradients flow into; {@code values} is kept, not copied. */
  public static ScriptTensor parameter(float[] values, long... shape) {
    return new ScriptTensor(values, true, shape);
  }

  /** A tensor without gradient, such as a running mean; {@code values} is kept, not copied. */
  public static ScriptTensor buffer(float[] values, long... shape) {
    return new ScriptTensor(values, false, shape);
  }

  /** The extents, outermost first; a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** The live values in row-major order: whoever changes them changes the tensor. */
  public float[] values() {
    return values;
  }

  public boolean trainable() {
    return trainable;
  }

  @Override
  public String toString() {
    return (trainable ? "parameter" : "buffer") + Arrays.toString(shape);
  }
}
