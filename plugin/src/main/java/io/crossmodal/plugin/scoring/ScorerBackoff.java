/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Scorers that did not answer in time: asked last for a while, then tried by one request.
 * Thread-safe.
 */
final class ScorerBackoff {
  static final long NANOS = TimeUnit.SECONDS.toNanos(10);

  private final LongSupplier nanoTime;
  // By node id, when each may be tried again.
  private final Map<String, Long> until = new ConcurrentHashMap<>();

  /**
   * @param nanoTime the clock, as {@link System#nanoTime}
   */
  ScorerBackoff(LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
  }

  /**
   * Returns whether a scorer has answered in time, or this request is the one that tries it again.
   */
  boolean mayAsk(String node) {
    Long end = until.get(node);
    long now = nanoTime.getAsLong();
    return end == null || (now - end >= 0 && until.replace(node, end, now + NANOS));
  }

  void late(String node) {
    until.put(node, nanoTime.getAsLong() + NANOS);
  }

  void answered(String node) {
    until.remove(node);
  }
}
