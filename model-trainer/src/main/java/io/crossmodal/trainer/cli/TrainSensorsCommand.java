/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.FusionModel;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.sensors.SensorCalibrationFit;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorPreset;
import io.crossmodal.trainer.sensors.SensorTraining;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
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
        "Trains towers of two sensors on pairs of tiles, without labels (SS-CM-RSIR); or with --onto"
            + " a tower of the second sensor beside those of a model with text, which stays as it is"
            + " and finds its tiles by text then. Run again with the same options, it resumes.")
final class TrainSensorsCommand implements Callable<Integer> {
  private static final SensorOptions BASE = SensorOptions.scratch(1, 1);

  @Mixin private PairArguments data;

  @Option(names = "--run", required = true, description = "run folder, made where it is absent")
  private Path run;

  @Option(names = "--id", defaultValue = "sensors", description = "id of the model in its bundle")
  private String id;

  @Option(
      names = "--onto",
      paramLabel = "BUNDLE",
      description =
          "a model with text that has the pairs' first sensor: the second joins it; name both by"
              + " --sensor, such as --sensor rgb --sensor s1")
  private Path onto;

  @Option(
      names = "--preset",
      description =
          "${COMPLETION-CANDIDATES}; default: CONVOLUTIONAL; not with --onto, whose shape it takes")
  private SensorPreset preset;

  @Option(
      names = "--image-size",
      description = "side in pixels; default: the preset's; not with --onto")
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

  @Option(
      names = "--mutual",
      description = "weight of (i), NT-Xent over both modalities; default: 1")
  private Double mutual;

  @Option(
      names = "--angular",
      description = "weight of (ii), the angular distance of pairs; default: 1, with --onto 0")
  private Double angular;

  @Option(
      names = "--neighbours",
      description = "weight of (iii), nearest within a modality; default: 1, with --onto 0")
  private Double neighbours;

  @Option(names = "--patches", description = "weight of the contrast of patch tokens; default: 0")
  private Double patches;

  @Option(
      names = "--tokens",
      description =
          "weight of the mean squared difference from the teacher's tokens; default: 0, with --onto"
              + " 10")
  private Double tokens;

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
    ModelManifest.checkId(id);
    if (onto != null && (preset != null || imageSize != null)) {
      throw new IllegalArgumentException(
          "--onto takes shape and size of the teacher: leave --preset and --image-size out");
    }
    ModelBundle teacher = onto == null ? null : ModelBundle.read(onto);
    PairDataset dataset =
        data.read(teacher == null ? List.of() : teacher.manifest().config().sensors());
    SensorOptions options =
        options(
            teacher == null
                ? SensorOptions.scratch(seed, steps)
                : SensorOptions.onto(teacher.manifest(), dataset.first().name(), seed, steps));
    List<PairDataset> fitted = new ArrayList<>(List.of(dataset));
    if (teacher != null) {
      fitted.addAll(beside(teacher, dataset));
    }
    SensorTraining training = SensorTraining.open(run, options);
    ModelBundle bundle = train(training, teacher, dataset);
    try (FusionModel model = FusionModel.load(bundle, run)) {
      bundle = calibrated(bundle, model, fitted);
    }
    Path file = run.resolve("model.zip");
    bundle.write(file, teacher == null ? List.of() : teacher.manifest().golden().texts());
    System.out.println("wrote " + file);
    return 0;
  }

  private SensorOptions options(SensorOptions base) {
    SensorPreset shape = preset == null ? base.preset() : preset;
    int usual = shape == null ? base.imageSize() : shape.imageSize();
    SensorOptions.Losses losses = base.losses();
    return new SensorOptions(
        shape,
        imageSize == null ? usual : imageSize,
        seed,
        steps,
        batch,
        optimiser.over(base.optimiser()),
        pairing,
        new SensorOptions.Losses(
            mutual == null ? losses.mutual() : mutual,
            angular == null ? losses.angular() : angular,
            neighbours == null ? losses.neighbours() : neighbours,
            patches == null ? losses.patches() : patches,
            tokens == null ? losses.tokens() : tokens,
            temperature,
            nearest,
            neighboursFrom,
            queue),
        new SensorOptions.Augmentation(smallestCrop, turns, speckle, light),
        checkpointEvery,
        base.teacher());
  }

  /** The pairs of the new sensor with the teacher's others, where the data have them. */
  private List<PairDataset> beside(ModelBundle teacher, PairDataset dataset) throws IOException {
    List<PairDataset> beside = new ArrayList<>();
    for (SensorConfig other : teacher.manifest().config().sensors()) {
      // A second sensor that the teacher has is refused, later and with all that is to be said.
      if (!List.of(dataset.first().name(), dataset.second().name()).contains(other.name())) {
        Optional<PairDataset> pairs = data.readBeside(other, dataset.second());
        pairs.ifPresent(beside::add);
        if (pairs.isEmpty()) {
          System.err.println(
              String.format(
                  Locale.ROOT,
                  "%s has no column [%s]: there will be no calibration of it and [%s]",
                  dataset.name(),
                  other.name(),
                  dataset.second().name()));
        }
      }
    }
    return beside;
  }

  /** With the calibrations of all pairs, and those that the model had before. */
  private static ModelBundle calibrated(
      ModelBundle bundle, FusionModel model, List<PairDataset> pairs) {
    List<SensorCalibration> cosines = new ArrayList<>();
    List<SensorCalibration> maxSims = new ArrayList<>();
    for (PairDataset dataset : pairs) {
      SensorCalibrationFit.Fitted fitted = SensorCalibrationFit.fit(model, dataset);
      fitted.notes().forEach(System.out::println);
      cosines.addAll(fitted.cosines());
      maxSims.addAll(fitted.maxSims());
    }
    cosines.addAll(bundle.manifest().sensorCalibrations());
    maxSims.addAll(bundle.manifest().fittedMaxSims());
    return bundle.withSensorCalibrations(firstOfEach(cosines), firstOfEach(maxSims));
  }

  /** Of each direction the first. */
  private static List<SensorCalibration> firstOfEach(List<SensorCalibration> all) {
    Set<List<String>> seen = new HashSet<>();
    return all.stream().filter(pair -> seen.add(List.of(pair.query(), pair.archive()))).toList();
  }

  private ModelBundle train(SensorTraining training, ModelBundle teacher, PairDataset dataset)
      throws Exception {
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", steps)) {
      SensorTraining.Progress progress =
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
          };
      return teacher == null
          ? training.train(dataset, id, progress)
          : training.train(teacher, dataset, id, progress);
    }
  }
}
