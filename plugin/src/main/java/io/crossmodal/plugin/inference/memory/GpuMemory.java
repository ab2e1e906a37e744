/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.memory;

/**
 * A GPU's memory as the node counts it.
 *
 * @param used bytes of weights and of calls under way
 * @param limit bytes that the node grants itself
 */
public record GpuMemory(long used, long limit) {}
