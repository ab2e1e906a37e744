/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import org.opensearch.action.ActionType;

/** Has a scorer run an operation on pairs. Between nodes only: no user may send it. */
public final class ScorePairsAction extends ActionType<PairsResponse> {
  public static final ScorePairsAction INSTANCE = new ScorePairsAction();
  public static final String NAME = "internal:cross_modal/score_pairs";

  private ScorePairsAction() {
    super(NAME, PairsResponse::new);
  }
}
