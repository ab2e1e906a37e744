/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Common parts of everything that one node's plugin sends to another's: {@link
 * io.crossmodal.plugin.wire.WireFormat}, the number that it begins with (docs/decisions/0017), and
 * {@link io.crossmodal.plugin.wire.ModelValues}.
 */
package io.crossmodal.plugin.wire;
