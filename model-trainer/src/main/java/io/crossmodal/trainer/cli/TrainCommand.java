/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.train.TrainingOptions;
import io.crossmodal.trainer.train.TrainingRun;
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

  @Option(names = "--preset", defaultValue = "TINY", description = "${COMPLETION-CANDIDATES}")
  private ModelConfig.Preset preset;

  @Option(names = "--seed", defaultValue = "1")
  private long seed;

  @Option(names = "--steps", defaultValue = "3000", description = "optimiser steps")
  private int steps;

  @Option(names = "--batch", defaultValue = "64", description = "images a step")
  private int batch;

  @Option(names = "--learning-rate", defaultValue = "6e-4", description = "peak, cosine schedule")
  private double learningRate;

  @Option(names = "--warmup", defaultValue = "100", description = "steps of linear warm-up")
  private int warmup;

  @Option(names = "--weight-decay", defaultValue = "0.02")
  private double weightDecay;

  @Option(names = "--clip", defaultValue = "1", description = "largest norm of the gradient")
  private double clip;

  @Option(names = "--averaging", defaultValue = "0.995", description = "moving average of weights")
  private double averaging;

  @Option(names = "--itc", defaultValue = "1", description = "weight of image-text contrast")
  private double itc;

  @Option(names = "--itm", defaultValue = "1", description = "weight of image-text matching")
  private double itm;

  @Option(names = "--mlm", defaultValue = "1", description = "weight of masked language modelling")
  private double mlm;

  @Option(
      names = "--hard-negatives",
      defaultValue = "0.5",
      description = "share of ITM negatives drawn by similarity")
  private double hardNegatives;

  @Option(names = "--mask-probability", defaultValue = "0.15")
  private double maskProbability;

  @Option(
      names = "--augmentation",
      defaultValue = "JITTER",
      description = "${COMPLETION-CANDIDATES}")
  private Augmentation augmentation;

  @Option(names = "--min-word-count", defaultValue = "3", description = "rarer words become [UNK]")
  private int minWordCount;

  @Option(names = "--checkpoint-every", defaultValue = "250", description = "steps")
  private int checkpointEvery;

  @Override
  public Integer call() throws Exception {
    TrainingOptions options =
        new TrainingOptions(
            preset,
            seed,
            steps,
            batch,
            learningRate,
            warmup,
            weightDecay,
            clip,
            averaging,
            new TrainingOptions.Tasks(itc, itm, mlm, hardNegatives, maskProbability),
            augmentation,
            minWordCount,
            checkpointEvery);
    CaptionedDataset dataset = data.read();
    TrainingRun training = TrainingRun.open(run, options);
    ModelBundle bundle;
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", steps)) {
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
                public void skipped(List<String> pictures) {
                  data.report(dataset, pictures);
                }
              });
    }
    Path file = run.resolve("model.zip");
    bundle.write(file, ExportCommand.goldenTexts(dataset));
    System.out.println("wrote " + file);
    return 0;
  }
}
