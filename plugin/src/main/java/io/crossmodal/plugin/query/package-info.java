/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The query {@code cross_modal}: steps 1 to 3 of a search (parse, rewrite, recall), and the stages
 * of a query source that it shares with the rescorer.
 *
 * <p>Builders are plain values without services. On the coordinating node they ask {@link
 * io.crossmodal.plugin.action.EncodeQueryAction} through the rewrite context's client, so the query
 * and the rescorer of one search share one encoding and what is sent to the shards is a vector.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.query.CrossModalQueryBuilder}. The rescorer uses
 * {@link io.crossmodal.plugin.query.QueryState}, {@link io.crossmodal.plugin.query.QueryBody} and
 * {@link io.crossmodal.plugin.query.Calibrations}.
 */
package io.crossmodal.plugin.query;
