/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import java.util.Arrays;

/** A text as word-piece ids, [CLS] first and [SEP] last. */
public final class TokenizedText {
  private final int[] ids;
  private final boolean truncated;
  private final int unknown;

  TokenizedText(int[] ids, boolean truncated, int unknown) {
    this.ids = ids;
    this.truncated = truncated;
    this.unknown = unknown;
  }

  /** The ids; a copy. */
  public int[] ids() {
    return ids.clone();
  }

  /** N. */
  public int length() {
    return ids.length;
  }

  /** Returns whether the text was longer than the model takes and lost its end. */
  public boolean truncated() {
    return truncated;
  }

  /** Returns how many of the pieces are [UNK]. */
  public int unknown() {
    return unknown;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenizedText text
        && truncated == text.truncated
        && Arrays.equals(ids, text.ids);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(ids);
  }

  @Override
  public String toString() {
    return Arrays.toString(ids);
  }
}
