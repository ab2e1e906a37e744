/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.List;

/** A data set that cannot be used as it is; the message lists what is wrong with it. */
public final class InvalidDatasetException extends IllegalArgumentException {

  private static final long serialVersionUID = 1L;

  /** Problems that the message shows; it gives the number of all. */
  static final int SHOWN = 10;

  @SuppressWarnings("serial") // List.copyOf gives a serialisable list
  private final List<String> problems;

  InvalidDatasetException(String message) {
    super(message);
    problems = List.of(message);
  }

  InvalidDatasetException(String message, Throwable cause) {
    super(message, cause);
    problems = List.of(message);
  }

  InvalidDatasetException(String what, List<String> problems) {
    super(summary(what, problems));
    this.problems = List.copyOf(problems);
  }

  /** Returns all problems, one line each. */
  public List<String> problems() {
    return problems;
  }

  /**
   * Passes where no more problems were found than are allowed.
   *
   * @param what cannot be used otherwise, and how many problems are allowed
   */
  static void check(String what, List<String> problems, int allowed) {
    if (problems.size() > allowed) {
      throw new InvalidDatasetException(what, problems);
    }
  }

  /** Returns how many problems there are and the first ten of them, a line each. */
  public static String summary(String what, List<String> problems) {
    StringBuilder text = new StringBuilder(what);
    text.append(": ")
        .append(problems.size())
        .append(problems.size() == 1 ? " problem" : " problems");
    for (String problem : problems.subList(0, Math.min(SHOWN, problems.size()))) {
      text.append("\n  - ").append(problem);
    }
    if (problems.size() > SHOWN) {
      text.append("\n  ... and ").append(problems.size() - SHOWN).append(" more");
    }
    return text.toString();
  }
}
