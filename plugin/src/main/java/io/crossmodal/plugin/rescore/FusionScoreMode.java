/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

/** How a fusion score and a first-pass score make one; all but {@link #REPLACE} as in core. */
public enum FusionScoreMode {
  /** The fusion score alone decides; hits without one come after all that have one. */
  REPLACE,
  TOTAL,
  MULTIPLY,
  AVG,
  MAX,
  MIN
}
