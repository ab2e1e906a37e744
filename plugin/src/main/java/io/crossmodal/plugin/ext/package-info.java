/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Everything of {@code ext.cross_modal}. In a request, {@code "ext": {"cross_modal": {"details":
 * true, "heat_map": true, "global_window": 128}}}: each hit of the page says by which model it was
 * rescored, what its score was made of, and where the query's words look in its picture. In a
 * response, what the rescores of the search did.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.ext.CrossModalExtBuilder} for requests, {@link
 * io.crossmodal.plugin.ext.DetailsFetchPhase} for hits, {@link
 * io.crossmodal.plugin.ext.ReportProcessor} for responses; OpenSearch calls them. {@link
 * io.crossmodal.plugin.ext.ShardReports} carries a shard's {@link
 * io.crossmodal.plugin.ext.RescoreReport}s to the coordinating node. The package knows nothing of
 * rescoring, which fills it in.
 */
package io.crossmodal.plugin.ext;
