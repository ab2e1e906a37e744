/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Everything that touches the model: one {@link io.crossmodal.plugin.inference.ModelService} per
 * node, whose worker threads, one for each device, own all native memory. Knows nothing of
 * OpenSearch or Lucene, so that it can be tested without a node.
 *
 * <p>This package itself holds the words that all of its packages use: settings, deadlines and the
 * failures that callers see. Of them, {@code memory} and {@code stats} count, {@code runtime}
 * starts the engine, {@code registry} owns the models, {@code batching} calls them, {@code
 * encoding} and {@code scoring} are what callers ask for.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.inference.ModelService}. Callers: the ingest
 * processor, the query encoding action, the rescorer and the REST handlers; each gets it from the
 * plugin's composition root.
 */
package io.crossmodal.plugin.inference;
