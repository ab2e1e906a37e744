/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import com.google.gson.GsonBuilder;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.sensors.SensorEvaluation;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.OptionRecords;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code evaluate-sensors}: the four directions of two sensors, models beside baselines. */
@Command(
    name = "evaluate-sensors",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Measures retrieval between two sensors: paired recall, and by label sets where there are"
            + " labels. An untrained model and a texture descriptor stand beside.")
final class EvaluateSensorsCommand implements Callable<Integer> {
  @Mixin private PairArguments data;

  @Option(
      names = "--bundle",
      description = "a model's bundle, named in the table by its id; may be repeated")
  private List<Path> bundles = List.of();

  @Option(names = "--untrained", split = ",", description = "seeds of untrained models")
  private List<Long> untrained = List.of(1L);

  @Option(
      names = "--side",
      defaultValue = "64",
      description = "pixels of the tiles of untrained models and of the descriptor")
  private int side;

  @Option(names = "--json", description = "file to write the rows to")
  private Path json;

  @Override
  public Integer call() throws Exception {
    PairDataset dataset = data.read();
    SensorEvaluation evaluation = new SensorEvaluation(dataset);
    for (Path file : bundles) {
      add(evaluation, ModelBundle.read(file));
    }
    for (long seed : untrained) {
      add(
          evaluation,
          SensorTraining.untrained(
              dataset,
              OptionRecords.with(SensorOptions.scratch(), Map.of("seed", seed, "image_size", side)),
              "untrained-" + seed));
    }
    evaluation.addDescriptor(side);
    System.out.print(evaluation.markdown());
    if (json != null) {
      Files.writeString(
          json,
          new GsonBuilder().serializeSpecialFloatingPointValues().create().toJson(evaluation.rows())
              + "\n");
    }
    return 0;
  }

  private static void add(SensorEvaluation evaluation, ModelBundle bundle) throws Exception {
    try (LoadedModel model = LoadedModel.of(bundle)) {
      evaluation.add(bundle.manifest().id(), model.model());
    }
  }
}
