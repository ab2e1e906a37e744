/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Which texts are right for which images of a split.
 *
 * <p>Strict counts only an image's own captions; duplicate-aware counts every image that has the
 * caption, letter by letter, among its own (in RSICD's test split 11.7 % of the captions describe
 * several images).
 */
final class Relevance {
  /** Per text the image that it was written for. */
  private final int[] owner;

  private final List<String> textKeys = new ArrayList<>();
  private final List<Set<String>> imageKeys = new ArrayList<>();

  Relevance(List<CaptionedImage> split) {
    List<Integer> owners = new ArrayList<>();
    for (int i = 0; i < split.size(); i++) {
      Set<String> keys = new HashSet<>();
      for (String caption : split.get(i).captions()) {
        String key = CaptionedDataset.captionKey(caption);
        textKeys.add(key);
        keys.add(key);
        owners.add(i);
      }
      imageKeys.add(keys);
    }
    this.owner = owners.stream().mapToInt(Integer::intValue).toArray();
  }

  int owner(int text) {
    return owner[text];
  }

  boolean right(int image, int text, boolean aware) {
    return aware ? imageKeys.get(image).contains(textKeys.get(text)) : owner[text] == image;
  }

  /** Of queries of one modality over the other. */
  Candidates.Right of(boolean imageQueries, boolean aware) {
    return imageQueries
        ? (image, text) -> right(image, text, aware)
        : (text, image) -> right(image, text, aware);
  }
}
