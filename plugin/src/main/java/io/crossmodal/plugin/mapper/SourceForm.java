/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.Base64;

/**
 * How a source holds an embedding or a token block. A document comes back in the form in which it
 * was sent, so that what one client wrote, the same client can read.
 */
public enum SourceForm {
  /** An embedding is an array of numbers, a token block is base64, also in CBOR and SMILE. */
  TEXT(true),
  /**
   * Both are bytes, an embedding as {@link Embeddings#toBytes} makes them: JSON has them as base64,
   * CBOR and SMILE as a byte string.
   */
  BYTES(false);

  private final boolean mark;

  SourceForm(boolean mark) {
    this.mark = mark;
  }

  /**
   * Returns the form of a value.
   *
   * @param key {@link DocumentValue#EMBEDDING} or {@link DocumentValue#TOKENS}
   * @param value as a parsed source has it, or null
   */
  public static SourceForm of(String key, Object value) {
    return value instanceof byte[]
            || (value instanceof String && key.equals(DocumentValue.EMBEDDING))
        ? BYTES
        : TEXT;
  }

  /** Returns the form that {@link #mark} stands for. */
  public static SourceForm of(boolean mark) {
    return mark ? TEXT : BYTES;
  }

  /** Returns what stands in a stored source for a value of this form that is kept elsewhere. */
  public boolean mark() {
    return mark;
  }

  /** Returns an embedding as a source of this form holds it: a float[] or a byte[]. */
  public Object embedding(float[] values) {
    return this == BYTES ? Embeddings.toBytes(values) : values;
  }

  /** Returns a token block as a source of this form holds it: a byte[] or base64. */
  public Object tokens(byte[] block) {
    return this == BYTES ? block : Base64.getEncoder().encodeToString(block);
  }
}
