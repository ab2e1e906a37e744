/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

/**
 * What one step takes in, flat and row-major.
 *
 * @param size B
 * @param views 1, or 2 where multi-view contrast takes part
 * @param side S, of the images
 * @param tokens N, the longest text of the batch
 * @param pixels (views x B, C, S, S), the second views behind the first
 * @param ids (B, N)
 * @param mask (B, N), 1 for a token
 * @param masked {@code ids} with some replaced by [MASK]
 * @param labels (B, N), the replaced id, {@value #NOT_MASKED} elsewhere
 * @param matches (B, B), 1 where image i and text j belong together
 * @param noise (2, B, B), standard Gumbel
 * @param hard (B), 1 where the pair's negatives are drawn by similarity
 */
@SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
record Batch(
    int size,
    int views,
    int side,
    int tokens,
    float[] pixels,
    long[] ids,
    float[] mask,
    long[] masked,
    long[] labels,
    float[] matches,
    float[] noise,
    float[] hard) {

  /** What PyTorch's cross-entropy ignores. */
  static final long NOT_MASKED = -100;
}
