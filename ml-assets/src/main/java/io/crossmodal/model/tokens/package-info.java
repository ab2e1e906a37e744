/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Token features of texts and images, and how they are stored.
 *
 * <p>Entry classes: {@link io.crossmodal.model.tokens.TokenBlockFormat}, which writes and checks,
 * and {@link io.crossmodal.model.tokens.StoredTokens}, which a model reads into its batch. Called
 * by the plugin (doc values, documents) and by the trainer's {@code encode}. {@link
 * io.crossmodal.model.tokens.TokenPooling} makes an image's block smaller.
 *
 * <h2>Format, versions 1 and 2, little-endian</h2>
 *
 * <pre>
 * magic        4 bytes  "CMTK"
 * version      1 byte   1; 2 where the tokens are pooled
 * encoding     1 byte   1 int8, 2 fp16, 3 int4
 * count        2 bytes  unsigned, tokens; token 0 is [CLS]
 * hidden       2 bytes  unsigned, values a token
 * fingerprint  8 bytes  first bytes of the token space's SHA-256
 * pooling      1 byte   version 2 only: 2 to 16, side of the squares of patches that are a token
 * int8:        count x float32 scales, then count x hidden signed bytes; value = byte x scale
 * fp16:        count x hidden IEEE 754 halves
 * int4:        count x G scales as halves, one for each 32 values of a token (G = hidden / 32, rounded
 *              up), then count x (hidden + 1) / 2 bytes, the first of two values in the lower half;
 *              value = (half of the byte - 8) x scale
 * </pre>
 *
 * <p>A block is as long as its header says, to the byte. Whoever changes the layout raises the
 * version and keeps reading the old one.
 */
package io.crossmodal.model.tokens;
