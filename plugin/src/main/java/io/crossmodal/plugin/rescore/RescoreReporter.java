/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.RescoreReport.Degraded;
import io.crossmodal.plugin.ext.RescoreReport.Times;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Gathers what one shard's rescore does, on its one thread. Under neural-search's {@code hybrid} it
 * runs once for each sub-query, with a window each.
 */
final class RescoreReporter {
  private final List<Degraded> degraded = new ArrayList<>();
  private boolean ran;
  private int hits;
  private int rescored;
  private int missing;
  private int belowMinP;
  private int grouped;
  private long rescoreNanos;
  private long readNanos;
  private long queueNanos;
  private long copyNanos;
  private long modelNanos;

  void ran(int windowHits, int rescoredHits, long nanos) {
    ran = true;
    hits += windowHits;
    rescored += rescoredHits;
    rescoreNanos += nanos;
  }

  void read(long nanos, int missingHits) {
    readNanos += nanos;
    missing += missingHits;
  }

  void selected(int belowMinPHits, int groupedHits) {
    belowMinP += belowMinPHits;
    grouped += groupedHits;
  }

  void asked(Job.Times times) {
    queueNanos += times.queueNanos();
    copyNanos += times.copyNanos();
    modelNanos += times.modelNanos();
  }

  void degraded(Counter reason, String message, int count) {
    degraded.add(new Degraded(reason.name().toLowerCase(Locale.ROOT), message, count));
  }

  RescoreReport report(String field, String model) {
    return new RescoreReport(
        field,
        model,
        false,
        ran ? 1 : 0,
        hits,
        rescored,
        missing,
        belowMinP,
        grouped,
        degraded,
        new Times(rescoreNanos, readNanos, queueNanos, copyNanos, modelNanos));
  }
}
