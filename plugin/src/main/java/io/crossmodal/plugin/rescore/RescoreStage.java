/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** Which part of a rescore a shard does. */
enum RescoreStage {
  /** All of it, over its own hits. */
  SHARD,
  /**
   * Nothing, where the search has other shards: it hands its first hits on, and the coordinating
   * node asks for those of them that are among the best of all shards. A search of one shard does
   * all of it here, for core fetches such a search's hits before the coordinating node sees them.
   */
  DEFERRED,
  /** The MLP filter's logits of hits that the coordinating node chose, as their scores. */
  FILTER
}
