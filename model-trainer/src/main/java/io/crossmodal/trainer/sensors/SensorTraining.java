/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.checkpoint.PretrainedTower;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainingException;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingModule;
import io.crossmodal.trainer.train.TrainingRun;
import io.crossmodal.trainer.train.Validation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A training over pairs of tiles in a run folder; run again with the same options, it resumes. */
public final class SensorTraining {
  /**
   * Pretrained towers have seen photographs as (x - 127) / 128, whose deviation is about a half.
   */
  private static final double PRETRAINED_DEVIATION = 0.5;

  private final RunFolder folder;
  private final SensorOptions options;

  /** Null where towers start from scratch, or from a teacher's. */
  private final PretrainedTower pretrained;

  private SensorTraining(RunFolder folder, SensorOptions options, PretrainedTower pretrained) {
    this.folder = folder;
    this.options = options;
    this.pretrained = pretrained;
  }

  /**
   * Opens a run folder, or makes it.
   *
   * @throws IllegalArgumentException when the folder holds a run of other options
   */
  public static SensorTraining open(Path folder, SensorOptions options) throws IOException {
    if (options.pretrained() != null) {
      throw new IllegalArgumentException("the options name a checkpoint, which is missing");
    }
    return new SensorTraining(RunFolder.open(folder, options), options, null);
  }

  /**
   * Opens a run folder, or makes it, for towers that start from a checkpoint.
   *
   * @param options name the checkpoint by its hash
   * @throws IllegalArgumentException also when it is another checkpoint
   */
  public static SensorTraining openFrom(
      PretrainedTower pretrained, Path folder, SensorOptions options) throws IOException {
    if (!pretrained.sha256().equals(options.pretrained())) {
      throw new IllegalArgumentException("the checkpoint is not the one that the options are for");
    }
    return new SensorTraining(RunFolder.open(folder, options), options, pretrained);
  }

  /**
   * Trains to the last step and returns the model in memory.
   *
   * @param dataset its training split is used, without a look at labels
   * @param id under which the model will be served
   * @throws io.crossmodal.trainer.data.InvalidDatasetException when more tiles are bad than the
   *     data set allows
   * @throws IllegalArgumentException when the folder holds a run over other pairs
   * @throws TrainingException when the loss is no longer a number, memory or disk is full; the last
   *     checkpoint stays
   */
  public ModelBundle train(PairDataset dataset, String id, TrainingLoop.Progress progress)
      throws IOException, TrainingException, BundleException {
    try (DecodedPairs pairs = decode(dataset)) {
      check(dataset, pairs, progress);
      ModelConfig config = config(options, dataset, pairs);
      SensorSet set = new SensorSet(options, config, pairs);
      Map<String, float[]> start = pretrained == null ? Map.of() : pretrained.values(config);
      try (TrainingModule<SensorSet.Batch> module =
          new TrainingModule<>(new SensorTask(options, config, start), folder.path())) {
        return run(
            dataset,
            module,
            set,
            progress,
            List.of(),
            (state, epochs) -> bundle(id, config, state, dataset.name(), options.seed(), epochs));
      }
    }
  }

  /**
   * Trains a tower for the pairs' second sensor onto a model that has the first, and returns that
   * model with it in memory.
   *
   * @param teacher has text; nothing of it is changed
   * @param dataset as in the other method
   * @throws IllegalArgumentException also when the teacher is not that of the options, or its
   *     sensors and the pairs' do not fit
   */
  public ModelBundle train(
      ModelBundle teacher, PairDataset dataset, String id, TrainingLoop.Progress progress)
      throws IOException, TrainingException, BundleException {
    try (Teacher frozen = Teacher.load(teacher, dataset, options, folder.path());
        DecodedPairs pairs = decode(dataset)) {
      check(dataset, pairs, progress);
      SensorConfig sensor = sensor(dataset.second(), options, pairs.second());
      ModelConfig student = frozen.student(sensor);
      SensorSet set = new SensorSet(options, student, frozen.seen(), sensor, pairs);
      try (TrainingModule<SensorSet.Batch> module =
          new TrainingModule<>(new SensorTask(options, frozen, sensor), folder.path())) {
        String data = teacher.manifest().training().dataSet() + ", then " + dataset.name();
        return run(
            dataset,
            module,
            set,
            progress,
            teacher.manifest().golden().texts(),
            (state, epochs) ->
                frozen.with(id, sensor, state, TrainingRun.trained(data, options.seed(), epochs)));
      }
    }
  }

  private DecodedPairs decode(PairDataset dataset) {
    int kept = options.augmentation().sourceSide(options.imageSize());
    return DecodedPairs.decode(dataset, Split.TRAIN, kept, folder.path());
  }

