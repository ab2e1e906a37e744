/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/** The one setting of the JVM-wide PyTorch engine that every user of this library needs. */
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
}
