/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.batching;

/** Whose work comes first. The worker has a queue of its own for each. */
public enum Priority {
  /** Somebody waits for a search. */
  SEARCH,
  /**
   * Documents on their way in. One call in {@link ModelWorker#INGEST_TURN} is theirs however many
   * searches wait, so that neither starves the other.
   */
  INGEST
}
