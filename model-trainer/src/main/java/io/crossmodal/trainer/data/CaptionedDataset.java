/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

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
   * How many captions of a split stand in the training captions too, but for case and punctuation.
   *
   * @param captions of the split
   * @param shared those of them that training has
   */
  public record Shared(int captions, int shared) {
    /** Says so in a sentence. */
    public String sentence(Split split) {
      return String.format(
          Locale.ROOT,
          "%.1f %% of the captions in %s (%d of %d) stand verbatim in train.",
          100.0 * shared / Math.max(1, captions),
          split.label(),
          shared,
          captions);
    }
  }

  /** Counts what a split shares with training. */
  public Shared shared(Split split) {
    Set<String> known = trainingKeys();
    List<String> captions = split(split).stream().flatMap(i -> i.captions().stream()).toList();
    long shared = captions.stream().filter(c -> known.contains(captionKey(c))).count();
    return new Shared(captions.size(), (int) shared);
  }

  private Set<String> trainingKeys() {
    return split(Split.TRAIN).stream()
        .flatMap(image -> image.captions().stream())
        .map(CaptionedDataset::captionKey)
        .collect(Collectors.toSet());
  }

  /**
   * Returns the data set without the captions of validation and test that training has, and without
   * the images that have no other. Training is the same.
   */
  public CaptionedDataset withDistinctCaptions() {
    Set<String> known = trainingKeys();
    List<CaptionedImage> kept = new ArrayList<>();
    for (CaptionedImage image : images) {
      List<String> own =
          image.split() == Split.TRAIN
              ? image.captions()
              : image.captions().stream().filter(c -> !known.contains(captionKey(c))).toList();
      if (!own.isEmpty()) {
        kept.add(
            new CaptionedImage(
                image.filename(), image.file(), image.imageId(), image.split(), own));
      }
    }
    return new CaptionedDataset(name, kept, problems, problemsLeft);
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
