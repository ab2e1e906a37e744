/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/** The shared model library. */
package io.crossmodal.model;
