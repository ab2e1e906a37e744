/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The rescorer {@code fusion}: steps 4 to 8 of a search on one shard. The window's stored tokens
 * are read in document order, scored against the query's tokens in one batched call of the fusion
 * encoder, or compared patch by patch where both are images, and combined with the first pass's
 * scores.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.rescore.FusionRescorerBuilder} for requests, {@link
 * io.crossmodal.plugin.rescore.FusionRescorer} for the work, {@link
 * io.crossmodal.plugin.rescore.ScoreCombiner} for what scores mean, {@link
 * io.crossmodal.plugin.rescore.RescoredPage} for the description of the hits that are returned.
 * OpenSearch calls them, but for the last, which {@link io.crossmodal.plugin.ext} calls, by way of
 * {@link io.crossmodal.plugin.rescore.TextHeatMaps}, which draws hits that need no rescore for it.
 */
package io.crossmodal.plugin.rescore;
