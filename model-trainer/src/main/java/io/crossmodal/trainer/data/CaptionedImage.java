/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * One image with its captions.
 *
 * @param filename as the data set names it
 * @param file where it lies
 * @param imageId unique within the data set: its own number, or where it has none, counted from 0
 * @param captions at least one, none blank, as published
 */
public record CaptionedImage(
    String filename, Path file, int imageId, Split split, List<String> captions) {

  public CaptionedImage {
    Objects.requireNonNull(filename, "filename");
    Objects.requireNonNull(file, "file");
    Objects.requireNonNull(split, "split");
    captions = List.copyOf(captions);
    if (captions.isEmpty()) {
      throw new IllegalArgumentException(filename + " has no caption; at least one is needed");
    }
  }
}
