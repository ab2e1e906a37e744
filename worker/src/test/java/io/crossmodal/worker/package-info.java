/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/** Tests of the worker: its answers over real sockets, and a public client of the protocol. */
package io.crossmodal.worker;
