/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cluster;

import java.io.IOException;
import java.time.Duration;
import java.util.Objects;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Exponential backoff: how long to wait before a cluster that is full, or away, is asked again:
 * each time twice as long, until it has kept no document for some time. A request that is under way
 * then is waited for.
 *
 * @param first wait, above 0
 * @param longest wait
 * @param patience for so long without any document kept, requests included; 0 to ask once
 * @param sleeper waits
 * @param nanoTime the time, as {@link System#nanoTime} tells it
 */
public record Retry(
    Duration first, Duration longest, Duration patience, Sleeper sleeper, LongSupplier nanoTime) {

  private static final int TOO_MANY_REQUESTS = 429;

  /** Statuses of a node that is full or away. */
  public static final Set<Integer> PASSING = Set.of(TOO_MANY_REQUESTS, 502, 503, 504);

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
    if (patience.isNegative()) {
      throw new IllegalArgumentException(
          "patience with the cluster must be at least 0 s, got " + patience.toSeconds() + " s");
    }
    Objects.requireNonNull(sleeper, "sleeper");
    Objects.requireNonNull(nanoTime, "nanoTime");
  }

  /** Returns waits from a quarter of a second to half a minute. */
  public static Retry lasting(Duration patience) {
    return new Retry(
        Duration.ofMillis(250), Duration.ofSeconds(30), patience, Thread::sleep, System::nanoTime);
  }

  /** Sends a request. */
  @FunctionalInterface
  public interface Request {
    ClusterClient.Response send() throws IOException, InterruptedException;
  }

  /**
   * Sends a request, and again while the node answers 429: that it has no memory or place for it
   * now.
   *
   * @return the first other response, or the last one
   */
  public ClusterClient.Response whileBusy(Request request)
      throws IOException, InterruptedException {
    Backoff waits = new Backoff();
    ClusterClient.Response response = request.send();
    while (response.status() == TOO_MANY_REQUESTS && waits.another()) {
      response = request.send();
    }
    return response;
  }

  /**
   * Sends a request, and again while the node is full or away: it answers 429, 502, 503 or 504, or
   * does not answer.
   *
   * @return the first other response, or the last one
   * @throws IOException when it does not answer at the end
   */
  public ClusterClient.Response untilAnswered(Request request)
      throws IOException, InterruptedException {
    Backoff waits = new Backoff();
    while (true) {
      try {
        ClusterClient.Response response = request.send();
        if (!PASSING.contains(response.status()) || !waits.another()) {
          return response;
        }
      } catch (IOException e) {
        if (!waits.another()) {
          throw e;
        }
      }
    }
  }

  /** The waits of one document, or of another request. Not thread-safe. */
  public final class Backoff {
    private final long start = nanoTime.getAsLong();
    private Duration next = first;

    /** Returns the time since these waits began. */
    public Duration passed() {
      return Duration.ofNanos(nanoTime.getAsLong() - start);
    }

    /** Waits, if there is patience for another wait, and returns whether there was. */
    public boolean another() throws InterruptedException {
      return another(Duration.ZERO);
    }

    /**
     * Waits, if there is patience for another wait, and returns whether there was.
     *
     * @param least time to wait, as a server asks for it
     */
    public boolean another(Duration least) throws InterruptedException {
      Duration left = patience.minus(passed());
      if (!left.isPositive() || least.compareTo(left) > 0) {
        return false;
      }
      Duration wait = shorter(next, left);
      sleeper.sleep(wait.compareTo(least) < 0 ? least : wait);
      next = shorter(next.multipliedBy(2), longest);
      return true;
    }

    private static Duration shorter(Duration a, Duration b) {
      return a.compareTo(b) < 0 ? a : b;
    }
  }
}
