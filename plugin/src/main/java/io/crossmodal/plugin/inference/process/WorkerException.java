/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.inference.protocol.Failure;
import java.io.IOException;

/** Why a worker did not do what it was asked to. */
@SuppressWarnings("serial") // never sent
abstract sealed class WorkerException extends IOException {
  private WorkerException(String message, Throwable cause) {
    super(message, cause);
  }

  /** It is not there, went away, or does not respond. */
  static final class Gone extends WorkerException {
    Gone(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** It answered, but not what the protocol says. */
  static final class Unreadable extends WorkerException {
    Unreadable(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** It refused. */
  static final class Refused extends WorkerException {
    private final Failure failure;

    Refused(Failure failure, String message) {
      super(message, null);
      this.failure = failure;
    }

    Failure failure() {
      return failure;
    }
  }
}
