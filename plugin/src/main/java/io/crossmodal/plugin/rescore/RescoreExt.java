/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** The part of a search's {@code ext} that rescores heed. */
public interface RescoreExt {
  /** Hits of the window; 0 where each shard has its own. */
  int globalWindow();

  /** Whether the model is asked about the hits of the page once more. */
  boolean describesHits();
}
