/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.SceneRenderer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The pictures that benchmarks search. */
final class Scenes {
  private static final double TWINS = 0.3;

  private Scenes() {}

  /** Generates test scenes in a new folder below {@code work}. */
  static List<CaptionedImage> generate(Path work, int count, long seed)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory(Files.createDirectories(work), "scenes-");
    SceneDatasetWriter writer =
        new SceneDatasetWriter(
            new SceneDatasetWriter.Config(0, 0, count, seed, SceneRenderer.DEFAULT_SIZE, TWINS));
    Path json = writer.write(folder, Runtime.getRuntime().availableProcessors(), () -> {});
    return KarpathyReader.read(json).images();
  }
}
