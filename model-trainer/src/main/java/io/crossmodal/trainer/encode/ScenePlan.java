/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.raster.RasterFile;
import io.crossmodal.trainer.raster.Rasters;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/**
 * What is done with a scene.
 *
 * @param image it
 * @param files that it is read from; none where it lies elsewhere
 * @param classes its classification, where clouds are looked at by one
 * @param place empty where it is not known
 * @param grid of its chips
 * @param level overview that is read
 * @param resolution metres along a pixel that it is cut at
 * @param acquired when it was taken, by its header or its name
 * @param stamp names its files, their sizes and their times
 * @param part of it that is cut
 */
record ScenePlan(
    SourceImage image,
    List<Path> files,
    Optional<Path> classes,
    Optional<Georeference> place,
    Cutting.Grid grid,
    int level,
    OptionalDouble resolution,
    Optional<Instant> acquired,
    String stamp,
    Part part) {
  /**
   * Chips of a scene that are cut, by their numbers.
   *
   * @param from the first
   * @param to behind the last
   * @param content digest of the scene's bytes; null where it is not known yet
   */
  record Part(int from, int to, String content) {}

  /** Returns the same, of which another part is cut. */
  ScenePlan with(Part other) {
    return new ScenePlan(
        image, files, classes, place, grid, level, resolution, acquired, stamp, other);
  }

  /** Returns how many chips are cut. */
  int chips() {
    return part.to - part.from;
  }

  /**
   * Reads a scene's header.
   *
   * @param classes its classification, where that does not lie beside it
   * @param unplaced told why it is cut without a place, though it says that it has one
   * @throws IllegalArgumentException when it cannot be cut so
   */
  static ScenePlan read(
      SourceImage image,
      Optional<Path> classes,
      Rasters rasters,
      Cutting cutting,
      PictureReader reader,
      Consumer<String> unplaced)
      throws IOException {
    Path path = image.files().get(0);
    try (RasterFile scene = rasters.open(path)) {
      reader.check(scene.raster());
      Optional<Georeference> place = Optional.empty();
      Optional<Geolocation.Pixel> pixel = Optional.empty();
      try {
        place = scene.place();
        pixel = place.map(found -> reader.ground(found).pixel());
      } catch (IllegalArgumentException e) {
        if (cutting.needsGround()) {
          throw e;
        }
        place = Optional.empty();
        unplaced.accept(path + ": " + e.getMessage());
      }
      Optional<Path> found =
          cutting.clouds().isEmpty()
              ? Optional.empty()
              : cutting.clouds().get().find(path, classes, scene, rasters);
      Cutting.Grid grid = cutting.grid(scene.raster().width(), scene.raster().height(), pixel);
      OptionalDouble resolution =
          cutting.resolution().isPresent() || pixel.isEmpty()
              ? cutting.resolution()
              : OptionalDouble.of(pixel.get().side());
      StringBuilder stamp = new StringBuilder(image.path());
      for (Path file : scene.files()) {
        stamp.append(PictureFile.stamp(file));
      }
      return new ScenePlan(
          image,
          scene.files(),
          found,
          place,
          grid,
          scene.raster().level(grid.scale()),
          resolution,
          scene.acquired().or(() -> Acquired.of(path)),
          stamp.toString(),
          new Part(0, grid.size(), null));
    }
  }

  Path path() {
    return image.files().get(0);
  }

  /**
   * Returns the digest of the scene's bytes, which are read; of one that lies elsewhere, its name.
   */
  String content() throws IOException {
    if (files.size() == 1) {
      return Sha256.hex(files.get(0));
    }
    StringBuilder all = new StringBuilder();
    for (Path file : files) {
      all.append(Sha256.hex(file)).append(' ');
    }
    if (files.isEmpty()) {
      all.append(path()).append(' ').append(grid.width()).append(' ').append(grid.height());
    }
    return ContentId.digest("scene", List.of(all.toString().getBytes(StandardCharsets.UTF_8)));
  }
}
