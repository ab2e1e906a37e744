/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * From text to token ids, and back to the words and characters that they stand for.
 *
 * <p>Entry class: {@link io.crossmodal.model.text.Tokenizer}, of which there are BERT's word pieces
 * and CLIP's byte pairs. Called by trainer and plugin.
 */
package io.crossmodal.model.text;
