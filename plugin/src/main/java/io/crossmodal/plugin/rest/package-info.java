/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The REST handlers, which parse a request, call an action and print its response. What an operator
 * sees: {@code GET /_plugins/_cross_modal/stats} and {@code GET /_plugins/_cross_modal/models},
 * both made from one {@link io.crossmodal.plugin.action.NodeReport} of each node; and what a user
 * may ask a model for, {@code POST /_plugins/_cross_modal/models/{id}/_encode}.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.rest.RestStatsHandler}, {@link
 * io.crossmodal.plugin.rest.RestModelsHandler} and {@link
 * io.crossmodal.plugin.rest.RestEncodeHandler}, registered by the plugin.
 */
package io.crossmodal.plugin.rest;
