/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.Recipe;
import io.crossmodal.trainer.train.TrainingOptions;
import io.crossmodal.trainer.train.TrainingRun;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code train}: from a data set to a bundle in a run folder; run again, it resumes. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Trains a model on a captioned data set. Run again with the same options, it resumes.")
final class TrainCommand implements Callable<Integer> {
  @Mixin private DatasetArguments data;

  @Option(names = "--run", required = true, description = "run folder, made where it is absent")
  private Path run;

  @Option(names = "--id", defaultValue = "model", description = "id of the model in its bundle")
  private String id;

  @Option(
      names = "--recipe",
      defaultValue = "SCRATCH",
      description = "${COMPLETION-CANDIDATES}: gives every option below that is not given")
  private Recipe recipe;

  @Option(names = "--seed", defaultValue = "1")
  private long seed;

  @Option(names = "--preset", description = "${COMPLETION-CANDIDATES}")
  private ModelConfig.Preset preset;

  @Option(
      names = "--init",
      paramLabel = "DIR",
      description = "starting weights that import has made, with shape and vocabulary of their own")
  private Path init;

  @Option(names = "--epochs", description = "passes over all pairs of image and caption")
  private Double epochs;

  @Option(names = "--steps", description = "optimiser steps, instead of --epochs")
  private Integer steps;

  @Option(names = "--batch", description = "images that meet each other in the losses")
  private Integer batch;

  @Option(names = "--accumulate", description = "batches averaged into one step")
  private Integer accumulate;

  @Option(
      names = "--length-group",
      description = "batches whose pairs are dealt out by length of caption; 1: by chance alone")
  private Integer lengthGroup;

  @Option(
      names = "--precision",
      description =
          "FP32, or BF16: linear layers and convolutions in bfloat16 over weights of fp32")
  private Precision precision;

  @Mixin private OptimiserArguments optimiser;

  @Option(names = "--itc", description = "weight of image-text contrast")
  private Double itc;

  @Option(names = "--itm", description = "weight of image-text matching")
  private Double itm;

  @Option(names = "--mlm", description = "weight of masked language modelling")
  private Double mlm;

  @Option(names = "--mvjrc", description = "weight of multi-view joint representations contrast")
  private Double mvjrc;

  @Option(names = "--hard-negatives", description = "share of ITM negatives drawn by similarity")
  private Double hardNegatives;

  @Option(names = "--mask-probability", description = "share of word pieces masked for MLM")
  private Double maskProbability;

  @Option(names = "--queue", description = "earlier keys that ITC contrasts with too, as in ALBEF")
  private Integer queue;

  @Option(
      names = "--soft-targets",
      description = "alpha: the moving average's say in ITC's targets")
  private Double softTargets;

  @Option(names = "--filter-alone", description = "share of the steps before other tasks join ITC")
  private Double filterAlone;

  @Option(names = "--second-peak", description = "share of the peak rate for when they join")
  private Double secondPeak;

  @Option(names = "--small-images", description = "share of the steps, the first, on small images")
  private Double smallImages;

  @Option(names = "--small-side", description = "pixels of these images")
  private Integer smallSide;

  @Option(names = "--augmentation", description = "${COMPLETION-CANDIDATES}")
  private Augmentation augmentation;

  @Option(names = "--dropout", description = "share of text embeddings and image features dropped")
  private Double dropout;

  @Option(names = "--word-dropout", description = "share of word pieces seen as [UNK]")
  private Double wordDropout;

  @Option(names = "--min-word-count", description = "rarer words become [UNK]")
  private Integer minWordCount;

  @Option(names = "--checkpoint-every", description = "steps")
  private Integer checkpointEvery;

  private static <T> T or(T given, T recipes) {
    return given == null ? recipes : given;
  }

  private TrainingOptions options(CaptionedDataset dataset) {
    if (steps != null && epochs != null) {
      throw new IllegalArgumentException("--steps and --epochs exclude each other, give one");
    }
    TrainingOptions base = recipe.options();
    TrainingOptions.Regularisation regularisation = base.regularisation();
    TrainingOptions.Tasks tasks = base.tasks();
    TrainingOptions.Momentum momentum = base.momentum();
    TrainingOptions.Stages stages = base.stages();
    int images = or(batch, base.batch());
    int batches = or(accumulate, base.accumulate());
    long pairs =
        dataset.split(Split.TRAIN).stream().mapToLong(image -> image.captions().size()).sum();
    return new TrainingOptions(
        or(preset, base.preset()),
        seed,
        steps != null ? steps : Recipe.steps(or(epochs, recipe.epochs()), pairs, images * batches),
        images,
        batches,
        or(lengthGroup, base.lengthGroup()),
        or(precision, base.precision()),
        optimiser.over(base.optimiser()),
        new TrainingOptions.Tasks(
            or(itc, tasks.itc()),
            or(itm, tasks.itm()),
            or(mlm, tasks.mlm()),
            or(mvjrc, tasks.mvjrc()),
            or(hardNegatives, tasks.hardNegatives()),
            or(maskProbability, tasks.maskProbability())),
        new TrainingOptions.Momentum(
            or(queue, momentum.queue()), or(softTargets, momentum.softTargets())),
        new TrainingOptions.Stages(
            or(filterAlone, stages.filterAlone()),
            or(secondPeak, stages.secondPeak()),
            or(smallImages, stages.smallImages()),
            or(smallSide, stages.smallSide())),
        new TrainingOptions.Regularisation(
            or(augmentation, regularisation.augmentation()),
            or(dropout, regularisation.dropout()),
            or(wordDropout, regularisation.wordDropout())),
        or(minWordCount, base.minWordCount()),
        or(checkpointEvery, base.checkpointEvery()));
  }

  private TrainingRun startFrom(TrainingOptions options) throws IOException {
    if (preset != null) {
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
    CaptionedDataset dataset = data.read();
    TrainingOptions options = options(dataset);
    TrainingRun training = init == null ? TrainingRun.open(run, options) : startFrom(options);
    ModelBundle bundle;
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", options.steps())) {
      bundle =
          training.train(
              dataset,
              id,
              new TrainingRun.Progress() {
                @Override
                public void accept(int step) {
                  bar.stepTo(step);
                  interruption.check();
                }

                @Override
                public void filterTrained(ModelBundle filter) throws IOException, BundleException {
                  filter.write(run.resolve("filter.zip"), ExportCommand.goldenTexts(dataset));
                }

                @Override
                public void skipped(List<String> pictures) {
                  data.report(dataset, pictures);
                }
              });
    }
    Path file = run.resolve("model.zip");
    bundle.write(file, ExportCommand.goldenTexts(dataset));
    System.out.println("wrote " + file);
    if (options.tasks().itc() == 0) {
      System.out.println(
          "its filter is as random as it started (itc 0): run distill on it before export, or no"
              + " kNN search will find anything with it");
    }
    return 0;
  }
}
