/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.protocol.Failure;

/** Why a request was refused that no failure of inference names. */
@SuppressWarnings("serial") // never sent
final class RequestException extends RuntimeException {
  private final Failure failure;

  RequestException(Failure failure, String message) {
    super(message);
    this.failure = failure;
  }

  Failure failure() {
    return failure;
  }
}
