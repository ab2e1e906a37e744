/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.crossmodal.model.tokens.Tokens;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Locale;

/** Tokens of several texts or images as one array, and the sizes that such arrays have. */
final class TokenBatches {
  private TokenBatches() {}

  /**
   * Makes one (B, N, H) array of blocks, zeros behind a block's end.
   *
   * @param n tokens of the longest, at least
   * @throws IllegalArgumentException when a block has another width than H
   */
  static NDArray stack(TorchModel.Call call, List<? extends Tokens> blocks, int n, int h) {
    return call.array(
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer values = bytes.asFloatBuffer();
          for (int b = 0; b < blocks.size(); b++) {
            Tokens block = blocks.get(b);
            if (block.hidden() != h) {
              throw new IllegalArgumentException(
                  String.format(
                      Locale.ROOT, "the model's tokens have %d values, got %d", h, block.hidden()));
            }
            int end = (b + 1) * n * h;
            block.writeTo(values.position(b * n * h));
            for (int i = b * n * h + block.count() * h; i < end; i++) {
              values.put(i, 0);
            }
          }
        },
        blocks.size(),
        n,
        h);
  }

  /** Makes a (B, N) mask: 1 for a token, 0 behind an item's end. */
  static NDArray mask(TorchModel.Call call, int[] lengths, int n) {
    return call.array(
        DataType.FLOAT32,
        bytes -> {
          FloatBuffer values = bytes.asFloatBuffer();
          for (int length : lengths) {
            for (int i = 0; i < n; i++) {
              values.put(i < length ? 1 : 0);
            }
          }
        },
        lengths.length,
        n);
  }

  /** Returns B, where these lists can be paired. */
  static int pairs(List<? extends Tokens> texts, List<? extends Tokens> images) {
    int pairs = Math.max(texts.size(), images.size());
    if ((texts.size() != 1 && texts.size() != pairs)
        || (images.size() != 1 && images.size() != pairs)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "cannot pair %d texts with %d images", texts.size(), images.size()));
    }
    imageTokens(images);
    return pairs;
  }

  /** Returns M of images that fit into one array. */
  static int imageTokens(List<? extends Tokens> images) {
    int m = images.get(0).count();
    if (images.stream().anyMatch(image -> image.count() != m)) {
      throw new IllegalArgumentException("images of one batch must have equally many tokens");
    }
    return m;
  }

  static int longest(List<? extends Tokens> blocks) {
    return blocks.stream().mapToInt(Tokens::count).max().orElseThrow();
  }

  static int[] lengths(List<? extends Tokens> blocks) {
    return blocks.stream().mapToInt(Tokens::count).toArray();
  }

  /** Returns a piece's share of blocks; one that all pairs share is in every piece. */
  static List<? extends Tokens> piece(List<? extends Tokens> blocks, int from, int to) {
    return blocks.size() == 1 ? blocks : blocks.subList(from, to);
  }
}
