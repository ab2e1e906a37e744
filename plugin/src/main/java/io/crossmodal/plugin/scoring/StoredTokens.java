/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.query.TokenBlocks;
import java.io.IOException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * A candidate's tokens: read already where this node scores them, or as the index stores them on
 * their way to a node that does.
 */
public final class StoredTokens implements Writeable {
  // Exactly one of both is set.
  private final TokenBlock block;
  private final byte[] stored;

  private StoredTokens(TokenBlock block, byte[] stored) {
    this.block = block;
    this.stored = stored;
  }

  /** Tokens that were read. */
  public static StoredTokens of(TokenBlock block) {
    return new StoredTokens(block, null);
  }

  /**
   * Tokens as they are stored.
   *
   * @param stored a whole block; kept, not copied
   */
  public static StoredTokens of(byte[] stored) {
    return new StoredTokens(null, stored);
  }

  StoredTokens(StreamInput in) throws IOException {
    boolean read = in.readBoolean();
    block = read ? TokenBlocks.read(in) : null;
    stored = read ? null : in.readByteArray();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeBoolean(block != null);
    if (block != null) {
      TokenBlocks.write(out, block);
    } else {
      out.writeByteArray(stored);
    }
  }

  /** N, or M for an image. */
  public int count() {
    return block != null ? block.count() : header(stored, 0, stored.length).count();
  }

  /**
   * The tokens; read anew with each call where they are stored.
   *
   * @throws ForeignTokensException when the block is damaged
   */
  public TokenBlock block() {
    if (block != null) {
      return block;
    }
    try {
      return TokenBlockFormat.read(stored, 0, stored.length);
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(e.getMessage(), e);
    }
  }

  /**
   * [CLS] alone, which is all that the MLP filter reads.
   *
   * @throws ForeignTokensException when the block is damaged
   */
  public StoredTokens classToken() {
    if (block != null) {
      return of(block.classToken());
    }
    try {
      return of(TokenBlockFormat.readClassToken(stored, 0, stored.length));
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(e.getMessage(), e);
    }
  }

  /**
   * Refuses stored tokens of another space.
   *
   * @param tokenSpace fingerprint
   * @throws ForeignTokensException when they are, or are no tokens at all
   */
  void check(String tokenSpace) {
    if (stored != null) {
      check(stored, 0, stored.length, tokenSpace);
    }
  }

  /**
   * Refuses a stored block of another space.
   *
   * @param tokenSpace fingerprint
   * @throws ForeignTokensException when it is, or is no block at all
   */
  public static void check(byte[] bytes, int offset, int length, String tokenSpace) {
    TokenBlockFormat.Header header = header(bytes, offset, length);
    if (!header.matches(tokenSpace)) {
      throw new ForeignTokensException(
          "they are of the token space ["
              + header.fingerprint()
              + "], expected ["
              + tokenSpace
              + "]",
          null);
    }
  }

  private static TokenBlockFormat.Header header(byte[] bytes, int offset, int length) {
    try {
      return TokenBlockFormat.header(bytes, offset, length);
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(e.getMessage(), e);
    }
  }
}
