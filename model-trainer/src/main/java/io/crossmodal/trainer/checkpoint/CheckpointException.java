/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;

/** A file that cannot be used as the checkpoint it should be; the message names it and says why. */
public final class CheckpointException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Problems that are listed: one name in a file can make thousands of layers be missing. */
  private static final int MOST = 200;

  CheckpointException(String message) {
    super(message);
  }

  CheckpointException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Makes an exception that says what is wrong, one line each, of very many the first. */
  CheckpointException(String what, List<String> problems) {
    super(what + lines(problems));
  }

  private static String lines(List<String> problems) {
    String first =
        problems.stream()
            .limit(MOST)
            .map(problem -> "\n  - " + problem)
            .collect(Collectors.joining());
    int left = problems.size() - MOST;
    return left > 0 ? first + "\n  - and " + left + " more" : first;
  }
}
