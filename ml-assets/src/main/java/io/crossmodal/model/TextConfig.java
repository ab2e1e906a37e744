/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/**
 * The text tower.
 *
 * @param vocabularySize V, word pieces
 * @param maxTokens longest text in word pieces, [CLS] and [SEP] included; longer ones are cut
 * @param layers transformer layers
 */
public record TextConfig(int vocabularySize, int maxTokens, int layers) {
  public TextConfig {
    Checks.atLeast("vocabulary_size", vocabularySize, 5);
    Checks.atLeast("max_tokens", maxTokens, 3);
    Checks.atLeast("layers", layers, 1);
  }
}
