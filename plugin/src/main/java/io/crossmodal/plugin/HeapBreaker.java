/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import java.util.function.Supplier;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.core.common.breaker.CircuitBreakingException;

/** Heap of what users ask for, as core's circuit breaker {@code request} grants it. */
final class HeapBreaker implements MemoryBudget {
  private final Supplier<CircuitBreaker> breaker;

  /**
   * @param breaker asked for with each reservation, for a plugin gets it late
   */
  HeapBreaker(Supplier<CircuitBreaker> breaker) {
    this.breaker = breaker;
  }

  @Override
  public Reservation reserve(String what, long bytes) {
    CircuitBreaker request = breaker.get();
    try {
      request.addEstimateBytesAndMaybeBreak(bytes, what);
    } catch (CircuitBreakingException e) {
      throw new InferenceException.MemoryExceeded(
          what,
          bytes,
          e.getMessage()
              + "; send less in one request, or smaller pictures, or retry later; see"
              + " [indices.breaker.request.limit]",
          e);
    }
    return () -> request.addWithoutBreaking(-bytes);
  }
}
