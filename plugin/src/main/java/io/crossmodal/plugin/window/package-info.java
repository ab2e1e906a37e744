/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * One rescore window over all shards: the search pipeline processor {@code fusion_rerank}, what
 * {@code ext.cross_modal.global_window} stands for, and the collection of a search's reports.
 *
 * <p>Between the query phase and the fetch phase the coordinating node takes the best hits of all
 * shards, has each shard score its share in the reader context of the query phase, by the rescorer
 * {@code fusion} itself, and puts the results into one order. Core then merges and fetches the
 * page.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.window.RescoreCoordinator}, which OpenSearch attaches
 * to every search with a fusion rescore; {@link io.crossmodal.plugin.window.GlobalWindow} does the
 * work.
 */
package io.crossmodal.plugin.window;
