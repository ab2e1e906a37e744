/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Everything that touches a model, without OpenSearch or Lucene, so that it can be tested and timed
 * without a node. This package holds the words that all of its packages use: settings, deadlines,
 * policies and the failures that callers see.
 *
 * <p>Its packages, each of which uses those after it alone: {@code node} composes; {@code encoding}
 * and {@code scoring} are what callers ask; {@code batching} calls models on threads of its own;
 * {@code registry} owns them in native memory; {@code runtime} starts the engine; {@code memory}
 * and {@code stats} count.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.inference.node.NodeInference}. Callers: the ingest
 * processor and the query encoding action (encoding), the rescorer (scoring), and the REST
 * handlers; each gets what it needs from the plugin's composition root.
 */
package io.crossmodal.plugin.inference;
