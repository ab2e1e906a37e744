/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

/**
 * Memory that may be taken: by calls of a model, outside the Java heap and in the arrays that feed
 * them, or heap by what requests bring. The plugin puts circuit breakers behind it. Thread-safe.
 */
public interface MemoryBudget {
  /** Grants everything. */
  MemoryBudget UNLIMITED = (what, bytes) -> () -> {};

  /** Memory that was granted; closing gives it back. */
  interface Reservation extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Takes memory.
   *
   * @param what it is for, as a message should call it
   * @throws InferenceException.MemoryExceeded when there is not so much
   */
  Reservation reserve(String what, long bytes);
}
