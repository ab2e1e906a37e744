/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import ai.djl.engine.EngineException;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Runs a call, halving it where the budget does not grant the memory or the engine breaks off, and
 * continues on a fallback device from the first item that the device does not even take alone.
 *
 * <p>The engine says in words alone whether it was short of memory or of something else, and words
 * change. So whatever it throws is treated alike. A call of n items that no device takes costs
 * log2(n) + 1 attempts, for the first single item that fails ends it.
 */
final class SplitCall {
  /** A device that computes items. */
  interface Attempt<I, O> {
    /**
     * As many outcomes as items.
     *
     * @throws InferenceException.MemoryExceeded when there is no memory for them
     * @throws EngineException when the engine broke off
     */
    List<O> compute(List<I> items);
  }

  private SplitCall() {}

  /**
   * Computes items.
   *
   * @param items at least one
   * @param fallback computes what the device does not; empty where the failure is to be told
   * @throws InferenceException.MemoryExceeded as the last device threw it for a single item
   * @throws EngineException likewise
   */
  static <I, O> List<O> compute(
      List<I> items,
      Attempt<I, O> device,
      Optional<Attempt<I, O>> fallback,
      InferenceStats counts) {
    List<O> outcomes = new ArrayList<>(items.size());
    try {
      append(items, device, outcomes, counts);
    } catch (EngineException | InferenceException.MemoryExceeded e) {
      if (fallback.isEmpty()) {
        throw e;
      }
      counts.increment(Counter.SPARE_BATCHES);
      append(items.subList(outcomes.size(), items.size()), fallback.get(), outcomes, counts);
    }
    return outcomes;
  }

  /** In order, so that the outcomes so far say which items are left. */
  private static <I, O> void append(
      List<I> items, Attempt<I, O> device, List<O> outcomes, InferenceStats counts) {
    try {
      outcomes.addAll(device.compute(items));
      return;
    } catch (EngineException | InferenceException.MemoryExceeded e) {
      if (e instanceof EngineException) {
        counts.increment(Counter.ENGINE_FAILURES);
      }
      if (items.size() == 1) {
        throw e;
      }
    }
    counts.increment(Counter.SPLIT_BATCHES);
    int half = items.size() / 2;
    append(items.subList(0, half), device, outcomes, counts);
    append(items.subList(half, items.size()), device, outcomes, counts);
  }
}
