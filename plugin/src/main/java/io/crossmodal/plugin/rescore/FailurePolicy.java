/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** What becomes of a search whose hits cannot be rescored: no model, no time, damaged tokens. */
public enum FailurePolicy {
  /** Hits keep their first-pass scores; counted as degraded in the stats. */
  KEEP_FIRST_PASS,
  /** The search of the shard fails and says why. */
  FAIL
}
