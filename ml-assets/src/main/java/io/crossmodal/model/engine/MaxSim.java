/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.ndarray.NDArray;
import io.crossmodal.model.tokens.Tokens;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Late interaction of images: MaxSim of ColBERT (Khattab and Zaharia 2020) over patch tokens, by
 * its mean.
 */
final class MaxSim {
  private final TorchModel torch;
  private final int hidden;

  /**
   * Makes a scorer.
   *
   * @param torch whose device computes it; its weights have no part
   * @param hidden values of a token
   */
  MaxSim(TorchModel torch, int hidden) {
    this.torch = torch;
    this.hidden = hidden;
  }

  /** See {@link FusionModel#maxSim}. */
  float[] score(List<? extends Tokens> queries, int[] queryOf, List<? extends Tokens> images) {
    if (images.size() != queryOf.length) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "%d pairs need as many images, got %d", queryOf.length, images.size()));
    }
    List<List<Integer>> pairsOf = new ArrayList<>();
    queries.forEach(query -> pairsOf.add(new ArrayList<>()));
    for (int b = 0; b < queryOf.length; b++) {
      pairsOf.get(Objects.checkIndex(queryOf[b], queries.size())).add(b);
    }
    float[] scores = new float[queryOf.length];
    for (int q = 0; q < queries.size(); q++) {
      List<Integer> pairs = pairsOf.get(q);
      if (!pairs.isEmpty()) {
        float[] own = score(queries.get(q), pairs.stream().map(images::get).toList());
        for (int i = 0; i < own.length; i++) {
          scores[pairs.get(i)] = own[i];
        }
      }
    }
    return scores;
  }

  /** One query (P patches) and B images (R patches): one product, so that nothing is padded. */
  private float[] score(Tokens query, List<? extends Tokens> images) {
    int r = TokenBatches.imageTokens(images) - 1;
    float[] scores = new float[images.size()];
    torch.inPieces(
        images.size(),
        (long) Float.BYTES * (r + 1) * hidden,
        (call, from, to) -> {
          NDArray asked = unitPatches(call, List.of(query)); // (P, H)
          NDArray found = unitPatches(call, images.subList(from, to)); // (B * R, H)
          NDArray cos = asked.matMul(found.transpose()).reshape(-1, to - from, r); // (P, B, R)
          NDArray best = cos.max(new int[] {2}).mean(new int[] {0}); // (B)
          TorchModel.floats(best).get(scores, from, to - from);
        });
    return scores;
  }

  /** The patch tokens of images at length 1, one below the other; zeros stay zeros. */
  private NDArray unitPatches(TorchModel.Call call, List<? extends Tokens> images) {
    int patches = TokenBatches.imageTokens(images) - 1;
    if (patches < 1) {
      throw new IllegalArgumentException("an image of one token has no patches to compare");
    }
    // (B, 1 + P, H), token 0 is [CLS]
    NDArray tokens = TokenBatches.stack(call, images, patches + 1, hidden);
    return tokens.get(":, 1:").reshape(-1, hidden).normalize(2, 1);
  }
}
