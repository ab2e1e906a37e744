/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** A word vocabulary from training captions, for models that start from nothing. */
final class VocabularyBuilder {
  private VocabularyBuilder() {}

  /** The special tokens, then every word that occurs often enough, in alphabetical order. */
  static List<String> build(List<CaptionedImage> images, int minCount) {
    Map<String, Integer> counts = new TreeMap<>();
    for (CaptionedImage image : images) {
      for (String caption : image.captions()) {
        for (String word : WordPieceTokenizer.words(caption)) {
          counts.merge(word, 1, Integer::sum);
        }
      }
    }
    Set<String> vocabulary = new LinkedHashSet<>(WordPieceTokenizer.SPECIAL);
    // Always there: queries have punctuation even where the captions have none.
    vocabulary.addAll(List.of(",", "."));
    counts.forEach(
        (word, count) -> {
          if (count >= minCount) {
            vocabulary.add(word);
          }
        });
    return List.copyOf(vocabulary);
  }
}
