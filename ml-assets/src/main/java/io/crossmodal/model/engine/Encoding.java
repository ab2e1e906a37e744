/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import io.crossmodal.model.tokens.TokenBlock;
import java.util.Arrays;
import java.util.List;

/**
 * What a tower makes of one text or image.
 *
 * @param tokens (N or M, H), for the fusion encoder
 * @param embedding D values of unit length, for recall; live, treat as read-only
 */
@SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
public record Encoding(TokenBlock tokens, float[] embedding) {
  /**
   * Returns these tokens with the mean direction of other embeddings, as CLIP's prompts are
   * averaged.
   *
   * @param others at least one
   */
  public Encoding withMeanOf(List<Encoding> others) {
    double[] sum = new double[embedding.length];
    for (Encoding other : others) {
      for (int i = 0; i < sum.length; i++) {
        sum[i] += other.embedding[i];
      }
    }
    double norm = Math.sqrt(Arrays.stream(sum).map(value -> value * value).sum());
    float[] mean = new float[sum.length];
    for (int i = 0; i < mean.length; i++) {
      mean[i] = (float) (sum[i] / Math.max(norm, 1e-6));
    }
    return new Encoding(tokens, mean);
  }
}
