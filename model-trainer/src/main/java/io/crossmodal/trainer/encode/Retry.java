/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.time.Duration;
import java.util.Objects;

/**
 * How long to wait before a cluster that is full, or away, is asked again: each time twice as long.
 *
 * @param first wait, above 0
 * @param longest wait
 * @param patience for so long in all without any document kept; then it is over
 * @param sleeper waits
 */
public record Retry(Duration first, Duration longest, Duration patience, Sleeper sleeper) {

  /** Waits; tests do not. */
  @FunctionalInterface
  public interface Sleeper {
    void sleep(Duration duration) throws InterruptedException;
  }

  public Retry {
    if (first.isZero() || first.isNegative() || longest.compareTo(first) < 0) {
      throw new IllegalArgumentException(
          "waits must be above 0 and grow, got " + first + " to " + longest);
    }
    Objects.requireNonNull(patience, "patience");
    Objects.requireNonNull(sleeper, "sleeper");
  }

  /** A quarter of a second to half a minute. */
  public static Retry lasting(Duration patience) {
    return new Retry(Duration.ofMillis(250), Duration.ofSeconds(30), patience, Thread::sleep);
  }

  /** The waits of one document's way. Not thread-safe. */
  final class Waits {
    private Duration next = first;
    private Duration waited = Duration.ZERO;

    /** Whether there is patience for another wait; if so, waits. */
    boolean another() throws InterruptedException {
      if (waited.plus(next).compareTo(patience) > 0) {
        return false;
      }
      sleeper.sleep(next);
      waited = waited.plus(next);
      next = next.multipliedBy(2).compareTo(longest) > 0 ? longest : next.multipliedBy(2);
      return true;
    }
  }
}
