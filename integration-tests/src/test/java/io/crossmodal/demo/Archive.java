/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.SceneRenderer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The pictures that the demo indexes.
 *
 * @param images the pictures; without captions where the folder has no data set
 * @param captioned whether the captions describe the pictures
 */
record Archive(List<CaptionedImage> images, boolean captioned) {
  /** Never the seed of the shipped model's training scenes. */
  private static final long SEED = 2026;

  private static final double TWINS = 0.3;
  private static final int PROBLEMS = 100;

  /** Scenes that no model has seen, written below {@code folder}. */
  static Archive generated(Path folder, int count) throws IOException, InterruptedException {
    SceneDatasetWriter writer =
        new SceneDatasetWriter(
            new SceneDatasetWriter.Config(0, 0, count, SEED, SceneRenderer.DEFAULT_SIZE, TWINS));
    Path json = writer.write(folder, Runtime.getRuntime().availableProcessors(), () -> {});
    return new Archive(KarpathyReader.read(json).images(), true);
  }

  /**
   * Returns the pictures of a folder, with the captions of a Karpathy JSON in or beside it.
   *
   * @param count pictures at most, spread evenly over those there are
   */
  static Archive of(Path folder, int count) throws IOException {
    if (!Files.isDirectory(folder)) {
      throw new IllegalArgumentException(
          "-Ddemo.images names " + folder + ", which is no folder of pictures");
    }
    Path images = Files.isDirectory(folder.resolve("images")) ? folder.resolve("images") : folder;
    Optional<CaptionedDataset> dataset = dataset(folder, images);
    if (dataset.isEmpty() && !images.equals(folder.toAbsolutePath().getParent())) {
      dataset = dataset(folder.toAbsolutePath().getParent(), images);
    }
    if (dataset.isPresent()) {
      return new Archive(spread(dataset.get().images(), count), true);
    }
    List<CaptionedImage> plain = new ArrayList<>();
    try (Stream<Path> files = Files.list(images)) {
      for (Path file : files.sorted().filter(Archive::isPicture).toList()) {
        String name = file.getFileName().toString();
        plain.add(new CaptionedImage(name, file, plain.size(), Split.TEST, List.of(name)));
      }
    }
    if (plain.isEmpty()) {
      throw new IllegalArgumentException(folder + " holds no .jpg, .png or .tif");
    }
    return new Archive(spread(plain, count), false);
  }

  private static Optional<CaptionedDataset> dataset(Path folder, Path images) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path json : files.filter(f -> f.toString().endsWith(".json")).sorted().toList()) {
        try {
          return Optional.of(KarpathyReader.read(json, images, PROBLEMS));
        } catch (InvalidDatasetException e) {
          System.out.println(
              json + " gives no captions: " + e.getMessage().lines().findFirst().orElse(""));
        }
      }
    }
    return Optional.empty();
  }

  private static List<CaptionedImage> spread(List<CaptionedImage> all, int count) {
    int kept = Math.min(count, all.size());
    List<CaptionedImage> images = new ArrayList<>();
    for (int i = 0; i < kept; i++) {
      images.add(all.get((int) ((long) i * all.size() / kept)));
    }
    return images;
  }

  private static boolean isPicture(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return name.endsWith(".jpg")
        || name.endsWith(".jpeg")
        || name.endsWith(".png")
        || name.endsWith(".tif")
        || name.endsWith(".tiff");
  }
}
