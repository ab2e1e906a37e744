/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;

/**
 * Settings of a node's serving of models.
 *
 * @param device where models compute
 * @param precision in which models are loaded that nobody asks for in another
 * @param threads threads that one operation of the engine uses; at least 1. The engine is shared by
 *     the whole JVM, so the first node started in it decides.
 * @param queueSize jobs that may wait for the worker, of searches and of documents each; at least 1
 * @param encodeBatch most texts or images in one call of the model; at least 1
 * @param scoreBatch most text-image pairs in one call of the model; at least 1
 * @param merge whether a call may serve several jobs
 * @param batchWait for which a call that is not full waits for more; at least 0
 * @param queryCacheBytes memory for encoded queries; at least 0. The newest query is kept whatever
 *     its size, so that a search's query and rescorer share one encoding.
 * @param longestWait for which a search waits for its scores at most; above 0
 * @param directory where the engine unpacks its native libraries and models their archives; must be
 *     writable, below the node's data path
 */
public record InferenceSettings(
    DevicePolicy device,
    PrecisionPolicy precision,
    int threads,
    int queueSize,
    int encodeBatch,
    int scoreBatch,
    boolean merge,
    Duration batchWait,
    long queryCacheBytes,
    Duration longestWait,
    Path directory) {
  public InferenceSettings {
    Objects.requireNonNull(device, "device");
    Objects.requireNonNull(precision, "precision");
    atLeast("threads", threads, 1);
    atLeast("queueSize", queueSize, 1);
    atLeast("encodeBatch", encodeBatch, 1);
    atLeast("scoreBatch", scoreBatch, 1);
    atLeast("queryCacheBytes", queryCacheBytes, 0);
    if (batchWait.isNegative()) {
      throw new IllegalArgumentException("batchWait must be at least 0, got " + batchWait);
    }
    if (longestWait.isNegative() || longestWait.isZero()) {
      throw new IllegalArgumentException("longestWait must be above 0, got " + longestWait);
    }
    Objects.requireNonNull(directory, "directory");
  }

  private static void atLeast(String name, long value, long least) {
    if (value < least) {
      throw new IllegalArgumentException(name + " must be at least " + least + ", got " + value);
    }
  }
}
