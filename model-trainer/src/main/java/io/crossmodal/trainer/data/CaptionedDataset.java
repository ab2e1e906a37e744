/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Images with captions, in the order of their file.
 *
 * @param name the data set's own name
 * @param problems what was skipped while reading, one line each; empty for a clean data set
 * @param problemsLeft so many more may be skipped when the pictures are decoded, at least 0
 */
public record CaptionedDataset(
    String name, List<CaptionedImage> images, List<String> problems, int problemsLeft) {

  public CaptionedDataset {
    Objects.requireNonNull(name, "name");
    images = List.copyOf(images);
    problems = List.copyOf(problems);
  }

  /** Returns the images of one split, in order. */
  public List<CaptionedImage> split(Split split) {
    return images.stream().filter(image -> image.split() == split).toList();
  }

  /**
   * Returns the key by which captions count as the same in duplicate-aware evaluation: lower case,
   * every character that is neither letter nor digit taken out (so "t-shirt's" is "tshirts"), runs
   * of white space folded to one blank, none at the ends. On RSICD and UCM this gives the same
   * duplicates as taking out "." and "," alone, the usual convention.
   */
  public static String captionKey(String caption) {
    StringBuilder key = new StringBuilder(caption.length());
    boolean blank = false;
    String lower = caption.toLowerCase(Locale.ROOT);
    for (int i = 0; i < lower.length(); ) {
      int character = lower.codePointAt(i);
      i += Character.charCount(character);
      if (Character.isWhitespace(character)) {
        blank = true;
      } else if (Character.isLetterOrDigit(character) || isMark(character)) {
        if (blank && key.length() > 0) {
          key.append(' ');
        }
        blank = false;
        key.appendCodePoint(character);
      }
    }
    return key.toString();
  }

  /**
   * Returns whether a character is a mark: vowel signs of Devanagari, Thai and others are, and
   * without them words would fall together.
   */
  private static boolean isMark(int character) {
    int type = Character.getType(character);
    return type == Character.NON_SPACING_MARK || type == Character.COMBINING_SPACING_MARK;
  }
}
