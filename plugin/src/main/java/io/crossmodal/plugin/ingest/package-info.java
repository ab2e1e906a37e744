/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Encoding on the way in: a system ingest processor that OpenSearch attaches to every index whose
 * mapping has a {@code cross_modal} field, so no pipeline needs to be set up. It runs on {@code
 * _bulk}, single documents, upserts and the partial documents of bulk updates, and completes the
 * documents with embedding and tokens, in batches over the whole bulk, each stored in its documents
 * before the next one is encoded. What that adds to the bulk is counted by the circuit breaker
 * {@code request}.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.ingest.EncodingProcessorFactory}, registered by the
 * plugin and called by OpenSearch.
 */
package io.crossmodal.plugin.ingest;
