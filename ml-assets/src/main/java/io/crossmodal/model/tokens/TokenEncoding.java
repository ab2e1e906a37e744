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
  FP16(2),
  /**
   * Half a byte a value, and a half-precision scale for each {@value #GROUP} values of a token:
   * value = (nibble - 8) x scale.
   */
  INT4(3);

  /** Values of a token that share a scale in {@link #INT4}; a token's last may be fewer. */
  static final int GROUP = 32;

  private final int code;

  TokenEncoding(int code) {
    this.code = code;
  }

  /** The byte that stands in a block's header. */
  int code() {
    return code;
  }

  /** Returns the bytes of a block's values and scales, without its header; at most 2^33. */
  public long bytes(int count, int hidden) {
    return switch (this) {
      case INT8 -> (long) count * (Float.BYTES + hidden);
      case FP16 -> (long) count * hidden * Short.BYTES;
      case INT4 -> (long) count * (groups(hidden) * Short.BYTES + nibbles(hidden));
    };
  }

  /** Returns how many scales a token of {@link #INT4} has. */
  static int groups(int hidden) {
    return (hidden + GROUP - 1) / GROUP;
  }

  /** Returns how many bytes the values of a token of {@link #INT4} take. */
  static int nibbles(int hidden) {
    return (hidden + 1) / 2;
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
