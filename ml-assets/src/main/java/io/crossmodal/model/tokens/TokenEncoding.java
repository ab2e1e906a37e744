/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

/** Encoding of the numbers of a stored token block. */
public enum TokenEncoding {
  /** One signed byte a value and one float32 scale a token: value = byte x scale. */
  INT8(1),
  /** IEEE 754 half precision. */
  FP16(2);

  private final int code;

  TokenEncoding(int code) {
    this.code = code;
  }

  /** The byte that stands in a block's header. */
  int code() {
    return code;
  }

  static TokenEncoding of(int code) {
    for (TokenEncoding encoding : values()) {
      if (encoding.code == code) {
        return encoding;
      }
    }
    throw new IllegalArgumentException("token block has unknown encoding " + code);
  }
}
