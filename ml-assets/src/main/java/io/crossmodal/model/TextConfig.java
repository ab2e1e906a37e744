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
 * @param transformer the layers' own widths (CLIP); null for the others, which have the model's
 */
public record TextConfig(
    int vocabularySize, int maxTokens, int layers, Kind kind, TransformerConfig transformer) {

  /** The towers of {@code bert.py}, {@code mean.py} and {@code clip_text.py}. */
  public enum Kind {
    /** BERT's post-layer-norm layers, as the paper has. */
    BERT,
    /** The same layers; the tower's [CLS] is the mean of its tokens, as in sentence encoders. */
    BERT_MEAN,
    /**
     * Pre-layer-norm layers that start near zero, so that training starts from a bag of words; the
     * tower's [CLS] is the mean of its tokens. For training from scratch.
     */
    MEAN,
    /**
     * CLIP's causal layers; the tower's [CLS] is the state of the end token, which has the highest
     * id of a text.
     */
    CLIP
  }

  public TextConfig {
    Checks.within("vocabulary_size", vocabularySize, 5, 1_000_000);
    Checks.within("max_tokens", maxTokens, 3, 4096);
    Checks.within("layers", layers, 1, ModelConfig.MAX_LAYERS);
    TransformerConfig.require(transformer, kind == Kind.CLIP, kind);
    if (transformer != null
        && (transformer.valuePath() != null || transformer.tokenGrid() != null)) {
      throw new IllegalArgumentException(
          "value_path and token_grid belong to an image tower, got them for a text's");
    }
  }

  /** One as wide as the model. */
  public TextConfig(int vocabularySize, int maxTokens, int layers, Kind kind) {
    this(vocabularySize, maxTokens, layers, kind, null);
  }

  /** BERT's. */
  public TextConfig(int vocabularySize, int maxTokens, int layers) {
    this(vocabularySize, maxTokens, layers, null);
  }

  /** Returns whether the layers are those of {@link Kind#MEAN}. */
  public boolean isMean() {
    return kind == Kind.MEAN;
  }

  /** Returns whether the tower is CLIP's. */
  public boolean isClip() {
    return kind == Kind.CLIP;
  }

  /** The same tower over a vocabulary of another size. */
  TextConfig withVocabularySize(int size) {
    return new TextConfig(size, maxTokens, layers, kind, transformer);
  }

  /** Silent about a kind that is not set: fingerprints of older bundles hash this text. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "TextConfig[vocabularySize=%d, maxTokens=%d, layers=%d%s%s]",
        vocabularySize,
        maxTokens,
        layers,
        kind == null ? "" : ", kind=" + kind,
        transformer == null ? "" : ", transformer=" + transformer);
  }
}
