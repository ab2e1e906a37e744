/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;

/** The JVM-wide PyTorch engine: the one switch that every call needs, and how fast it is. */
public final class TorchEngine {
  private TorchEngine() {}

  /**
   * Turns TorchScript's profiling graph executor off for the calling thread; the engine must run.
   *
   * <p>It re-optimises for each new input shape, and a search brings a new text length or batch
   * size all the time (docs/decisions/0003). The switch is local to a thread, so whoever calls a
   * model sets it first. DJL's property {@code ai.djl.pytorch.graph_optimizer}, which DJL obeys at
   * every call, would do that too, but it belongs to every copy of DJL in the JVM
   * (docs/decisions/0035).
   */
  static void turnProfilingOff() {
    JniUtils.setGraphExecutorOptimize(false);
  }

  /**
   * How fast the engine multiplies two square matrices: the machine's own peak, which benchmarks
   * compare models with.
   *
   * @param side of the matrices; 2048 is large enough for a CPU
   * @return floating-point operations per second, of one product after a first one
   */
  public static double matrixProduct(int side) {
    try (NDManager manager = NDManager.newBaseManager()) {
      NDArray a = manager.randomUniform(-1, 1, new Shape(side, side));
      NDArray b = manager.randomUniform(-1, 1, new Shape(side, side));
      a.matMul(b).toFloatArray();
      long start = System.nanoTime();
      // Reading one value waits for the whole product, on a GPU too.
      a.matMul(b).getFloat(0, 0);
      return 2.0 * side * side * side / ((System.nanoTime() - start) / 1e9);
    }
  }
}
