/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The model bundle: one file that holds a model, what it is, and proof that it still computes what
 * it did when it was made.
 *
 * <p>Entry class: {@link io.crossmodal.model.bundle.ModelBundle}. The trainer writes bundles, the
 * plugin reads them. The methods that {@code model.pt} offers, all batched:
 *
 * <pre>
 * encode_text(ids (B, N) int64, mask (B, N))                  -> tokens (B, N, H)
 * encode_image_&lt;sensor&gt;(pixels (B, C, S, S))                 -> tokens (B, M, H), token 0 is [CLS]
 * filter_text(cls (B, H)), filter_image(cls (B, H))           -> embedding (B, D), unit length
 * fuse(text (B|1, N, H), mask (B|1, N), image (B|1, M, H))    -> ITM logits (B, 2), no match and match
 * score(text, mask, image as fuse)                            -> (B, 2): ITM logit, filter logit
 * attention(text (B, N, H), mask (B, N), image (B, M, H))     -> word x patch weights (B, N, M)
 * </pre>
 *
 * <p>A model of sensors alone ({@link io.crossmodal.model.ModelConfig#hasText} is false) offers
 * {@code encode_image_<sensor>} and {@code filter_image} only, and its bundle has no {@code
 * vocab.txt}. A model with text has any number of sensors; all are projected by the one {@code
 * filter_image} and fused by the one {@code fuse}.
 *
 * <p>A model of CLIP's towers alone ({@link io.crossmodal.model.ModelConfig#hasFusion} is false)
 * offers no {@code fuse}, {@code score} and {@code attention}; its bundle holds {@code merges.txt},
 * with or without {@code vocab.json}, or {@code tokenizer.json} in place of {@code vocab.txt}.
 */
package io.crossmodal.model.bundle;
