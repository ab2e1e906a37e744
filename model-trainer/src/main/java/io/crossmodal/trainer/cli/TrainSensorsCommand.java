/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.FusionModel;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.sensors.SensorCalibrationFit;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorPreset;
import io.crossmodal.trainer.sensors.SensorTraining;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code train-sensors}: from pairs of tiles to a bundle in a run folder; again, it resumes. */
@Command(
    name = "train-sensors",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Trains towers of two sensors on pairs of tiles, without labels (SS-CM-RSIR). Run again with"
            + " the same options, it resumes.")
final class TrainSensorsCommand implements Callable<Integer> {
  private static final SensorOptions BASE = SensorOptions.scratch(1, 1);

  @Mixin private PairArguments data;

  @Option(names = "--run", required = true, description = "run folder, made where it is absent")
  private Path run;

  @Option(names = "--id", defaultValue = "sensors", description = "id of the model in its bundle")
  private String id;

  @Option(
      names = "--preset",
      defaultValue = "CONVOLUTIONAL",
      description = "${COMPLETION-CANDIDATES}")
  private SensorPreset preset;

  @Option(names = "--image-size", description = "side in pixels; default: the preset's")
  private Integer imageSize;

  @Option(names = "--seed", defaultValue = "1")
  private long seed;

  @Option(names = "--steps", defaultValue = "1000", description = "optimiser steps")
  private int steps;

  @Option(names = "--batch", description = "pairs that meet each other in the losses")
  private int batch = BASE.batch();

  @Mixin private OptimiserArguments optimiser;

  @Option(names = "--pairing", defaultValue = "ACROSS", description = "${COMPLETION-CANDIDATES}")
  private SensorOptions.Pairing pairing;

  @Option(names = "--mutual", description = "weight of (i), NT-Xent over both modalities")
  private double mutual = BASE.losses().mutual();

  @Option(names = "--angular", description = "weight of (ii), the angular distance of pairs")
  private double angular = BASE.losses().angular();

  @Option(names = "--neighbours", description = "weight of (iii), nearest within a modality")
  private double neighbours = BASE.losses().neighbours();

  @Option(names = "--patches", description = "weight of the contrast of patch tokens")
  private double patches = BASE.losses().patches();

  @Option(names = "--temperature", description = "of NT-Xent")
  private double temperature = BASE.losses().temperature();

  @Option(names = "--nearest", description = "neighbours of an anchor in (iii)")
  private int nearest = BASE.losses().nearest();

  @Option(names = "--neighbours-from", description = "share of the steps before (iii) begins")
  private double neighboursFrom = BASE.losses().neighboursFrom();

  @Option(names = "--queue", description = "earlier features, a multiple of the batch")
  private int queue = BASE.losses().queue();

  @Option(names = "--smallest-crop", description = "share of a tile's area")
  private double smallestCrop = BASE.augmentation().smallestCrop();

  @Option(names = "--turns", negatable = true, description = "flips and quarter turns")
  private boolean turns = BASE.augmentation().turns();

  @Option(names = "--speckle", description = "noise of radar bands, in their deviations")
  private double speckle = BASE.augmentation().speckle();

  @Option(names = "--light", description = "change of gain of optical bands")
  private double light = BASE.augmentation().light();

  @Option(names = "--checkpoint-every", description = "steps")
  private int checkpointEvery = BASE.checkpointEvery();

  @Override
  public Integer call() throws Exception {
    SensorOptions options =
        new SensorOptions(
            preset,
            imageSize == null ? preset.imageSize() : imageSize,
            seed,
            steps,
            batch,
            optimiser.over(BASE.optimiser()),
            pairing,
            new SensorOptions.Losses(
                mutual, angular, neighbours, patches, temperature, nearest, neighboursFrom, queue),
            new SensorOptions.Augmentation(smallestCrop, turns, speckle, light),
            checkpointEvery);
    PairDataset dataset = data.read();
    SensorTraining training = SensorTraining.open(run, options);
    ModelBundle bundle;
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", options.steps())) {
      bundle =
          training.train(
              dataset,
              id,
              new SensorTraining.Progress() {
                @Override
                public void stepped(int taken) {
                  bar.stepTo(taken);
                  interruption.check();
                }

                @Override
                public void skipped(List<String> problems) {
                  data.report(problems);
                }
              });
    }
    try (FusionModel model = FusionModel.load(bundle, run)) {
      SensorCalibrationFit.Fitted fitted = SensorCalibrationFit.fit(model, dataset);
      fitted.notes().forEach(System.out::println);
      bundle = bundle.withSensorCalibrations(fitted.cosines(), fitted.maxSims());
    }
    Path file = run.resolve("model.zip");
    bundle.write(file, List.of());
    System.out.println("wrote " + file);
    return 0;
  }
}
