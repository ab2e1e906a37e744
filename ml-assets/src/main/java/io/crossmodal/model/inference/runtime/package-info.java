/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The native engine of this process: which libtorch is loaded, how it lives beside another plugin's
 * (docs/decisions/0035), and what it finds. Entry class: {@link NativeRuntime}. Callers: whoever
 * starts inference on a node, once.
 */
package io.crossmodal.model.inference.runtime;
