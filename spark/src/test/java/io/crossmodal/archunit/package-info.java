/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/** Rules of this module that its build checks. */
package io.crossmodal.archunit;
