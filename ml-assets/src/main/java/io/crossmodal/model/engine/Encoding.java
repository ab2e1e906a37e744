/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import io.crossmodal.model.tokens.TokenBlock;

/**
 * What a tower makes of one text or image.
 *
 * @param tokens (N or M, H), for the fusion encoder
 * @param embedding D values of unit length, for recall; live, treat as read-only
 */
@SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
public record Encoding(TokenBlock tokens, float[] embedding) {}
