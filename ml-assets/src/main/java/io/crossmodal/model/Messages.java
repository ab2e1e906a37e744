/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/** Formats what messages repeat of a user, a file or a library's exception. */
public final class Messages {
  /** Characters of a value that a message repeats at most. */
  public static final int EXCERPT = 100;

  /** Characters of a path at most: Linux has none that is longer. */
  private static final int LONGEST_PATH = 4_096;

  private static final int REPLACEMENT_CHARACTER = 0xFFFD;

  private Messages() {}

  /**
   * Returns a value as a message repeats it: an answer must not be as long as the request that it
   * refuses, which may be a picture.
   *
   * @param value of a request or document; null is allowed
   * @return at most {@link #EXCERPT} characters of it, and how many there are if it has more
   */
  public static String excerpt(Object value) {
    return excerpt(value, EXCERPT);
  }

  /**
   * Returns the beginning of a text as characters that can be written as UTF-8: half of a surrogate
   * pair is replaced by U+FFFD, for JSON writers refuse the whole answer for its sake. It comes
   * from an escape such as {@code \ud83d}, or from an exception that names one {@code char}.
   *
   * @param value a text, such as the message of a library's exception; null is allowed
   * @param longest characters of it to return, at least 1
   * @return at most that many of its characters, and how many there are if it has more
   */
  public static String excerpt(Object value, int longest) {
    String text = String.valueOf(value);
    if (text.length() <= longest) {
      return wellFormed(text);
    }
    boolean cutsPair = Character.isSurrogatePair(text.charAt(longest - 1), text.charAt(longest));
    return wellFormed(text.substring(0, cutsPair ? longest - 1 : longest))
        + "... ("
        + text.length()
        + " characters)";
  }

  /**
   * Returns a path of this machine's disks as a message names it: whole, for its reader has to find
   * it.
   *
   * @param path a {@link java.nio.file.Path}, or what a setting gives for one
   * @return at most {@link #LONGEST_PATH} characters of it
   */
  public static String path(Object path) {
    return excerpt(path, LONGEST_PATH);
  }

  private static String wellFormed(String text) {
    if (text.chars().noneMatch(unit -> Character.isSurrogate((char) unit))) {
      return text;
    }
    StringBuilder result = new StringBuilder(text.length());
    // Halves of no pair are code points of their own here; U+FFFD takes one char as they do.
    text.codePoints()
        .map(point -> isHalf(point) ? REPLACEMENT_CHARACTER : point)
        .forEach(result::appendCodePoint);
    return result.toString();
  }

  private static boolean isHalf(int codePoint) {
    return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
  }
}
