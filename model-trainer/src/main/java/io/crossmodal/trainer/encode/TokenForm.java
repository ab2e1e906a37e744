/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.tokens.TokenEncoding;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;

/** Form in which a field keeps a picture's tokens: the values of {@code tokens} in its mapping. */
public enum TokenForm {
  INT8(TokenEncoding.INT8),
  FP16(TokenEncoding.FP16),
  INT4(TokenEncoding.INT4),
  NONE(null);

  private final TokenEncoding encoding;

  TokenForm(TokenEncoding encoding) {
    this.encoding = encoding;
  }

  /** Returns how a block is written; empty for no block at all. */
  Optional<TokenEncoding> encoding() {
    return Optional.ofNullable(encoding);
  }

  /** Returns the value as a mapping has it. */
  String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  static TokenForm of(String key) throws IOException {
    for (TokenForm form : values()) {
      if (form.key().equals(key)) {
        return form;
      }
    }
    throw new IOException(
        "the field keeps tokens as [" + key + "], which this version of encode does not write");
  }
}
