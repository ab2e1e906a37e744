/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A picture to encode, and what is known of it without opening it.
 *
 * @param path as its source names it
 * @param files where it lies: a picture file, or three GeoTIFFs with the bands red, green and blue
 *     of a Sentinel-2 patch
 * @param captions none, one or several
 * @param sceneClass what the name of its folder says it shows
 * @param labels what an annotation says it shows
 * @param acquired when it was taken
 */
public record SourceImage(
    String path,
    List<Path> files,
    List<String> captions,
    Optional<String> sceneClass,
    List<String> labels,
    Optional<Instant> acquired) {

  public SourceImage {
    Objects.requireNonNull(path, "path");
    files = List.copyOf(files);
    if (files.size() != 1 && files.size() != 3) {
      throw new IllegalArgumentException(path + " must be one file or three, got " + files);
    }
    captions = List.copyOf(captions);
    Objects.requireNonNull(sceneClass, "sceneClass");
    labels = List.copyOf(labels);
    Objects.requireNonNull(acquired, "acquired");
  }

  /** Returns a picture file. */
  static SourceImage of(
      String path, Path file, List<String> captions, Optional<String> sceneClass) {
    return new SourceImage(path, List.of(file), captions, sceneClass, List.of(), Optional.empty());
  }

  /** Returns the file, or folder of files, to name in messages. */
  Path place() {
    return files.size() == 1 ? files.get(0) : files.get(0).getParent();
  }
}
