/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Choice of the node that runs an operation on pairs of a query and stored tokens. A rescore asks
 * {@link io.crossmodal.plugin.scoring.Scorers} where the cluster has nodes that score for others:
 * it sends the blocks as they are stored, and {@link
 * io.crossmodal.plugin.scoring.TransportScorePairsAction} puts them into the queue of such a node's
 * own {@link io.crossmodal.plugin.inference.scoring.ScoringService} (docs/decisions/0018).
 *
 * <p>Entry class: {@link io.crossmodal.plugin.scoring.Scorers}, made by the plugin. Callers: {@code
 * plugin.rescore}.
 */
package io.crossmodal.plugin.scoring;
