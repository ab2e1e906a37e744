/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The request part {@code "ext": {"cross_modal": {"details": true, "heat_map": true}}}: each hit of
 * the page says by which model it was rescored, what its score was made of, and where the query's
 * words look in its picture.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.details.DetailsExtBuilder} for requests, {@link
 * io.crossmodal.plugin.details.DetailsFetchPhase} for the work, which asks {@link
 * io.crossmodal.plugin.rescore.RescoredPage}. OpenSearch calls them.
 */
package io.crossmodal.plugin.details;
