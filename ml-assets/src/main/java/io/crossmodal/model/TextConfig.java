/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.Locale;

/**
 * The text tower.
 *
 * @param vocabularySize V, word pieces
 * @param maxTokens longest text in word pieces, [CLS] and [SEP] included; longer ones are cut
 * @param layers transformer layers
 * @param kind how the layers are built; null: {@link Kind#BERT}
 */
public record TextConfig(int vocabularySize, int maxTokens, int layers, Kind kind) {

  /** The towers of {@code bert.py} and {@code mean.py}. */
  public enum Kind {
    /** BERT's post-layer-norm layers, as the paper has. */
    BERT,
    /** The same layers; the tower's [CLS] is the mean of its tokens, as in sentence encoders. */
    BERT_MEAN,
    /**
     * Pre-layer-norm layers that start near zero, so that training starts from a bag of words; the
     * tower's [CLS] is the mean of its tokens. For training from scratch.
     */
    MEAN
  }

  public TextConfig {
    Checks.within("vocabulary_size", vocabularySize, 5, 1_000_000);
    Checks.within("max_tokens", maxTokens, 3, 4096);
    Checks.within("layers", layers, 1, ModelConfig.MAX_LAYERS);
  }

  /** BERT's. */
  public TextConfig(int vocabularySize, int maxTokens, int layers) {
    this(vocabularySize, maxTokens, layers, null);
  }

  /** Returns whether the layers are those of {@link Kind#MEAN}. */
  public boolean isMean() {
    return kind == Kind.MEAN;
  }

  /** The same tower over a vocabulary of another size. */
  TextConfig withVocabularySize(int size) {
    return new TextConfig(size, maxTokens, layers, kind);
  }

  /** Silent about a kind that is not set: fingerprints of older bundles hash this text. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "TextConfig[vocabularySize=%d, maxTokens=%d, layers=%d%s]",
        vocabularySize,
        maxTokens,
        layers,
        kind == null ? "" : ", kind=" + kind);
  }
}
