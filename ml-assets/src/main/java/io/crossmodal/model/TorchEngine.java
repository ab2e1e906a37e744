/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.jni.JniUtils;

/** The JVM-wide PyTorch engine: the one setting that every user needs, and how fast it is. */
public final class TorchEngine {
  private static final String GRAPH_OPTIMIZER = "ai.djl.pytorch.graph_optimizer";

  private TorchEngine() {}

  /**
   * Turns TorchScript's profiling graph executor off, unless the property says otherwise.
   *
   * <p>It re-optimises for each new input shape, and a search brings a new text length or batch
   * size all the time (docs/decisions/0003). DJL reads the property at every call, because the
   * switch is local to a thread.
   */
  public static void configure() {
    if (System.getProperty(GRAPH_OPTIMIZER) == null) {
      System.setProperty(GRAPH_OPTIMIZER, "false");
    }
  }

  /** As {@link #configure}, for the calling thread alone; the engine must run. */
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
    configure();
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
