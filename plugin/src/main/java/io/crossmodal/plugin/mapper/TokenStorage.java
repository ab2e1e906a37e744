/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import io.crossmodal.model.tokens.TokenEncoding;
import java.util.Locale;
import java.util.Optional;

/** Form in which a field stores the tokens that the fusion rescorer reads. */
public enum TokenStorage {
  INT8(TokenEncoding.INT8),
  FP16(TokenEncoding.FP16),
  INT4(TokenEncoding.INT4),
  /** Not at all: the field serves recall only. */
  NONE(null);

  private final TokenEncoding encoding;

  TokenStorage(TokenEncoding encoding) {
    this.encoding = encoding;
  }

  /** Returns the encoding of blocks; empty for {@link #NONE}. */
  public Optional<TokenEncoding> encoding() {
    return Optional.ofNullable(encoding);
  }

  /** Returns the name in a mapping. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns the constant of a name in a mapping.
   *
   * @throws IllegalArgumentException for a name that is none of them
   */
  public static TokenStorage of(String key) {
    for (TokenStorage storage : values()) {
      if (storage.key().equals(key)) {
        return storage;
      }
    }
    throw new IllegalArgumentException(
        "[tokens] must be int8, fp16, int4 or none, got [" + Messages.excerpt(key) + "]");
  }
}
