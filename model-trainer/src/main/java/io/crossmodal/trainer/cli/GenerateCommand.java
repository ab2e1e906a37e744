/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code generate}: writes a data set of generated scenes. */
@Command(
    name = "generate",
    mixinStandardHelpOptions = true,
    modelTransformer = RecordOptions.Transformer.class,
    sortOptions = false,
    description = {
      "Writes a data set of generated remote-sensing-like scenes with five captions each:",
      "images/*.jpg and dataset.json (Karpathy style), which train and evaluate read."
    })
final class GenerateCommand implements Callable<Integer>, RecordOptions.Holder {

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The folder to write to; made where there is none.")
  private Path out;

  @Option(
      names = "--threads",
      description = "Threads (default: one per processor). The bytes do not depend on it.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--overwrite",
      description = "Replace the data set that is in the folder already.")
  private boolean overwrite;

  private final RecordOptions given = new RecordOptions(SceneDatasetWriter.Config.class, "IMAGES");

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    SceneDatasetWriter.Config config;
    SceneDatasetWriter writer;
    try {
      config = given.applyTo(SceneDatasetWriter.Config.class, "IMAGES", Map.of());
      writer = new SceneDatasetWriter(config);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
    if (threads < 1) {
      throw new ParameterException(
          spec.commandLine(), "threads must be at least 1, got " + threads);
    }
    if (!overwrite && !SceneDatasetWriter.isFree(out)) {
      throw new ParameterException(
          spec.commandLine(),
          out + " is not an empty folder; name another one, or add --overwrite");
    }
    // Off-screen drawing needs no display: without this a DISPLAY that cannot be reached is an
    // error.
    if (System.getProperty("java.awt.headless") == null) {
      System.setProperty("java.awt.headless", "true");
    }
    Path json;
    try (ProgressBar bar =
        new ProgressBarBuilder()
            .setTaskName("generate")
            .setInitialMax(config.total())
            .setUpdateIntervalMillis(500)
            .build()) {
      json = writer.write(out, threads, bar::step);
    }
    spec.commandLine().getOut().println("wrote " + config.total() + " scenes: " + json);
    return 0;
  }
}
