/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** What becomes of a hit in the window whose document has no stored tokens. */
public enum MissingPolicy {
  /** It keeps its first-pass score, as if it lay outside the window. */
  KEEP_FIRST_PASS,
  /** Its fusion score is 0. */
  SCORE_ZERO,
  /** The search of its shard fails. */
  FAIL
}
