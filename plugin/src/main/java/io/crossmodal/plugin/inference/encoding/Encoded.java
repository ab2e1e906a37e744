/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.text.WordSpan;
import java.util.List;

/** The outcome of encoding one item of a batch: an item that fails, fails alone. */
public sealed interface Encoded permits Encoded.Success, Encoded.Failure {

  /**
   * An item with its encoding.
   *
   * @param encoding embedding and tokens
   * @param notice what the caller should tell its user although the item was encoded, such as a
   *     truncated text; empty where there is nothing to say
   * @param words of a text and the tokens that each of them became, without [CLS] and [SEP]; empty
   *     for an image
   * @param thumbnail of an image, a JPEG in base64; empty where none was asked for
   */
  record Success(Encoding encoding, String notice, List<WordSpan> words, String thumbnail)
      implements Encoded {
    public Success(Encoding encoding, String notice, List<WordSpan> words) {
      this(encoding, notice, words, "");
    }
  }

  /**
   * An item that could not be encoded.
   *
   * @param cause an {@link IllegalArgumentException} where the item is to blame, an {@link
   *     InferenceException} otherwise
   */
  record Failure(RuntimeException cause) implements Encoded {}
}
