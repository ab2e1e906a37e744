/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code generate-pairs}: generated scenes as a radar, an optical sensor and a camera see them. */
@Command(
    name = "generate-pairs",
    mixinStandardHelpOptions = true,
    modelTransformer = RecordOptions.Transformer.class,
    showDefaultValues = true,
    description =
        "Writes generated scenes as GeoTIFFs, radar (VV, VH) and optical (10 bands), and as"
            + " pictures: s1/*.tif, s2/*.tif, rgb/*.png, with labels in pairs.csv, which"
            + " train-sensors reads, and with captions in s1.json, s2.json and rgb.json, which"
            + " evaluate reads.")
final class GeneratePairsCommand implements Callable<Integer>, RecordOptions.Holder {
  @Option(names = "--out", required = true, description = "an empty folder, or a new one")
  private Path out;

  private final RecordOptions given = new RecordOptions(SceneDatasetWriter.Config.class, "PAIRS");

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  @Override
  public Integer call() throws Exception {
    SceneDatasetWriter.Config config =
        given.applyTo(SceneDatasetWriter.Config.class, "PAIRS", Map.of("twins", 0));
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
