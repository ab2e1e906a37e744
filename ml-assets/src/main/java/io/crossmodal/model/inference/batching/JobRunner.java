/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.stats.InferenceStats;

/**
 * Whoever computes jobs: threads of this process, or workers beside it. The seam between a node and
 * its engine. Thread-safe.
 */
public interface JobRunner {
  /** Returns the settings that hold now. */
  InferenceSettings settings();

  /** Returns what counts the calls. */
  InferenceStats stats();

  /**
   * Has a job computed, or fails it where too many wait, where what waits already takes longer than
   * the job can wait, or where the process is shutting down.
   */
  void submit(Priority priority, Job<?, ?> job);

  /**
   * Cancels a job, so that nothing is computed for it any more; one that is done stays as it is.
   */
  void cancel(Job<?, ?> job);

  /** Returns the number of jobs that wait. */
  int queued();
}
