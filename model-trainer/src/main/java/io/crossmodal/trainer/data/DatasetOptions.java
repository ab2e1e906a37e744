/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * Which data set to read, and how.
 *
 * @param path a caption file, a folder of caption files, or a folder of labelled folders
 * @param images the folder that file names are relative to; empty for "images" beside the caption
 *     file, or the caption file's own folder where there is none
 * @param allowedProblems so many problems may be skipped, at reading and at decoding together: an
 *     empty caption is left out alone, any other problem leaves its image out; 0 makes each an
 *     error. The published RSICD has empty captions.
 * @param folders for labelled folders, and for COCO's captions that name no split; empty for {@link
 *     FolderOptions#DEFAULT}
 */
public record DatasetOptions(
    Path path, Optional<Path> images, int allowedProblems, Optional<FolderOptions> folders) {

  public DatasetOptions {
    Objects.requireNonNull(path, "path");
    Objects.requireNonNull(images, "images");
    Objects.requireNonNull(folders, "folders");
    if (allowedProblems < 0) {
      throw new IllegalArgumentException(
          "allowedProblems must be at least 0, got " + allowedProblems);
    }
  }

  /**
   * Returns the usual options: images in their usual place, no problem allowed, labelled folders
   * with the defaults.
   */
  public static DatasetOptions of(Path path) {
    return new DatasetOptions(path, Optional.empty(), 0, Optional.empty());
  }
}
