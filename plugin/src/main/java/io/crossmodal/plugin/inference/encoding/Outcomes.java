/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

/**
 * Takes a request's outcomes as its batches are done, so that nobody holds all of them as floats.
 */
@FunctionalInterface
public interface Outcomes {
  /**
   * Called for each item once, in the items' order and by one thread at a time; the next batch is
   * encoded when it has returned for this one.
   *
   * @param item index in the request
   */
  void take(int item, Encoded outcome);
}
