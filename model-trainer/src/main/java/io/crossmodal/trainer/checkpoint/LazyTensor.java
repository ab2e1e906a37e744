/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.util.List;

/**
 * A tensor by type and shape, whose values are read when they are asked for: a model of a gigabyte
 * passes through the heap one tensor at a time.
 */
public final class LazyTensor {
  /** Reads the values, row-major. */
  @FunctionalInterface
  public interface Loader {
    /** All values. */
    float[] load() throws IOException;
  }

  private final ElementType type;
  private final List<Long> shape;
  private final Loader loader;

  LazyTensor(ElementType type, List<Long> shape, Loader loader) {
    this.type = type;
    this.shape = List.copyOf(shape);
    this.loader = loader;
  }

  /** A tensor that is computed, in float32. */
  public static LazyTensor computed(List<Long> shape, Loader loader) {
    return new LazyTensor(ElementType.F32, shape, loader);
  }

  ElementType type() {
    return type;
  }

  /** The extents, outermost first. */
  public List<Long> shape() {
    return shape;
  }

  /**
   * Elements in all.
   *
   * @throws ArithmeticException when that is more than a long holds
   */
  long size() {
    return size(shape);
  }

  static long size(List<Long> shape) {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** The values in row-major order, read anew at each call. */
  public float[] values() throws IOException {
    return loader.load();
  }
}
