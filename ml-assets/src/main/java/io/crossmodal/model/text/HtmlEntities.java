/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Replaces HTML's character references, such as &amp;eacute;, by their characters.
 *
 * @see <a href="https://html.spec.whatwg.org/#character-reference-state">HTML</a>
 */
final class HtmlEntities {
  /** Code points behind "&" that can be a name. */
  private static final int LONGEST_NAME = 32;

  /** The same, where a reference has to end in ";". */
  private static final int LONGEST_CLOSED_NAME = 24;

  /** What Windows-1252 has for U+0080 to U+009F; where it has nothing the control character. */
  private static final String C1 =
      "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d"
          + "\u008f\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153"
          + "\u009d\u017e\u0178";

  /** Names as the specification writes them, most with ";" behind, to their characters. */
  private static final Map<String, String> NAMES = names();

  /** Names in capitals that are none themselves, such as {@code EACUTE;}. */
  private static final Map<String, String> CAPITALS = capitals();

  private HtmlEntities() {}

  /** A reference that was found: how many code points it takes, "&" included, and its meaning. */
  private record Found(int length, String meaning) {}

  private interface Finder {
    /** Returns the reference at a place where "&" stands; null: there is none. */
    Found find(AlignedText text, int at);
  }

  private static Map<String, String> names() {
    try (InputStream in = HtmlEntities.class.getResourceAsStream("html-entities.txt")) {
      if (in == null) {
        throw new IllegalStateException("this build of ml-assets lacks html-entities.txt");
      }
      Map<String, String> names = new HashMap<>();
      new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))
          .lines()
          .filter(line -> !line.startsWith("#"))
          .map(line -> line.split(" "))
          .forEach(
              fields -> {
                StringBuilder meaning = new StringBuilder();
                for (int i = 1; i < fields.length; i++) {
                  meaning.appendCodePoint(Integer.parseInt(fields[i], 16));
                }
                names.put(fields[0], meaning.toString());
              });
      return Map.copyOf(names);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, String> capitals() {
    Map<String, String> capitals = new HashMap<>();
    NAMES.forEach(
        (name, meaning) -> {
          String upper = name.toUpperCase(Locale.ROOT);
          if (name.endsWith(";")
              && name.equals(name.toLowerCase(Locale.ROOT))
              && longestName(upper) == 0) {
            capitals.put(upper, meaning.toUpperCase(Locale.ROOT));
          }
        });
    return Map.copyOf(capitals);
  }

  /** Windows-1252's character for a control character U+0080 to U+009F. */
  static int windows1252(int c1) {
    return C1.charAt(c1 - 0x80);
  }

  /** Replaces what HTML takes for references, those without ";" too: Python's html.unescape. */
  static AlignedText unescape(AlignedText text) {
    return replace(text, HtmlEntities::open);
  }

  /** Replaces the references that end in ";", and those that were put in capitals: ftfy's. */
  static AlignedText unescapeClosed(AlignedText text) {
    return replace(text, HtmlEntities::closed);
  }

  private static AlignedText replace(AlignedText text, Finder finder) {
    if (text.endOfRun(0, c -> c != '&') == text.length()) {
      return text;
    }
    AlignedText result = new AlignedText(text.length());
    for (int at = 0; at < text.length(); ) {
      Found found = text.point(at) == '&' ? finder.find(text, at) : null;
      if (found == null) {
        result.add(text.point(at), text.from(at), text.to(at));
        at++;
      } else {
        result.add(found.meaning, text, at, at + found.length);
        at += found.length;
      }
    }
    return result;
  }

  private static Found open(AlignedText text, int at) {
    if (at + 1 < text.length() && text.point(at + 1) == '#') {
      return number(text, at);
    }
    String name = name(text, at + 1);
    int longest = longestName(name);
    return longest == 0
        ? null
        : new Found(1 + name.codePointCount(0, longest), NAMES.get(name.substring(0, longest)));
  }

  private static Found closed(AlignedText text, int at) {
    int first = at + 1;
    boolean number = first < text.length() && text.point(first) == '#';
    int from = number ? first + 1 : first;
    int end = text.endOfRun(from, HtmlEntities::isAsciiLetterOrDigit);
    if (end == from
        || end - from > LONGEST_CLOSED_NAME
        || end == text.length()
        || text.point(end) != ';') {
      return null;
    }
    if (number) {
      Found found = number(text, at);
      return found == null || found.length != end + 1 - at || found.meaning.equals(";")
          ? null
          : found;
    }
    String name = text.part(first, end + 1).toString();
    String meaning = NAMES.getOrDefault(name, CAPITALS.get(name));
    return meaning == null ? null : new Found(end + 1 - at, meaning);
  }

  private static boolean isAsciiLetterOrDigit(int c) {
    return c < 0x80 && Character.isLetterOrDigit(c);
  }

  /** What can be a name behind "&", and ";" where it follows. */
  private static String name(AlignedText text, int first) {
    int end = first;
    while (end < text.length()
        && end - first < LONGEST_NAME
        && "\t\n\f <&#;".indexOf(text.point(end)) < 0) {
      end++;
    }
    boolean semicolon = end > first && end < text.length() && text.point(end) == ';';
    return text.part(first, semicolon ? end + 1 : end).toString();
  }

  /** Returns how many characters of a text are the longest name that it starts with. */
  private static int longestName(String text) {
    int length = text.length();
    while (length > 1 && !NAMES.containsKey(text.substring(0, length))) {
      length--;
    }
    return length > 1 ? length : 0;
  }

  /** A reference by number, "&#233;" or "&#xe9;", with or without its ";". */
  private static Found number(AlignedText text, int at) {
    int first = at + 2;
    int radix = first < text.length() && (text.point(first) | 0x20) == 'x' ? 16 : 10;
    first += radix == 16 ? 1 : 0;
    long value = 0;
    int end = first;
    for (; end < text.length(); end++) {
      int digit = text.point(end) < 0x80 ? Character.digit(text.point(end), radix) : -1;
      if (digit < 0) {
        break;
      }
      value = Math.min(value * radix + digit, Character.MAX_CODE_POINT + 1L);
    }
    if (end == first) {
      return null;
    }
    boolean semicolon = end < text.length() && text.point(end) == ';';
    return new Found((semicolon ? end + 1 : end) - at, character((int) value));
  }

  /** What HTML has for a number: nothing for control characters and for what is no character. */
  private static String character(int c) {
    if (c == 0
        || c > Character.MAX_CODE_POINT
        || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE)) {
      return "\ufffd";
    }
    if (c >= 0x80 && c <= 0x9f) {
      return Character.toString(windows1252(c));
    }
    boolean none =
        (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r')
            || c == 0x7f
            || (c >= 0xfdd0 && c <= 0xfdef)
            || (c & 0xfffe) == 0xfffe;
    return none ? "" : Character.toString(c);
  }
}
