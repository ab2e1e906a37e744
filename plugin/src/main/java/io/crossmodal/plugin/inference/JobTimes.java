/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

/**
 * Where the time of a job went.
 *
 * @param queueNanos from asking the worker to its first call
 * @param modelNanos of the calls that took part in it, with the copies into and out of the device;
 *     a call that also served others counts whole
 */
public record JobTimes(long queueNanos, long modelNanos) {
  static final JobTimes NONE = new JobTimes(0, 0);

  /** The times of two jobs of one request, which wait side by side and compute one by one. */
  JobTimes and(JobTimes other) {
    return new JobTimes(Math.max(queueNanos, other.queueNanos), modelNanos + other.modelNanos);
  }
}
