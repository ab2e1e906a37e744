/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The composition of a node's inference. Entry class: {@link
 * io.crossmodal.plugin.inference.node.NodeInference}, made by the plugin. Callers: the plugin, and
 * the actions that report on a node; whoever encodes or scores gets that service alone.
 */
package io.crossmodal.plugin.inference.node;
