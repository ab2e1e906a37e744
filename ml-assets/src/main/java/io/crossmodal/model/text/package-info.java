/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * From text to word-piece ids.
 *
 * <p>Entry class: {@link io.crossmodal.model.text.WordPieceTokenizer}. Called by trainer and
 * plugin.
 */
package io.crossmodal.model.text;
