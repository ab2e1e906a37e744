/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.opensearch.common.hash.MessageDigests;

/**
 * The mark that the ingest processor leaves beside an embedding, {@code encoded_from}: what belongs
 * together. While it matches, nothing is encoded again; where an update changed one part and left
 * the others, it tells. Text form, parts joined by dots: content, filter space, token space and,
 * since they were added, embedding and tokens.
 *
 * @param content SHA-256 of the content and its sensor, hexadecimal; null where the user brought
 *     embedding and tokens without one
 * @param filterSpace first 16 digits of the fingerprint of the embedding's space
 * @param tokenSpace first 16 digits of the fingerprint of the tokens' space
 * @param embedding first 16 digits of the SHA-256 of the embedding; null in marks of old
 * @param tokens first 16 digits of the SHA-256 of the token block; null where there is none, and in
 *     marks of old
 */
record EncodedFrom(
    String content, String filterSpace, String tokenSpace, String embedding, String tokens) {
  private static final String NO_CONTENT = "given";
  private static final String NO_TOKENS = "none";
  private static final Pattern FORM =
      Pattern.compile(
          "([0-9a-f]{64}|given)\\.([0-9a-f]{16})\\.([0-9a-f]{16})"
              + "(?:\\.([0-9a-f]{16})\\.([0-9a-f]{16}|none))?");
  private static final int PREFIX = 16;

  /**
   * Makes the mark of what is stored together.
   *
   * @param content null for none
   * @param embedding as it is stored
   * @param tokens as they are stored; null for none
   */
  static EncodedFrom of(String content, Spaces spaces, float[] embedding, byte[] tokens) {
    return new EncodedFrom(
        content,
        spaces.filter().substring(0, PREFIX),
        spaces.tokens().substring(0, PREFIX),
        digest(embedding),
        tokens == null ? null : digest(tokens));
  }

  /**
   * @throws IllegalArgumentException when the text is not such a mark
   */
  static EncodedFrom parse(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new IllegalArgumentException(
          "[encoded_from] is written by the ingest processor and must not be changed, got ["
              + Messages.excerpt(text)
              + "]");
    }
    return new EncodedFrom(
        form.group(1).equals(NO_CONTENT) ? null : form.group(1),
        form.group(2),
        form.group(3),
        form.group(4),
        NO_TOKENS.equals(form.group(5)) ? null : form.group(5));
  }

  /** Whether the embedding and tokens beside this mark are of these spaces. */
  boolean matches(Spaces spaces) {
    return spaces.filter().startsWith(filterSpace) && spaces.tokens().startsWith(tokenSpace);
  }

  /** Whether an embedding is known to be another than this mark's. */
  boolean isOtherEmbedding(float[] values) {
    return values != null && embedding != null && !embedding.equals(digest(values));
  }

  /** Whether a token block is known to be another than this mark's, which may have none. */
  boolean isOtherTokens(byte[] block) {
    return block != null && embedding != null && !digest(block).equals(tokens);
  }

  private static String digest(float[] values) {
    ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
    bytes.asFloatBuffer().put(values);
    return digest(bytes.array());
  }

  private static String digest(byte[] bytes) {
    MessageDigest sha256 = MessageDigests.sha256();
    return HexFormat.of().formatHex(sha256.digest(bytes), 0, PREFIX / 2);
  }

  /** The form that {@link #parse} reads. */
  @Override
  public String toString() {
    String spaces = (content == null ? NO_CONTENT : content) + "." + filterSpace + "." + tokenSpace;
    return embedding == null
        ? spaces
        : spaces + "." + embedding + "." + (tokens == null ? NO_TOKENS : tokens);
  }
}
