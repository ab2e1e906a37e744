/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.fusion.FusionOptions;
import io.crossmodal.trainer.fusion.FusionTraining;
import io.crossmodal.trainer.train.TrainingRun;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code train-fusion}: a fusion encoder for the towers of a bundle, which stay as they are. */
@Command(
    name = "train-fusion",
    mixinStandardHelpOptions = true,
    modelTransformer = RecordOptions.Transformer.class,
    showDefaultValues = true,
    description =
        "Trains the fusion encoder of a bundle to order the bi-encoder's own first answers; towers"
            + " and bi-encoder stay as they are. Run again with the same options, it resumes."
            + " Calibrate the result with export.")
final class TrainFusionCommand implements Callable<Integer>, RecordOptions.Holder {
  @Mixin private DatasetArguments data;

  @Option(names = "--bundle", required = true, description = "the model with the towers")
  private Path bundle;

  @Option(names = "--run", required = true, description = "run folder, made where it is absent")
  private Path run;

  @Option(names = "--id", defaultValue = "model", description = "id of the model in its bundle")
  private String id;

  @Option(
      names = "--cache",
      paramLabel = "FOLDER",
      description =
          "where features of the towers are kept, which other runs over the same pictures share;"
              + " default: the run folder")
  private Path cache;

  private final RecordOptions given = new RecordOptions(FusionOptions.class, "DEFAULTS");

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  @Override
  public Integer call() throws Exception {
    ModelManifest.checkId(id);
    FusionOptions options = given.applyTo(FusionOptions.defaults());
    CaptionedDataset dataset = data.read();
    FusionTraining training = FusionTraining.open(run, options, ModelBundle.read(bundle), cache);
    ModelBundle trained;
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", options.steps())) {
      trained =
          training.train(
              dataset,
              id,
              new RunProgress(bar, interruption, pictures -> data.report(dataset, pictures)));
    }
    Path file = run.resolve("model.zip");
    BundleWriter.write(trained, file, TrainingRun.goldenTexts(dataset));
    System.out.println("wrote " + file + "; calibrate it with export");
    return 0;
  }
}
