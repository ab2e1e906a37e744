/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.text.Normalizer;
import java.util.Map;

/**
 * How a text is cleaned before it is split: each library of CLIPs has its own way, and a model
 * wants that of the library it was trained with.
 */
public enum TextCleaning {
  /**
   * OpenCLIP's and OpenAI's: ftfy's repairs, HTML's character references undone twice, lower case.
   *
   * <p>Of ftfy's repairs one is missing, that of texts decoded in a wrong encoding ("cafÃ©"): it
   * guesses from statistics. Such texts keep their characters here.
   *
   * @see <a href="https://ftfy.readthedocs.io/en/latest/config.html">ftfy</a>
   */
  OPEN_CLIP {
    @Override
    AlignedText clean(AlignedText text) {
      AlignedText repaired = new AlignedText(text.length());
      boolean references = true;
      for (int first = 0; first < text.length(); ) {
        int end = Math.min(text.length(), text.endOfRun(first, c -> c != '\n') + 1);
        AlignedText line = text.part(first, end);
        // a text with a tag is HTML, whose references have to stay: from there on, says ftfy
        references &= line.endOfRun(0, c -> c != '<') == line.length();
        repaired.add(repair(line, references));
        first = end;
      }
      return HtmlEntities.unescape(HtmlEntities.unescape(repaired)).lowerCase(true);
    }
  },

  /** Hugging Face's: Unicode's form NFC, lower case. */
  HUGGING_FACE {
    @Override
    AlignedText clean(AlignedText text) {
      return text.composed().lowerCase(false);
    }
  };

  /** Repairs of one line at most: "&amp;amp;amp;" needs one for each level. */
  private static final int MAX_REPAIRS = 16;

  private static final int ESCAPE = 0x1b;

  /** Latin letters written as one, and the letters. */
  private static final Map<Integer, String> LIGATURES =
      Map.ofEntries(
          Map.entry(0x132, "IJ"),
          Map.entry(0x133, "ij"),
          Map.entry(0x149, "'n"),
          Map.entry(0x1c4, "D\u017d"),
          Map.entry(0x1c5, "D\u017e"),
          Map.entry(0x1c6, "d\u017e"),
          Map.entry(0x1c7, "LJ"),
          Map.entry(0x1c8, "Lj"),
          Map.entry(0x1c9, "lj"),
          Map.entry(0x1ca, "NJ"),
          Map.entry(0x1cb, "Nj"),
          Map.entry(0x1cc, "nj"),
          Map.entry(0x1f1, "DZ"),
          Map.entry(0x1f2, "Dz"),
          Map.entry(0x1f3, "dz"),
          Map.entry(0xfb00, "ff"),
          Map.entry(0xfb01, "fi"),
          Map.entry(0xfb02, "fl"),
          Map.entry(0xfb03, "ffi"),
          Map.entry(0xfb04, "ffl"),
          Map.entry(0xfb05, "\u017ft"),
          Map.entry(0xfb06, "st"));

  /** Returns the text as it is split; white space is left as it is, it separates only. */
  abstract AlignedText clean(AlignedText text);

  /** Repairs a line until nothing changes. */
  private static AlignedText repair(AlignedText line, boolean references) {
    AlignedText before = null;
    AlignedText after = line;
    for (int run = 0; run < MAX_REPAIRS && (before == null || !after.sameAs(before)); run++) {
      before = after;
      after = references ? HtmlEntities.unescapeClosed(after) : after;
      after = withoutControls(plain(after)).composed();
    }
    return after;
  }

  /** Replaces ligatures, letters of other widths, curly quotation marks and control characters. */
  private static AlignedText plain(AlignedText text) {
    AlignedText result = new AlignedText(text.length());
    for (int i = 0; i < text.length(); i++) {
      int given = text.point(i);
      int c = given >= 0x80 && given <= 0x9f ? HtmlEntities.windows1252(given) : given;
      String letters = LIGATURES.get(c);
      if (letters == null && c >= 0xff01 && c <= 0xffef) {
        letters = Normalizer.normalize(Character.toString(c), Normalizer.Form.NFKC);
      }
      if (letters != null) {
        result.add(letters, text, i, i + 1);
      } else {
        result.add(straight(c), text.from(i), text.to(i));
      }
    }
    return result;
  }

  private static int straight(int c) {
    return switch (c) {
      case 0x2bc, 0x2018, 0x2019, 0x201a, 0x201b -> '\'';
      case 0x201c, 0x201d, 0x201e, 0x201f -> '"';
      case 0x3000 -> ' ';
      default -> c;
    };
  }

  /** Removes a terminal's colour commands, and control characters that are no white space. */
  private static AlignedText withoutControls(AlignedText text) {
    AlignedText result = new AlignedText(text.length());
    for (int i = 0; i < text.length(); i++) {
      int end = text.point(i) == ESCAPE ? endOfCommand(text, i) : i;
      if (end > i) {
        i = end - 1;
      } else if (!isControl(text.point(i))) {
        result.add(text.point(i), text.from(i), text.to(i));
      }
    }
    return result;
  }

  /** Returns the end of "ESC [ numbers letter"; the given place where there is none. */
  private static int endOfCommand(AlignedText text, int escape) {
    if (escape + 1 == text.length() || text.point(escape + 1) != '[') {
      return escape;
    }
    int letter = text.endOfRun(escape + 2, c -> c == ';' || Character.isDigit(c));
    boolean ends = letter < text.length() && isAsciiLetter(text.point(letter));
    return ends ? letter + 1 : escape;
  }

  private static boolean isAsciiLetter(int c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  private static boolean isControl(int c) {
    return c <= 0x08
        || c == 0x0b
        || (c >= 0x0e && c <= 0x1f)
        || c == 0x7f
        || (c >= 0x206a && c <= 0x206f)
        || c == 0xfeff
        || (c >= 0xfff9 && c <= 0xfffc);
  }
}
