/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.ImageFormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Files beside a TIFF without which it would show more than it has, or lie nowhere. */
final class Sidecars {
  private static final List<String> MASKS = List.of(".msk", ".MSK");

  /** In the place of the file's own suffix: world files and coefficients. */
  private static final List<String> PLACES =
      List.of(".tfw", ".TFW", ".tifw", ".TIFW", ".wld", ".WLD", "_RPC.TXT", "_rpc.txt", ".RPB");

  private Sidecars() {}

  /** Returns the name of a mask that hides a part of the scene. */
  static Optional<String> mask(Path path) {
    Path name = path.toAbsolutePath();
    return first(MASKS.stream().map(suffix -> Path.of(name + suffix)));
  }

  /** Returns the name of a file that perhaps says where a scene lies that does not say it. */
  static Optional<String> place(Path path, RasterFile scene) {
    if (!isNowhere(scene)) {
      return Optional.empty();
    }
    Path name = path.toAbsolutePath();
    String stem = name.toString().replaceFirst("\\.[^./\\\\]*$", "");
    return first(
        Stream.concat(
            Stream.of(Path.of(name + ".aux.xml")),
            PLACES.stream().map(suffix -> Path.of(stem + suffix))));
  }

  private static Optional<String> first(Stream<Path> files) {
    return files
        .filter(Files::isRegularFile)
        .findFirst()
        .map(file -> file.getFileName().toString());
  }

  private static boolean isNowhere(RasterFile scene) {
    try {
      return scene.place().isEmpty();
    } catch (ImageFormatException e) {
      // It says so in a way that is told where the place is asked for.
      return false;
    }
  }
}
