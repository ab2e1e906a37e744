/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The number that everything begins with which one node's plugin sends to another's
 * (docs/decisions/0017). Entry class: {@link io.crossmodal.plugin.wire.WireFormat}.
 */
package io.crossmodal.plugin.wire;
