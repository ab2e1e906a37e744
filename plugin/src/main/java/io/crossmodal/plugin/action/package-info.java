/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The transport actions, each with its request and response: {@link
 * io.crossmodal.plugin.action.EncodeQueryAction} for searches, {@link
 * io.crossmodal.plugin.action.EncodeAction} for users, {@link
 * io.crossmodal.plugin.action.LoadModelAction} and {@link
 * io.crossmodal.plugin.action.NodesReportAction} for operators. The handlers in {@code rest}, the
 * query and the rescorer call them.
 *
 * <p>{@link io.crossmodal.plugin.action.QuerySource} is what a search is by, {@link
 * io.crossmodal.plugin.action.EncodedQuery} what it becomes.
 */
package io.crossmodal.plugin.action;
