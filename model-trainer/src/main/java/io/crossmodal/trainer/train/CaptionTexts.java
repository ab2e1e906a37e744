/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The distinct captions of an image as word pieces, in three arrays: a training holds those of
 * every image, and a million captions as objects would weigh several times as much.
 *
 * @param ids of all captions, one after the other
 * @param ends where each ends in {@code ids}
 * @param keys their numbers: equal, over all images, where they are equal letter by letter
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record CaptionTexts(int[] ids, int[] ends, int[] keys) {
  /** Tokenises the captions of images, in their order. */
  static CaptionTexts[] of(List<CaptionedImage> images, WordPieceTokenizer tokenizer) {
    Map<String, Integer> numbers = new HashMap<>();
    return images.stream()
        .map(image -> of(byKey(image.captions()), tokenizer, numbers))
        .toArray(CaptionTexts[]::new);
  }

  private static CaptionTexts of(
      Map<String, String> byKey, WordPieceTokenizer tokenizer, Map<String, Integer> numbers) {
    IntStream.Builder ids = IntStream.builder();
    int[] ends = new int[byKey.size()];
    int[] keys = new int[byKey.size()];
    int at = 0;
    int end = 0;
    for (Map.Entry<String, String> caption : byKey.entrySet()) {
      int[] own = tokenizer.tokenize(caption.getValue()).ids();
      Arrays.stream(own).forEach(ids);
      end += own.length;
      ends[at] = end;
      keys[at] = numbers.computeIfAbsent(caption.getKey(), k -> numbers.size());
      at++;
    }
    return new CaptionTexts(ids.build().toArray(), ends, keys);
  }

  /** Returns the captions that differ by more than case and punctuation, in their order. */
  static Map<String, String> byKey(List<String> captions) {
    Map<String, String> byKey = new LinkedHashMap<>();
    captions.forEach(caption -> byKey.putIfAbsent(CaptionedDataset.captionKey(caption), caption));
    return byKey;
  }

  /** Returns how many there are. */
  int count() {
    return ends.length;
  }

  /** Returns N of a caption. */
  int length(int caption) {
    return ends[caption] - start(caption);
  }

  /** Returns the word pieces of a caption; a copy. */
  int[] ids(int caption) {
    return Arrays.copyOfRange(ids, start(caption), ends[caption]);
  }

  private int start(int caption) {
    return caption == 0 ? 0 : ends[caption - 1];
  }
}
