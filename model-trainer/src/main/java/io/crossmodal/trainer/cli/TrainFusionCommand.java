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
        "Trains a fusion encoder to order the bi-encoder's own first answers: the one of a bundle,"
            + " or a new one over its towers, such as those of a CLIP; towers and bi-encoder stay"
            + " as they are. Run again with the same options, it resumes. Calibrate the result with"
            + " export.")
final class TrainFusionCommand implements Callable<Integer>, RecordOptions.Holder {
  @Mixin private DatasetArguments data;

  @Option(
      names = {"--bundle", "--head-on"},
      required = true,
      description = "the model with the towers, such as import --clip or train makes")
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
    ModelBundle towers = ModelBundle.read(bundle);
    FusionTraining training = FusionTraining.open(run, options, towers, cache);
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
    System.out.println(spaces(towers.manifest(), trained.manifest()));
    return 0;
  }

  /** Says what becomes of an index that was filled with the towers alone. */
  static String spaces(ModelManifest before, ModelManifest after) {
    if (!before.fingerprints().embeddingSpace().equals(after.fingerprints().embeddingSpace())) {
      return "its embeddings are not those of " + before.id() + ": it needs an id of its own";
    }
    return before.fingerprints().tokenSpace().equals(after.fingerprints().tokenSpace())
        ? "embeddings and tokens are those of "
            + before.id()
            + ": exported and deployed under that id it is its next version, and an index that"
            + " keeps tokens is encoded no second time"
        : "embeddings are those of "
            + before.id()
            + " and tokens are not, "
            + (after.config().tokenProjection() == null
                ? "their places learnt too"
                : "their projection is new")
            + ": an index needs new ones, and the model an id of its own";
  }
}
