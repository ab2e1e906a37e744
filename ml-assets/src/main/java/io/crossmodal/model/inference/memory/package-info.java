/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Memory that may be taken: {@link MemoryBudget} is what the node grants, behind which the plugin
 * puts circuit breakers, and {@link DeviceBudgets} divides it among the devices.
 *
 * <p>Entry class: {@link MemoryBudget}. Callers: whoever takes memory that grows with a request,
 * inside inference and out of it.
 */
package io.crossmodal.model.inference.memory;
