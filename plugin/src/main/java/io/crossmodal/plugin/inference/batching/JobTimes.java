/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.batching;

/**
 * Where the time of a job went.
 *
 * @param queueNanos from asking the worker to its first call
 * @param copyNanos of the copies into and out of the device, of the calls that took part in it
 * @param modelNanos of these calls but for the copies; a call that also served others counts whole
 */
public record JobTimes(long queueNanos, long copyNanos, long modelNanos) {
  /** Of no job. */
  public static final JobTimes NONE = new JobTimes(0, 0, 0);

  /** The times of two jobs of one request, which wait side by side and compute one by one. */
  public JobTimes and(JobTimes other) {
    return new JobTimes(
        Math.max(queueNanos, other.queueNanos),
        copyNanos + other.copyNanos,
        modelNanos + other.modelNanos);
  }
}
