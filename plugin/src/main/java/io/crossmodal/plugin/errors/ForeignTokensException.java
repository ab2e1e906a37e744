/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.errors;

import io.crossmodal.model.tokens.StoredTokens;

/** Stored tokens are damaged, or of another token space than the model's. */
public final class ForeignTokensException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public ForeignTokensException(String message, Throwable cause) {
    super(message, cause);
  }

  /**
   * Refuses stored tokens of another space.
   *
   * @param tokenSpace fingerprint
   * @throws ForeignTokensException when they are
   */
  public static void check(StoredTokens tokens, String tokenSpace) {
    if (!tokens.header().matches(tokenSpace)) {
      throw new ForeignTokensException(
          "they are of the token space ["
              + tokens.header().fingerprint()
              + "], expected ["
              + tokenSpace
              + "]",
          null);
    }
  }
}
