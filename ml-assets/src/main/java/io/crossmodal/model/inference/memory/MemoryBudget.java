/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.memory;

import io.crossmodal.model.inference.InferenceException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Memory that may be taken: by calls of a model, outside the Java heap and in the arrays that feed
 * them, or heap by what requests bring. The plugin puts circuit breakers behind it. Thread-safe.
 */
public interface MemoryBudget {
  /** Grants everything. */
  MemoryBudget UNLIMITED = (what, bytes) -> () -> {};

  /**
   * Where a budget stands.
   *
   * @param used bytes that are taken
   * @param limit bytes that may be taken; below 0 for any number
   * @param refusals reservations that it did not grant
   */
  record Level(long used, long limit, long refusals) {}

  /** Memory that was granted; closing gives it back. */
  interface Reservation extends AutoCloseable {
    @Override
    void close();
  }

  /** Memory whose size shows while it is filled; closing gives back all of it. For one thread. */
  final class Growing implements Reservation {
    private final MemoryBudget budget;
    private final String what;
    private final List<Reservation> steps = new ArrayList<>();

    /**
     * @param what it is for, as a message should call it
     */
    public Growing(MemoryBudget budget, String what) {
      this.budget = budget;
      this.what = what;
    }

    /**
     * Takes more.
     *
     * @throws InferenceException.MemoryExceeded when there is not so much; what was taken before
     *     stays taken
     */
    public void add(long bytes) {
      steps.add(budget.reserve(what, bytes));
    }

    @Override
    public void close() {
      steps.forEach(Reservation::close);
      steps.clear();
    }
  }

  /**
   * Reserves memory.
   *
   * @param what it is for, as a message should call it
   * @throws InferenceException.MemoryExceeded when there is not so much
   */
  Reservation reserve(String what, long bytes);

  /** Returns where it stands; empty where nobody counts. */
  default Optional<Level> level() {
    return Optional.empty();
  }
}
