/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Real OpenSearch nodes for tests, benchmarks and the demo.
 *
 * <p>Start at {@link io.crossmodal.it.OpenSearchHome}: it lays out an installation and installs
 * plugins into it; {@link io.crossmodal.it.OpenSearchNode} runs a process from it. Several nodes,
 * of one cluster or of several, can run from one home. For {@code io.crossmodal.it}, {@code
 * io.crossmodal.bench} and {@code io.crossmodal.demo} only; nothing that is shipped depends on it.
 */
package io.crossmodal.it;
