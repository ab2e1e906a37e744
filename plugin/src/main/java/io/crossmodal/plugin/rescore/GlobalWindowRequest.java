/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** A part of a search's {@code ext} that may ask for one window over all shards. */
public interface GlobalWindowRequest {
  /** Hits of the window; 0 where each shard has its own. */
  int globalWindow();
}
