/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * What an operator sees: {@code GET /_plugins/_cross_modal/stats} and {@code GET
 * /_plugins/_cross_modal/models}, both made from one {@link io.crossmodal.plugin.rest.NodeReport}
 * of each node.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.rest.RestStatsHandler} and {@link
 * io.crossmodal.plugin.rest.RestModelsHandler}, registered by the plugin.
 */
package io.crossmodal.plugin.rest;
