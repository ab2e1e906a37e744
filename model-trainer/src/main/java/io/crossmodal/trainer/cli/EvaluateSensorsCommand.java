/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import com.google.gson.GsonBuilder;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.report.ModelCard;
import io.crossmodal.trainer.sensors.SensorEvaluation;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.OptionRecords;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

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
      description =
          "pixels of the tiles of untrained models and of the descriptor; default: the first"
              + " bundle's, or 64")
  private Integer side;

  @Option(
      names = "--all-test",
      description =
          "every row of the CSV is a test pair: for a file of pairs that nobody trained on, without"
              + " a column split")
  private boolean allTest;

  @Option(names = "--json", description = "file to write the rows to")
  private Path json;

  @Option(
      names = "--card",
      description = "file to write the model card of the only --bundle to, in Markdown")
  private Path card;

  @Option(
      names = "--licence",
      defaultValue = "not stated",
      description = "of data and weights, for the model card")
  private String licence;

  @Spec private CommandSpec command;

  @Override
  public Integer call() throws Exception {
    if (card != null && bundles.size() != 1) {
      throw new ParameterException(
          command.commandLine(),
          "--card is of one model, got " + bundles.size() + " bundles: give one --bundle");
    }
    List<ModelBundle> models = new ArrayList<>();
    for (Path file : bundles) {
      models.add(ModelBundle.read(file));
    }
    List<SensorConfig> known =
        models.isEmpty() ? List.of() : models.get(0).manifest().config().sensors();
    PairDataset dataset = data.readAs(allTest ? Split.TEST : null, known);
    int pixels =
        side == null && !known.isEmpty()
            ? models.get(0).manifest().config().sensor(dataset.first().name()).imageSize()
            : side == null ? SensorOptions.Preset.CONVOLUTIONAL.imageSize() : side;
    try (SensorEvaluation evaluation = new SensorEvaluation(dataset)) {
      for (ModelBundle model : models) {
        add(evaluation, model);
      }
      for (long seed : untrained) {
        add(
            evaluation,
            SensorTraining.untrained(
                dataset,
                OptionRecords.with(
                    SensorOptions.Recipe.SCRATCH.options(),
                    Map.of("seed", seed, "image_size", pixels)),
                "untrained-" + seed));
      }
      evaluation.addDescriptor(pixels);
      System.out.print(evaluation.markdown());
      if (json != null) {
        Files.writeString(
            json,
            new GsonBuilder()
                    .serializeSpecialFloatingPointValues()
                    .create()
                    .toJson(evaluation.rows())
                + "\n");
      }
      if (card != null) {
        ModelManifest manifest = models.get(0).manifest();
        Files.writeString(card, ModelCard.ofSensors(manifest, dataset, evaluation.rows(), licence));
        System.err.println("wrote " + card);
      }
    }
    return 0;
  }

  private static void add(SensorEvaluation evaluation, ModelBundle bundle) throws Exception {
    try (BundleModel model = BundleModel.of(bundle)) {
      evaluation.add(bundle.manifest().id(), model.model());
    }
  }
}
