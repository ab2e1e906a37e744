/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.memory;

import io.crossmodal.model.inference.InferenceException;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** Memory of a fixed size: of a GPU, or of a worker's process. Thread-safe. */
public final class BoundedMemory implements MemoryBudget {
  private final String name;
  private final long limit;
  private final AtomicLong used = new AtomicLong();
  private final AtomicLong refusals = new AtomicLong();

  /**
   * @param name as a message should call it
   * @param limit in bytes
   */
  public BoundedMemory(String name, long limit) {
    this.name = name;
    this.limit = limit;
  }

  /** Returns as a message should call it. */
  public String name() {
    return name;
  }

  /** Returns bytes that are taken. */
  public long used() {
    return used.get();
  }

  /** Returns bytes that may be taken. */
  public long limit() {
    return limit;
  }

  @Override
  public Optional<Level> level() {
    return Optional.of(new Level(used(), limit, refusals.get()));
  }

  @Override
  public Reservation reserve(String what, long bytes) {
    long now = used.addAndGet(bytes);
    if (now > limit) {
      used.addAndGet(-bytes);
      refusals.incrementAndGet();
      throw new InferenceException.MemoryExceeded(
          what,
          bytes,
          (now - bytes) + " of " + limit + " bytes of " + name + " are taken already",
          null);
    }
    AtomicLong held = new AtomicLong(bytes);
    // Once: closed twice, it would give away what others hold.
    return () -> used.addAndGet(-held.getAndSet(0));
  }
}
