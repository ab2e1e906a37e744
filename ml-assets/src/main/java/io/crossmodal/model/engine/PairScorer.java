/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.tokens.Tokens;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** The fusion encoder and the MLP filter: from tokens of texts and images to logits of pairs. */
final class PairScorer {
  /**
   * Memory of a score call beyond which a CPU computes it in pieces: what a layer hands to the next
   * should be in its caches still. See docs/results/serving.md for what that brings.
   */
  private static final long PIECE_BYTES = 24L << 20;

  private final TorchModel torch;
  private final ModelConfig config;

  PairScorer(TorchModel torch, ModelConfig config) {
    this.torch = torch;
    this.config = config;
  }

  /** See {@link FusionModel#score(List, List)}. */
  PairLogits score(List<? extends Tokens> texts, List<? extends Tokens> images) {
    if (texts.isEmpty() || images.isEmpty()) {
      return PairLogits.NONE;
    }
    int[] textOf = new int[TokenBatches.pairs(texts, images)];
    if (texts.size() > 1) {
      Arrays.setAll(textOf, b -> b);
    }
    return score(texts, textOf, images);
  }

  /** See {@link FusionModel#score(List, int[], List)}. */
  PairLogits score(List<? extends Tokens> texts, int[] textOf, List<? extends Tokens> images) {
    config.requireFusion("score");
    int pairs = textOf.length;
    if (pairs == 0) {
      return PairLogits.NONE;
    }
    if (images.size() != 1 && images.size() != pairs) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "%d pairs need as many images or one, got %d", pairs, images.size()));
    }
    for (int text : textOf) {
      Objects.checkIndex(text, texts.size());
    }
    int n = TokenBatches.longest(texts);
    int m = TokenBatches.imageTokens(images);
    float[] itm = new float[pairs];
    float[] biEncoder = new float[pairs];
    torch.inPieces(
        pairs,
        // An image that all pairs share is read once.
        images.size() == 1 ? pairs : pairsInAPiece(pairs, n, m),
        bytesOfTokens(n) + bytesOfTokens(m),
        (call, from, to) -> {
          int[] used = Arrays.stream(textOf, from, to).distinct().toArray();
          long[] owners = new long[to - from];
          int[] place = new int[texts.size()];
          for (int i = 0; i < used.length; i++) {
            place[used[i]] = i;
          }
          Arrays.setAll(owners, i -> place[textOf[from + i]]);
          List<? extends Tokens> own = Arrays.stream(used).mapToObj(texts::get).toList();
          int longest = TokenBatches.longest(own);
          FloatBuffer z = // (B, 2)
              TorchModel.floats(
                  call.run(
                      "score",
                      stackTexts(call, own, longest),
                      TokenBatches.mask(call, TokenBatches.lengths(own), longest),
                      stackImages(call, TokenBatches.piece(images, from, to), m),
                      call.array(
                          DataType.INT64,
                          bytes -> bytes.asLongBuffer().put(owners),
                          owners.length)));
          for (int b = from; b < to; b++) {
            itm[b] = z.get();
            biEncoder[b] = z.get();
          }
        });
    return new PairLogits(itm, biEncoder);
  }

  /** See {@link FusionModel#scoreBytes}. */
  long scoreBytes(int pairs, int n, int m) {
    return Footprint.score(config, pairsInAPiece(pairs, n, m), n, m);
  }

  /** Returns how many of a score call's pairs are computed at once; a GPU has no use for few. */
  private int pairsInAPiece(int pairs, int n, int m) {
    long most = PIECE_BYTES / Footprint.score(config, 1, n, m);
    return torch.device().isGpu() ? pairs : (int) Math.max(1, Math.min(pairs, most));
  }

  /** See {@link FusionModel#preRank}, of a model that has an MLP filter. */
  float[] preRank(List<? extends Tokens> texts, List<? extends Tokens> images) {
    if (texts.isEmpty() || images.isEmpty()) {
      return new float[0];
    }
    int pairs = TokenBatches.pairs(texts, images);
    float[] logits = new float[pairs];
    torch.inPieces(
        pairs,
        bytesOfTokens(1),
        (call, from, to) -> {
          List<? extends Tokens> found = classTokens(TokenBatches.piece(images, from, to));
          List<? extends Tokens> asking = classTokens(TokenBatches.piece(texts, from, to));
          NDArray v = stackImages(call, found, 1).squeeze(1);
          NDArray w = stackTexts(call, asking, 1).squeeze(1);
          // Only texts are shared by the archive's method.
          v = images.size() == pairs ? v : v.broadcast(to - from, config.tokenWidth());
          FloatBuffer z = TorchModel.floats(call.run("filter_mlp", v, w)); // (B, 2)
          for (int b = from; b < to; b++) {
            float mismatch = z.get();
            logits[b] = z.get() - mismatch;
          }
        });
    return logits;
  }

  private static List<? extends Tokens> classTokens(List<? extends Tokens> blocks) {
    return blocks.stream().map(Tokens::classToken).toList();
  }

  /** See {@link FusionModel#attention}. */
  List<WordPatchWeights> attention(List<? extends Tokens> texts, List<? extends Tokens> images) {
    config.requireFusion("attention");
    if (texts.isEmpty() || images.isEmpty()) {
      return List.of();
    }
    int pairs = TokenBatches.pairs(texts, images);
    int longest = TokenBatches.longest(texts);
    int m = images.get(0).count();
    List<WordPatchWeights> tables = new ArrayList<>(pairs);
    torch.inPieces(
        pairs,
        Math.max(bytesOfTokens(longest + m), (long) Float.BYTES * longest * m),
        (call, from, to) -> {
          List<? extends Tokens> own = TokenBatches.piece(texts, from, to);
          int n = TokenBatches.longest(own);
          int[] lengths = TokenBatches.lengths(own);
          FloatBuffer weights = // (B, N, M)
              TorchModel.floats(
                  call.run(
                      "attention",
                      stackTexts(call, own, n),
                      TokenBatches.mask(call, lengths, n),
                      stackImages(call, TokenBatches.piece(images, from, to), m)));
          for (int b = 0; b < to - from; b++) {
            int length = lengths[lengths.length == 1 ? 0 : b];
            float[] rows = new float[length * m];
            weights.get(b * n * m, rows);
            tables.add(new WordPatchWeights(length, m, rows));
          }
        });
    return tables;
  }

  private NDArray stackTexts(TorchModel.Call call, List<? extends Tokens> blocks, int n) {
    return TokenBatches.stack(call, blocks, n, config.hidden());
  }

  private NDArray stackImages(TorchModel.Call call, List<? extends Tokens> blocks, int m) {
    return TokenBatches.stack(call, blocks, m, config.tokenWidth());
  }

  private long bytesOfTokens(int count) {
    return (long) Float.BYTES * count * config.hidden();
  }
}
