/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.text.Normalizer;
import java.util.Arrays;
import java.util.function.IntPredicate;

/** A text's code points, each with the characters of the given text that it comes from. */
final class AlignedText {
  /** Marks that are composed with one letter at most: sorting them costs their square. */
  private static final int MAX_MARKS = 128;

  private int[] points;
  private int[] from;
  private int[] to;
  private int length;

  AlignedText(int capacity) {
    points = new int[capacity];
    from = new int[capacity];
    to = new int[capacity];
  }

  /**
   * Takes the beginning of a text. A run of blanks and line ends becomes one of them, a line end
   * where there is one, so that no run keeps the words behind it out.
   *
   * @param most code points to take
   */
  static AlignedText of(String text, int most) {
    AlignedText result = new AlignedText(Math.min(text.length(), most));
    for (int at = 0; at < text.length() && result.length < most; ) {
      int end = at;
      boolean line = false;
      while (end < text.length() && isPlainSpace(text.charAt(end))) {
        line |= text.charAt(end) == '\n';
        end++;
      }
      int point = line ? '\n' : ' ';
      if (end == at) {
        point = text.codePointAt(at);
        end += Character.charCount(point);
        point = Character.getType(point) == Character.SURROGATE ? 0xfffd : point;
      }
      result.add(point, at, end);
      at = end;
    }
    return result;
  }

  private static boolean isPlainSpace(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
  }

  int length() {
    return length;
  }

  int point(int index) {
    return points[index];
  }

  /** The first character of the given text that a code point comes from. */
  int from(int index) {
    return from[index];
  }

  /** The character behind the last one. */
  int to(int index) {
    return to[index];
  }

  void add(int point, int from, int to) {
    if (length == points.length) {
      int capacity = Math.max(16, length * 2);
      points = Arrays.copyOf(points, capacity);
      this.from = Arrays.copyOf(this.from, capacity);
      this.to = Arrays.copyOf(this.to, capacity);
    }
    points[length] = point;
    this.from[length] = from;
    this.to[length++] = to;
  }

  /** Has the last code point cover the characters {@code [from, to)} too, if it ends there. */
  void extend(int from, int to) {
    if (length > 0 && this.to[length - 1] == from) {
      this.to[length - 1] = to;
    }
  }

  /** Adds what stands in another text's place {@code [first, end)}, which it all comes from. */
  void add(String replacement, AlignedText source, int first, int end) {
    replacement.codePoints().forEach(c -> add(c, source.from[first], source.to[end - 1]));
  }

  void add(AlignedText other) {
    for (int i = 0; i < other.length; i++) {
      add(other.points[i], other.from[i], other.to[i]);
    }
  }

  AlignedText part(int first, int end) {
    AlignedText result = new AlignedText(end - first);
    System.arraycopy(points, first, result.points, 0, end - first);
    System.arraycopy(from, first, result.from, 0, end - first);
    System.arraycopy(to, first, result.to, 0, end - first);
    result.length = end - first;
    return result;
  }

  /** Returns whether the code points at a place are these. */
  boolean startsWith(int[] prefix, int at) {
    return at + prefix.length <= length
        && Arrays.equals(points, at, at + prefix.length, prefix, 0, prefix.length);
  }

  boolean sameAs(AlignedText other) {
    return Arrays.equals(points, 0, length, other.points, 0, other.length);
  }

  /** Returns the end of the run of such code points that starts at a place. */
  int endOfRun(int first, IntPredicate kind) {
    int end = first;
    while (end < length && kind.test(points[end])) {
      end++;
    }
    return end;
  }

  @Override
  public String toString() {
    return new String(points, 0, length);
  }

  /** Returns the text in Unicode's form NFC: letters and the marks behind them as one. */
  AlignedText composed() {
    AlignedText result = new AlignedText(length);
    for (int first = 0; first < length; ) {
      int end = endOfRun(first + 1, AlignedText::joinsWhatStandsBefore);
      end = Math.min(end, first + 1 + MAX_MARKS);
      String cluster = new String(points, first, end - first);
      String composed =
          points[first] < 0x80 && end == first + 1
              ? cluster
              : Normalizer.normalize(cluster, Normalizer.Form.NFC);
      if (composed.equals(cluster)) {
        for (int i = first; i < end; i++) {
          result.add(points[i], from[i], to[i]);
        }
      } else {
        result.add(composed, this, first, end);
      }
      first = end;
    }
    return result;
  }

  /** Marks, and the vowels and finals of Hangul and Kirat Rai, which compose as marks do. */
  private static boolean joinsWhatStandsBefore(int c) {
    return switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK, Character.COMBINING_SPACING_MARK, Character.ENCLOSING_MARK ->
          true;
      default -> (c >= 0x1160 && c <= 0x11ff) || (c >= 0x16d63 && c <= 0x16d6a);
    };
  }

  /**
   * Returns the text in lower case.
   *
   * @param finalSigma whether a sigma that ends a word becomes the final one, as Python has it
   */
  AlignedText lowerCase(boolean finalSigma) {
    AlignedText result = new AlignedText(length);
    for (int i = 0; i < length; i++) {
      int c = points[i];
      if (c == 0x130) { // the one letter that becomes two: a dotted capital I
        result.add("i\u0307", this, i, i + 1);
      } else if (c == 0x3a3 && finalSigma && endsWord(i)) {
        result.add(0x3c2, from[i], to[i]);
      } else {
        result.add(Character.toLowerCase(c), from[i], to[i]);
      }
    }
    return result;
  }

  /** Unicode's condition Final_Sigma. */
  private boolean endsWord(int index) {
    int before = index - 1;
    while (before >= 0 && isCaseIgnorable(points[before])) {
      before--;
    }
    int after = endOfRun(index + 1, AlignedText::isCaseIgnorable);
    return before >= 0 && isCased(points[before]) && (after == length || !isCased(points[after]));
  }

  private static boolean isCased(int c) {
    return Character.isLowerCase(c) || Character.isUpperCase(c) || Character.isTitleCase(c);
  }

  private static boolean isCaseIgnorable(int c) {
    return switch (Character.getType(c)) {
      case Character.NON_SPACING_MARK,
          Character.ENCLOSING_MARK,
          Character.FORMAT,
          Character.MODIFIER_LETTER,
          Character.MODIFIER_SYMBOL ->
          true;
      default ->
          "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
                  .indexOf(c)
              >= 0;
    };
  }
}
