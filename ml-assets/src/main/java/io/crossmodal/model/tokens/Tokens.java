/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.nio.FloatBuffer;

/**
 * The token features of one text or image, (N, H), however they are kept; token 0 is [CLS]. What a
 * model reads: it takes them into its batch itself, so that nobody keeps a copy of them as floats.
 */
public sealed interface Tokens permits TokenBlock, StoredTokens {
  /** N, or M for an image. */
  int count();

  /** H. */
  int hidden();

  /** Appends all values to a buffer that has room for them, row-major. */
  void writeTo(FloatBuffer out);

  /** [CLS] alone, a block of one token. */
  TokenBlock classToken();
}
