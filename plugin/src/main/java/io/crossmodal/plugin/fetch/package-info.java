/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * What a hit, and the answer to a GET, holds of a {@code cross_modal} field: all of its value but
 * embedding and tokens, which are two to a hundred times the rest, unless the request asks for
 * them. What is left out is named in the request's own source filter, so that the codec does not
 * even read it.
 *
 * <p>Whoever copies documents gets them whole: {@code _reindex}, {@code _update_by_query} and other
 * clusters' reindex by their scroll, {@code _update}, recoveries and replication because they read
 * the index without such a request.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.fetch.LeanHits}, on the shards, and {@link
 * io.crossmodal.plugin.fetch.LeanGets}, where a GET arrives.
 */
package io.crossmodal.plugin.fetch;
