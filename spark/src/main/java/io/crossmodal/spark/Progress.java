/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import java.time.Duration;
import java.util.Locale;

/**
 * Says how far it is, by the tasks that have ended.
 *
 * @param what pictures or chips
 * @param all how many there are
 * @param before problems of the listing
 * @param start as {@link System#nanoTime} tells it
 */
record Progress(String what, long all, int before, Meters meters, long start) {
  private static final double NANOS = 1e9;

  /** Returns how many are dealt with, how fast, and when it will end. */
  String line() {
    double seconds = Math.max(1e-3, (System.nanoTime() - start) / NANOS);
    long done = meters.done() + meters.leftOut() - before;
    double rate = done / seconds;
    return String.format(
        Locale.ROOT,
        "%,d of %,d %s (%d %%), %.1f/s, %s left: %,d encoded, %,d there before, %,d with the bytes"
            + " of another, %,d showing too little, %,d left out",
        done,
        all,
        what,
        100 * done / Math.max(1, all),
        rate,
        done == 0 ? "?" : time((all - done) / rate),
        meters.kept().value(),
        meters.known().value(),
        meters.repeated().value(),
        meters.empty().value(),
        meters.leftOut());
  }

  private static String time(double seconds) {
    Duration left = Duration.ofSeconds(Math.max(0, Math.round(seconds)));
    return String.format(
        Locale.ROOT, "%d:%02d:%02d", left.toHours(), left.toMinutesPart(), left.toSecondsPart());
  }

  /** Returns what it took, by stage, of all threads and executors together. */
  String costs() {
    return String.format(
        Locale.ROOT,
        "took %.1f s: reading %.1f s, encoding %.1f s, sending %.1f s of all threads together;"
            + " %.1f MB sent",
        (System.nanoTime() - start) / NANOS,
        meters.readNanos().value() / NANOS,
        meters.encodeNanos().value() / NANOS,
        meters.sendNanos().value() / NANOS,
        meters.bytes().value() / 1e6);
  }
}
