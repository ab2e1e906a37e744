/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A picture to encode, and what is known of it without opening it.
 *
 * @param path as its source names it
 * @param file where it lies
 * @param captions none, one or several
 * @param sceneClass what the name of its folder says it shows
 */
public record SourceImage(
    String path, Path file, List<String> captions, Optional<String> sceneClass) {

  public SourceImage {
    Objects.requireNonNull(path, "path");
    Objects.requireNonNull(file, "file");
    captions = List.copyOf(captions);
    Objects.requireNonNull(sceneClass, "sceneClass");
  }
}
