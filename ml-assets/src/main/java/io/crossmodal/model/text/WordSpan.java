/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

/**
 * The tokens that one word was split into.
 *
 * @param word its pieces joined, without "##"; [CLS], [SEP] and [UNK] stand for themselves
 * @param from its first token
 * @param to the token after its last one
 */
public record WordSpan(String word, int from, int to) {}
