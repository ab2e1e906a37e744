/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.util.List;

/**
 * Splits a text into the tokens that a model's text tower knows. Thread-safe.
 *
 * <p>Every result starts and ends with the model's own two tokens; what does not fit between them
 * is cut, and the result says so.
 */
public sealed interface Tokenizer permits WordPieceTokenizer, BytePairTokenizer {
  /** Characters of a text that are looked at: more than any text of 512 words that people write. */
  int MAX_CHARACTERS = 1 << 16;

  /**
   * Splits a text. Of a long one only the beginning is looked at, so that the cost does not grow
   * with what no model reads.
   *
   * @param text any text; halves of surrogate pairs count as U+FFFD
   * @return at most {@link #maxTokens} tokens
   * @throws IllegalArgumentException when the text has nothing to read, unless the model has a
   *     vector for that, as CLIP has
   */
  TokenizedText tokenize(String text);

  /**
   * Returns which tokens belong to one word, in order; the first token of a text and its last one
   * are words of their own.
   *
   * @param text a result of this tokenizer
   */
  List<WordSpan> spans(TokenizedText text);

  /**
   * Returns what a token stands for, as the vocabulary writes it.
   *
   * @param id 0 to {@link #size} - 1
   */
  String piece(int id);

  /** V: every id is below it. */
  int size();

  /** Returns the longest result in tokens, the first and the last one included. */
  int maxTokens();

  /** Returns the id that fills a batch's shorter rows. */
  int paddingId();
}