  /** Says what was left out, and refuses pairs that a run to resume does not know. */
  private void check(PairDataset dataset, DecodedPairs pairs, TrainingLoop.Progress progress)
      throws IOException {
    progress.skipped(pairs.problems());
    MessageDigest digest = Sha256.digest();
    pairs
        .pairs()
        .forEach(pair -> digest.update((pair.id() + "\n").getBytes(StandardCharsets.UTF_8)));
    if (options.teacher() != null) {
      // Two of its sensors may have tiles of the same shapes.
      String sensors = dataset.first() + " " + dataset.second();
      digest.update(sensors.getBytes(StandardCharsets.UTF_8));
    }
    for (List<BandImage> tiles : List.of(pairs.first(), pairs.second())) {
      for (BandImage tile : tiles) {
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * tile.values().length);
        bytes.asFloatBuffer().put(tile.values());
        digest.update(bytes);
      }
    }
    folder.requireSameData(digest, "pairs");
  }

  /** Makes a bundle of a model's tensors. */
  @FunctionalInterface
  private interface Bundling {
    ModelBundle of(StateDict state, double epochs);
  }

  /** Trains to the last step, or to the end of patience, and returns what ships. */
  private ModelBundle run(
      PairDataset dataset,
      TrainingModule<SensorSet.Batch> module,
      SensorSet set,
      TrainingLoop.Progress progress,
      List<String> goldenTexts,
      Bundling bundling)
      throws IOException, TrainingException, BundleException {
    double stepsAnEpoch = (double) set.size() / options.batch();
    try (DecodedPairs held = held(dataset)) {
      Validation validation =
          new Validation(
              folder,
              options.validation(),
              options.steps(),
              stepsAnEpoch,
              options.judgedFrom(),
              () -> bundling.of(module.averaged().below("model"), module.steps() / stepsAnEpoch),
              goldenTexts,
              held == null
                  ? null
                  : model ->
                      Map.of("partner_r@10", SensorEvaluation.partnersFound(model, dataset, held)));
      new TrainingLoop(folder, options.steps(), options.checkpointEvery(), 2 * options.batch())
          .run(module, step -> List.of(set.batch(step)), progress, validation);
      return validation.shipped();
    }
  }

  /** Returns the pairs to validate on; null where there are none. */
  private DecodedPairs held(PairDataset dataset) {
    Integer every = options.validation().validateEvery();
    return dataset.split(Split.VAL).isEmpty() || (every != null && every == 0)
        ? null
        : DecodedPairs.decode(dataset, Split.VAL, options.imageSize(), folder.path());
  }

  /**
   * Returns the model that a training would start from, with the statistics of the training split,
   * or of the test split where there is no other: the baseline that every table needs.
   */
  public static ModelBundle untrained(PairDataset dataset, SensorOptions options, String id) {
    try (DecodedPairs pairs =
        DecodedPairs.decode(
            dataset,
            dataset.split(Split.TRAIN).isEmpty() ? Split.TEST : Split.TRAIN,
            options.augmentation().sourceSide(options.imageSize()))) {
      ModelConfig config = config(options, dataset, pairs);
      StateDict state = StateDict.of(SensorTask.model(config, options.seed(), Map.of()));
      return bundle(id, config, state, dataset.name(), options.seed(), 0);
    }
  }

  private static ModelBundle bundle(
      String id, ModelConfig config, StateDict state, String dataset, long seed, double epochs) {
    return ModelBundle.of(
        id,
        config,
        List.of(),
        state,
        Calibration.NONE,
        TrainingRun.trained(dataset, seed, epochs),
        List.of());
  }

  private static ModelConfig config(
      SensorOptions options, PairDataset dataset, DecodedPairs pairs) {
    return options
        .preset()
        .config(
            List.of(
                sensor(dataset.first(), options, pairs.first()),
                sensor(dataset.second(), options, pairs.second())));
  }

  /**
   * Returns a sensor with the mean and deviation of each band over all defined pixels of the tiles;
   * for a pretrained tower so that bands have the deviation that it has seen.
   */
  private static SensorConfig sensor(
      SensorSource source, SensorOptions options, List<BandImage> tiles) {
    int bands = source.bands().size();
    double[] sum = new double[bands];
    double[] squares = new double[bands];
    long[] count = new long[bands];
    for (BandImage tile : tiles) {
      int area = tile.width() * tile.height();
      for (int i = 0; i < bands * area; i++) {
        float value = tile.values()[i];
        if (Float.isFinite(value)) {
          sum[i / area] += value;
          squares[i / area] += (double) value * value;
          count[i / area]++;
        }
      }
    }
    List<Double> mean = new ArrayList<>();
    List<Double> std = new ArrayList<>();
    for (int band = 0; band < bands; band++) {
      double average = sum[band] / Math.max(1, count[band]);
      double variance = squares[band] / Math.max(1, count[band]) - average * average;
      mean.add(average);
      // A band that never changes carries nothing; it must not divide by zero.
      double deviation = variance > 1e-12 ? Math.sqrt(variance) : 1.0;
      std.add(options.pretrained() == null ? deviation : deviation / PRETRAINED_DEVIATION);
    }
    return new SensorConfig(source.name(), options.imageSize(), mean, std, source.input());
  }
}
