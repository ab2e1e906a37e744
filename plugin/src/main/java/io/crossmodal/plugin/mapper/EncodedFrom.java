/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The mark that the ingest processor leaves beside an embedding, {@code encoded_from}: from which
 * content and by which model it was made. While it matches, nothing is encoded again.
 *
 * @param content SHA-256 of the content and its sensor, hexadecimal
 * @param filterSpace first 16 digits of the fingerprint of the embedding's space
 * @param tokenSpace first 16 digits of the fingerprint of the tokens' space
 */
public record EncodedFrom(String content, String filterSpace, String tokenSpace) {
  private static final Pattern FORM =
      Pattern.compile("([0-9a-f]{64})\\.([0-9a-f]{16})\\.([0-9a-f]{16})");
  private static final int PREFIX = 16;

  static EncodedFrom of(String content, Spaces spaces) {
    return new EncodedFrom(
        content, spaces.filter().substring(0, PREFIX), spaces.tokens().substring(0, PREFIX));
  }

  /**
   * @throws IllegalArgumentException when the text is not such a mark
   */
  static EncodedFrom parse(String text) {
    Matcher form = FORM.matcher(text);
    if (!form.matches()) {
      throw new IllegalArgumentException(
          "[encoded_from] is written by the ingest processor and must not be changed, got ["
              + text
              + "]");
    }
    return new EncodedFrom(form.group(1), form.group(2), form.group(3));
  }

  /** Whether the embedding and tokens beside this mark are of these spaces. */
  boolean matches(Spaces spaces) {
    return spaces.filter().startsWith(filterSpace) && spaces.tokens().startsWith(tokenSpace);
  }

  /** The form that {@link #parse} reads. */
  @Override
  public String toString() {
    return content + "." + filterSpace + "." + tokenSpace;
  }
}
