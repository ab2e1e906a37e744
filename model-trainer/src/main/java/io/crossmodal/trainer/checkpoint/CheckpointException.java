/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.util.List;

/** A file that cannot be used as the checkpoint it should be; the message names it and says why. */
public final class CheckpointException extends IOException {
  private static final long serialVersionUID = 1L;

  CheckpointException(String message) {
    super(message);
  }

  CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Makes an exception that says all that is wrong, one line each. */
  CheckpointException(String what, List<String> problems) {
    super(what + String.join("", problems.stream().map(problem -> "\n  - " + problem).toList()));
  }
}
