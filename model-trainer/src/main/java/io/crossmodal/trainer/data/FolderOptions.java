/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.bundle.Sha256;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Options for what labelled folders leave open: how a class becomes captions, and which images
 * train.
 *
 * @param templates captions of every image, at least one, each with {@value #CLASS} where the name
 *     of the class goes
 * @param shares of the three splits, in each class
 * @param seed the same seed gives the same split
 */
public record FolderOptions(List<String> templates, Split.Shares shares, long seed) {
  /** Stands for the name of the class. */
  public static final String CLASS = "{class}";

  /** Five, as the captioned data sets have five captions an image. */
  public static final List<String> TEMPLATES =
      List.of(
          "an aerial photograph of {class}",
          "a satellite image of {class}",
          "a remote-sensing picture of {class}",
          "an overhead view of {class}",
          "{class} seen from above");

  /** What is used where nothing else is said. */
  public static final FolderOptions DEFAULT = new FolderOptions(TEMPLATES, Split.Shares.DEFAULT, 1);

  public FolderOptions {
    Objects.requireNonNull(shares, "shares");
    templates = List.copyOf(templates);
    if (templates.isEmpty()) {
      throw new IllegalArgumentException("at least one caption template is needed, got none");
    }
    for (String template : templates) {
      if (!template.contains(CLASS)) {
        throw new IllegalArgumentException(
            "a caption template must hold " + CLASS + ", got \"" + template + "\"");
      }
    }
  }

  /** Returns the captions of a class, by the name of its folder or its label. */
  List<DatasetBuilder.Caption> captions(String label) {
    String readable = PictureFiles.className(label);
    return templates.stream()
        .map(template -> template.replace(CLASS, readable))
        .map(caption -> new DatasetBuilder.Caption(label, Optional.of(caption)))
        .toList();
  }

  /**
   * Returns the split of an image, by its name and the seed and nothing else: images can be added
   * or taken away, and no other changes its split. The price is that the shares hold on average
   * only.
   */
  Split split(String file) {
    byte[] key = (seed + " " + file).getBytes(StandardCharsets.UTF_8);
    return shares.at((ByteBuffer.wrap(Sha256.digest().digest(key)).getLong() >>> 11) * 0x1p-53);
  }
}
