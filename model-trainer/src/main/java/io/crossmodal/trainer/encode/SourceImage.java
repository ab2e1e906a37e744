/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.io.Serializable;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A picture to encode, and what is known of it without opening it. Serialised, it names its files
 * by absolute paths, for a process that runs elsewhere.
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
    Optional<Instant> acquired)
    implements Serializable {

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

  private Object writeReplace() {
    return new Serialised(
        path,
        files.stream().map(file -> file.toAbsolutePath().toString()).toList(),
        captions,
        sceneClass.orElse(null),
        labels,
        acquired.orElse(null));
  }

  /** As it is serialised: of what {@link Serializable} knows. */
  private record Serialised(
      String path,
      List<String> files,
      List<String> captions,
      String sceneClass,
      List<String> labels,
      Instant acquired)
      implements Serializable {
    private Object readResolve() {
      return new SourceImage(
          path,
          files.stream().map(Path::of).toList(),
          captions,
          Optional.ofNullable(sceneClass),
          labels,
          Optional.ofNullable(acquired));
    }
  }

  /** Returns the file, or folder of files, to name in messages. */
  Path place() {
    return files.size() == 1 ? files.get(0) : files.get(0).getParent();
  }
}
