/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.PretrainedTower;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.sensors.SensorCalibrationFit;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.OptionRecords;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
    modelTransformer = RecordOptions.Transformer.class,
    showDefaultValues = true,
    description =
        "Trains towers of two sensors on pairs of tiles, without labels (SS-CM-RSIR); or with"
            + " --onto a tower of the second sensor beside those of a model with text, which stays"
            + " as it is and finds its tiles by text then. Run again with the same options, it"
            + " resumes.")
final class TrainSensorsCommand implements Callable<Integer>, RecordOptions.Holder {
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
      names = "--pretrained",
      paramLabel = "CHECKPOINT",
      description =
          "an EfficientNet-Lite0 that both towers start from, by the names of lukemelas' port or of"
              + " timm's tf_efficientnet_lite0: safetensors or what torch.save writes; not with"
              + " --onto")
  private Path pretrained;

  @Option(
      names = "--half",
      description =
          "round matrices to bfloat16 at the end, so that the bundle takes half the space;"
              + " not with --onto")
  private boolean half;

  @Option(
      names = "--recipe",
      description =
          "${COMPLETION-CANDIDATES}: gives every option below that is not given; default: SCRATCH,"
              + " with --pretrained PRETRAINED; not with --onto, which has its own")
  private SensorOptions.Recipe recipe;

  private final RecordOptions given =
      new RecordOptions(SensorOptions.class, "SCRATCH", "PAPER", "PRETRAINED", "ONTO");

  @Override
  public RecordOptions recordOptions() {
    return given;
  }

  @Override
  public Integer call() throws Exception {
    ModelManifest.checkId(id);
    boolean own = given.has("preset") || given.has("image_size") || recipe != null;
    if (onto != null && (own || pretrained != null || half)) {
      throw new IllegalArgumentException(
          "--onto takes shape, size and weights of the teacher and has a recipe of its own: leave"
              + " --preset, --image-size, --pretrained, --half and --recipe out");
    }
    PretrainedTower tower = pretrained == null ? null : PretrainedTower.open(pretrained);
    ModelBundle teacher = onto == null ? null : ModelBundle.read(onto);
    PairDataset dataset =
        data.read(teacher == null ? List.of() : teacher.manifest().config().sensors());
    SensorOptions options =
        teacher == null
            ? twoSensors(tower)
            : given.applyTo(SensorOptions.onto(teacher.manifest(), dataset.first().name()));
    List<PairDataset> fitted = new ArrayList<>(List.of(dataset));
    if (teacher != null) {
      fitted.addAll(beside(teacher, dataset));
    }
    SensorTraining training =
        tower == null
            ? SensorTraining.open(run, options)
            : SensorTraining.openFrom(tower, run, options);
    ModelBundle bundle = train(training, options.steps(), teacher, dataset);
    if (half) {
      ModelManifest exact = bundle.manifest();
      bundle =
          ModelBundle.of(
              id,
              exact.config(),
              List.of(),
              bundle.weights().roundedToHalf(),
              exact.calibration(),
              exact.training(),
              exact.metrics());
    }
    try (FusionModel model = FusionModel.load(bundle, run)) {
      bundle = calibrated(bundle, model, fitted);
    }
    Path file = run.resolve("model.zip");
    BundleWriter.write(
        bundle, file, teacher == null ? List.of() : teacher.manifest().golden().texts());
    System.out.println("wrote " + file);
    return 0;
  }

  private SensorOptions twoSensors(PretrainedTower tower) {
    SensorOptions.Recipe usual =
        tower == null ? SensorOptions.Recipe.SCRATCH : SensorOptions.Recipe.PRETRAINED;
    SensorOptions options = given.applyTo((recipe == null ? usual : recipe).options());
    if (tower != null) {
      options = OptionRecords.with(options, Map.of("pretrained", tower.sha256()));
    }
    return given.has("image_size")
        ? options
        : OptionRecords.with(options, Map.of("image_size", options.preset().imageSize()));
  }

  /** Returns the pairs of the new sensor with the teacher's others, where the data have them. */
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

  /** Returns the bundle with the calibrations of all pairs, and those that the model had before. */
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

  /** Returns the first of each direction. */
  private static List<SensorCalibration> firstOfEach(List<SensorCalibration> all) {
    Set<List<String>> seen = new HashSet<>();
    return all.stream().filter(pair -> seen.add(List.of(pair.query(), pair.archive()))).toList();
  }

  private ModelBundle train(
      SensorTraining training, int steps, ModelBundle teacher, PairDataset dataset)
      throws Exception {
    try (Interruption interruption = new Interruption();
        ProgressBar bar = new ProgressBar("train", steps)) {
      RunProgress progress = new RunProgress(bar, interruption, data::report);
      return teacher == null
          ? training.train(dataset, id, progress)
          : training.train(teacher, dataset, id, progress);
    }
  }
}
