/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/** The module's place in the architecture, as rules over its compiled classes. */
package io.crossmodal.archunit;
