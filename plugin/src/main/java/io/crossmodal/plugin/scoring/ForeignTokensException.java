/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

/** Stored tokens are damaged, or of another token space than the model's. */
public final class ForeignTokensException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public ForeignTokensException(String message, Throwable cause) {
    super(message, cause);
  }
}
