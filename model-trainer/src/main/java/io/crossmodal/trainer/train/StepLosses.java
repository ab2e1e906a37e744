/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

/**
 * The losses of a step: a record of numbers, written to {@code metrics.jsonl} as it is.
 *
 * @param <L> the record itself
 */
public interface StepLosses<L extends StepLosses<L>> {
  /** Whether the step could be taken. */
  boolean finite();

  L plus(L other);

  L times(double factor);
}
