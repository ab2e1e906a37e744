/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.errors;

/** How messages repeat what a user sent. */
public final class Messages {
  /** Characters of a value that a message repeats at most. */
  public static final int EXCERPT = 100;

  private Messages() {}

  /**
   * Returns a value as a message repeats it: an answer must not be as long as the request that it
   * refuses, which may be a picture.
   *
   * @param value of a request or document; null is allowed
   * @return at most {@link #EXCERPT} characters of it, and how many there are if it has more
   */
  public static String excerpt(Object value) {
    String text = String.valueOf(value);
    if (text.length() <= EXCERPT) {
      return text;
    }
    // Half of a surrogate pair would be no text.
    int end = Character.isHighSurrogate(text.charAt(EXCERPT - 1)) ? EXCERPT - 1 : EXCERPT;
    return text.substring(0, end) + "... (" + text.length() + " characters)";
  }
}
