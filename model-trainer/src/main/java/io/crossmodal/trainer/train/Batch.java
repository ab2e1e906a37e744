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
 * @param keyMatches (2, B, K), 1 where image i and text key k, text i and image key k belong
 *     together; the keys are those of this batch and then of the ones before it, newest first; K is
 *     0 without momentum
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
    float[] hard,
    float[] keyMatches) {

  /** K. */
  int keys() {
    return keyMatches.length / (2 * size);
  }

  /** What PyTorch's cross-entropy ignores. */
  static final long NOT_MASKED = -100;
}
