/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import java.time.Duration;

/**
 * The moment after which nobody waits for a result any more, on the JVM's monotonic clock.
 *
 * @param nanoTime a value of {@link System#nanoTime()}
 */
public record Deadline(long nanoTime) {
  // Far enough for anybody, near enough for nanoTime's differences not to overflow.
  private static final Duration LONGEST = Duration.ofDays(365);

  /** Returns a deadline that lies {@code wait} from now. */
  public static Deadline after(Duration wait) {
    Duration bounded = wait.compareTo(LONGEST) > 0 ? LONGEST : wait;
    return new Deadline(System.nanoTime() + bounded.toNanos());
  }

  /** Returns a deadline that will not be met in the life of this node. */
  public static Deadline none() {
    return after(LONGEST);
  }

  /** Returns whether it is so far away that nobody meant one. */
  public boolean isNone() {
    return remainingNanos() > LONGEST.dividedBy(2).toNanos();
  }

  /** Whichever of both comes first. */
  public Deadline earlier(Deadline other) {
    return other.nanoTime - nanoTime < 0 ? other : this;
  }

  public long remainingNanos() {
    return nanoTime - System.nanoTime();
  }

  public boolean expired() {
    return remainingNanos() <= 0;
  }
}
