/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Tokens as an index stores them: a quarter of their size as floats, or a half. They were checked,
 * so reading them cannot fail a batch that others share.
 */
public final class StoredTokens implements Tokens {
  private final byte[] bytes;
  private final int offset;
  private final TokenBlockFormat.Header header;

  private StoredTokens(byte[] bytes, int offset, TokenBlockFormat.Header header) {
    this.bytes = bytes;
    this.offset = offset;
    this.header = header;
  }

  /**
   * A whole block.
   *
   * @param bytes the block from {@code offset}, {@code length} bytes; kept, not copied
   * @throws IllegalArgumentException when the bytes are no block of a version we read, or a value
   *     in it is not finite
   */
  public static StoredTokens of(byte[] bytes, int offset, int length) {
    TokenBlockFormat.Header header = TokenBlockFormat.header(bytes, offset, length);
    TokenBlockFormat.checkFinite(header, bytes, offset);
    return new StoredTokens(bytes, offset, header);
  }

  /** Returns what the block says of itself. */
  public TokenBlockFormat.Header header() {
    return header;
  }

  @Override
  public int count() {
    return header.count();
  }

  @Override
  public int hidden() {
    return header.hidden();
  }

  @Override
  public void writeTo(FloatBuffer out) {
    TokenBlockFormat.decode(header, header.count(), bytes, offset, out);
  }

  @Override
  public TokenBlock classToken() {
    return block(1);
  }

  /** All tokens as floats. */
  public TokenBlock block() {
    return block(header.count());
  }

  private TokenBlock block(int tokens) {
    float[] values = new float[tokens * header.hidden()];
    TokenBlockFormat.decode(header, tokens, bytes, offset, FloatBuffer.wrap(values));
    return new TokenBlock(tokens, header.hidden(), values);
  }

  /** The block's bytes where they lie, from position to limit; treat as read-only. */
  public ByteBuffer asByteBuffer() {
    return ByteBuffer.wrap(bytes, offset, Math.toIntExact(header.length()));
  }

  /** A copy of the block's bytes. */
  public byte[] toBytes() {
    return Arrays.copyOfRange(bytes, offset, offset + Math.toIntExact(header.length()));
  }

  @Override
  public String toString() {
    return "StoredTokens" + header;
  }
}
