/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

/** Training came to an end that no retry mends; the message says at which step and why. */
public final class TrainingException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Makes an exception whose message is for the user. */
  public TrainingException(String message) {
    super(message);
  }

  TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
