/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code generate-pairs}: generated scenes as a radar, an optical sensor and a camera see them. */
@Command(
    name = "generate-pairs",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Writes generated scenes as GeoTIFFs, radar (VV, VH) and optical (10 bands), and as pictures:"
            + " s1/*.tif, s2/*.tif, rgb/*.png, with labels in pairs.csv, which train-sensors reads,"
            + " and with captions in s1.json, s2.json and rgb.json, which evaluate reads.")
final class GeneratePairsCommand implements Callable<Integer> {
  @Option(names = "--out", required = true, description = "an empty folder, or a new one")
  private Path out;

  @Option(names = "--train", defaultValue = "1000", description = "training pairs")
  private int train;

  @Option(names = "--val", defaultValue = "200", description = "validation pairs")
  private int val;

  @Option(names = "--test", defaultValue = "200", description = "test pairs")
  private int test;

  @Option(names = "--seed", defaultValue = "1", description = "the same gives the same pairs")
  private long seed;

  @Option(names = "--size", defaultValue = "80", description = "side of a tile in pixels")
  private int size;

  @Override
  public Integer call() throws Exception {
    SceneDatasetWriter.Config config =
        new SceneDatasetWriter.Config(train, val, test, seed, size, 0);
    if (!SceneDatasetWriter.isFree(out)) {
      throw new IllegalArgumentException(out + " is not an empty folder; name another one");
    }
    if (System.getProperty("java.awt.headless") == null) {
      System.setProperty("java.awt.headless", "true");
    }
    Path table;
    try (ProgressBar bar = new ProgressBar("generate", config.total())) {
      table = new ScenePairsWriter(config).write(out, bar::step);
    }
    System.out.println("wrote " + config.total() + " pairs: " + table);
    return 0;
  }
}
