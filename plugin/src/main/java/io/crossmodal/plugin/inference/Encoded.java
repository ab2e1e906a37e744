/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.Encoding;

/** The outcome of encoding one item of a batch: an item that fails, fails alone. */
public sealed interface Encoded permits Encoded.Success, Encoded.Failure {

  /**
   * An item with its encoding.
   *
   * @param encoding embedding and tokens
   * @param notice what the caller should tell its user although the item was encoded, such as a
   *     truncated text; empty where there is nothing to say
   */
  record Success(Encoding encoding, String notice) implements Encoded {}

  /**
   * An item that could not be encoded.
   *
   * @param cause an {@link IllegalArgumentException} where the item is to blame, an {@link
   *     InferenceException} otherwise
   */
  record Failure(RuntimeException cause) implements Encoded {}
}
