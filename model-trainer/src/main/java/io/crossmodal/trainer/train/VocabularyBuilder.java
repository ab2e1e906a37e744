/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A word vocabulary from training captions, for models that start from nothing. */
final class VocabularyBuilder {
  private VocabularyBuilder() {}

  /** The special tokens, then every word that occurs often enough, in alphabetical order. */
  static List<String> build(List<CaptionedImage> images, int minCount) {
    Map<String, Integer> counts = new TreeMap<>();
    for (CaptionedImage image : images) {
      for (String caption : image.captions()) {
        for (String word : CaptionedDataset.captionKey(caption).split(" ", -1)) {
          counts.merge(word, 1, Integer::sum);
        }
      }
    }
    List<String> vocabulary = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    // Punctuation is not a word, but captions have it.
    vocabulary.addAll(List.of(",", "."));
    counts.forEach(
        (word, count) -> {
          if (count >= minCount) {
            vocabulary.add(word);
          }
        });
    return vocabulary;
  }
}
