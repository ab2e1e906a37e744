/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

/** Place where a node has the windows of its shards scored, unless it is a scorer itself. */
public enum ScoringPlace {
  /** On a scorer where the cluster has one; here where none answers. */
  AUTO,
  /** Here, whatever other nodes there are. */
  LOCAL,
  /** On a scorer only; where none answers, the request's {@code on_failure} decides. */
  REMOTE
}
