/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/**
 * The fusion encoder's answer for B pairs.
 *
 * @param itm per pair the matching logit, log(p(match) / p(no match)) before calibration
 * @param biEncoder per pair the bi-encoder's logit: cosine of the embeddings over the temperature
 */
@SuppressWarnings("ArrayRecordComponent") // a result, never compared
public record PairLogits(float[] itm, float[] biEncoder) {
  /** The answer for no pairs. */
  public static final PairLogits NONE = new PairLogits(new float[0], new float[0]);

  public PairLogits {
    if (itm.length != biEncoder.length) {
      throw new IllegalArgumentException(
          itm.length + " matching logits but " + biEncoder.length + " bi-encoder logits");
    }
  }
}
