/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.OptionRecords;
import io.crossmodal.trainer.train.Recipe;
import io.crossmodal.trainer.train.TrainingOptions;
import io.crossmodal.trainer.train.TrainingRun;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code train}: from a data set to a bundle in a run folder; run again, it resumes. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    modelTransformer = RecordOptions.Transformer.class,
    showDefaultValues = true,
    description =
        "Trains a model on a captioned data set. Run again with the same options, it resumes.")
final class TrainCommand implements Callable<Integer>, RecordOptions.Holder {
  @Mixin private DatasetArguments data;

  @Option(names = "--run", required = true, description = "run folder, made where it is absent")
  private Path run;

  @Option(names = "--id", defaultValue = "model", description = "id of the model in its bundle")
  private String id;

  @Option(
      names = "--recipe",
      description =
          "${COMPLETION-CANDIDATES}: gives every option below that is not given; default: SCRATCH,"
              + " with --init FINE_TUNE, whose rates keep what the weights have learnt")
  private Recipe recipe;

  @Option(
      names = "--init",
      paramLabel = "FROM",
      description =
          "starting weights with shape and vocabulary of their own: a bundle (.zip), or a folder"
              + " that import has made")
  private Path init;

  @Option(names = "--head-on", hidden = true)
  private Path headOn;

  @Option(
      names = "--cache",
      paramLabel = "FOLDER",
      description =
          "where features of the frozen part of the image tower are kept, which other runs over"
              + " the same pictures share; default: the run folder")
  private Path cache;

  @Option(names = "--epochs", description = "passes over all pairs of image and caption")
  private Double epochs;

  private final RecordOptions given =
      new RecordOptions(
          TrainingOptions.class,
          Arrays.stream(Recipe.values()).map(Recipe::name).toArray(String[]::new));

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  private Recipe recipe() {
    Recipe usual = init == null ? Recipe.SCRATCH : Recipe.FINE_TUNE;
    return recipe == null ? usual : recipe;
  }

  private TrainingOptions options(CaptionedDataset dataset) {
    if (given.has("steps") && epochs != null) {
      throw new IllegalArgumentException("--steps and --epochs exclude each other, give one");
    }
    if (recipe == Recipe.AERIAL && init == null) {
      throw new IllegalArgumentException(
          "recipe AERIAL freezes what is pretrained: give --init what import --preset AERIAL"
              + " makes");
    }
    TrainingOptions options = given.applyTo(recipe().options());
    if (given.has("steps")) {
      return options;
    }
    long pairs =
        dataset.split(Split.TRAIN).stream().mapToLong(image -> image.captions().size()).sum();
    int perStep = options.batch() * options.accumulate();
    double passes = epochs == null ? recipe().epochs() : epochs;
    return OptionRecords.with(options, Map.of("steps", Recipe.steps(passes, pairs, perStep)));
  }

  private TrainingRun startFrom(TrainingOptions options) throws IOException {
    if (given.has("preset")) {
      throw new IllegalArgumentException(
          "--preset and --init exclude each other: the starting weights have a shape");
    }
    InitialModel initial = InitialModel.read(init);
    System.out.print(initial.origin());
    return TrainingRun.openFrom(initial, run, options);
  }

  @Override
  public Integer call() throws Exception {
    ModelManifest.checkId(id);
    if (headOn != null) {
      throw new IllegalArgumentException(
          "a fusion encoder over towers that stay as they are has a command of its own:"
              + " train-fusion --head-on "
              + headOn
              + ", with --data and --run");
    }
    CaptionedDataset dataset = data.read();
    TrainingOptions options = options(dataset);
    TrainingRun training = init == null ? TrainingRun.open(run, options) : startFrom(options);
    training.cacheIn(cache);
    ModelBundle bundle;
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", options.steps())) {
      bundle =
          training.train(
              dataset,
              id,
              new RunProgress(bar, interruption, pictures -> data.report(dataset, pictures)) {
                @Override
                public void biEncoderTrained(ModelBundle biEncoder)
                    throws IOException, BundleException {
                  BundleWriter.write(
                      biEncoder, run.resolve("filter.zip"), TrainingRun.goldenTexts(dataset));
                }
              });
    }
    Path file = run.resolve("model.zip");
    BundleWriter.write(bundle, file, TrainingRun.goldenTexts(dataset));
    System.out.println("wrote " + file);
    if (options.tasks().itc() == 0) {
      System.out.println(
          "its bi-encoder is as random as it started (itc 0): run distill on it before export, or"
              + " no kNN search will find anything with it");
    }
    return 0;
  }
}
