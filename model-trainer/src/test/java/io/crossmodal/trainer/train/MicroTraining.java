/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A few generated scenes and options for the smallest model, for tests. */
public final class MicroTraining {
  /** Every task at once. */
  public static final TrainingOptions.Tasks ALL =
      new TrainingOptions.Tasks(1, 1, 1, 1, 0.5, 0.15, 1);

  private MicroTraining() {}

  /** A seed that is printed, and repeated with {@code -Dcrossmodal.seed=}. */
  public static long seed() {
    long seed = Long.getLong("crossmodal.seed", System.nanoTime());
    System.out.println("reproduce with -Dcrossmodal.seed=" + seed);
    return seed;
  }

  /**
   * Writes scenes of 32 x 32 pixels.
   *
   * @return their Karpathy JSON
   */
  public static Path scenes(Path folder, int train, int val, int test, long seed) throws Exception {
    return new SceneDatasetWriter(new SceneDatasetWriter.Config(train, val, test, seed, 32, 0.2))
        .write(folder, 1, () -> {});
  }

  public static CaptionedDataset read(Path json) throws Exception {
    return KarpathyReader.read(json);
  }

  static TrainingOptions options(
      long seed, int steps, TrainingOptions.Tasks tasks, double learningRate, int checkpointEvery) {
    return options(seed, steps, tasks, TrainingOptions.Stages.NONE, learningRate, checkpointEvery);
  }

  static TrainingOptions options(
      long seed,
      int steps,
      TrainingOptions.Tasks tasks,
      TrainingOptions.Stages stages,
      double learningRate,
      int checkpointEvery) {
    return options(
        seed, steps, tasks, TrainingOptions.Momentum.NONE, stages, learningRate, checkpointEvery);
  }

  static TrainingOptions options(
      long seed,
      int steps,
      TrainingOptions.Tasks tasks,
      TrainingOptions.Momentum momentum,
      TrainingOptions.Stages stages,
      double learningRate,
      int checkpointEvery) {
    return options(
        seed, steps, tasks, momentum, stages, 0.1, Precision.FP32, learningRate, checkpointEvery);
  }

  static TrainingOptions options(
      long seed,
      int steps,
      TrainingOptions.Tasks tasks,
      TrainingOptions.Momentum momentum,
      TrainingOptions.Stages stages,
      double dropout,
      Precision precision,
      double learningRate,
      int checkpointEvery) {
    return with(
        Recipe.SCRATCH.options(),
        "preset",
        ModelConfig.Preset.MICRO,
        "seed",
        seed,
        "steps",
        steps,
        "batch",
        8,
        "length_group",
        2,
        "precision",
        precision,
        "optimiser",
        new Optimiser(learningRate, 2, 0.02, 1, 0.9),
        "tasks",
        tasks,
        "momentum",
        momentum,
        "stages",
        stages,
        "dropout",
        dropout,
        "min_word_count",
        1,
        "checkpoint_every",
        checkpointEvery,
        "validate_every",
        0);
  }

  /** Options with others: names and values in turn. */
  public static <R extends Record> R with(R base, Object... changes) {
    Map<String, Object> named = new LinkedHashMap<>();
    for (int i = 0; i < changes.length; i += 2) {
      named.put((String) changes[i], changes[i + 1]);
    }
    return OptionRecords.with(base, named);
  }

  /** A small EfficientNet-Lite of a kind of block each, cut behind its second. */
  public static final ImageTowerConfig EFFICIENT_NET =
      ImageTowerConfig.efficientNetLite(
          6,
          List.of(
              new ImageTowerConfig.Stage(4, 1, 3, 1),
              new ImageTowerConfig.Stage(6, 2, 3, 2),
              new ImageTowerConfig.Stage(8, 2, 3, 2)),
          12,
          true);

  /** A small convolutional tower, which is not cut. */
  public static final ImageTowerConfig CONVOLUTIONAL =
      ImageTowerConfig.convolutional(List.of(8), List.of(new ImageTowerConfig.Stage(16, 2)));

  /** Random weights of a model with embeddings as wide as its tokens, and the scenes' words. */
  public static ModelBundle towers(
      ImageTowerConfig image, TextConfig.Kind text, CaptionedDataset scenes, long seed) {
    List<String> words = CaptionSet.vocabulary(scenes.split(Split.TRAIN), 1);
    ModelConfig config =
        new ModelConfig(
            16,
            2,
            32,
            16,
            1e-12,
            new TextConfig(words.size(), 16, 2, text),
            image,
            2,
            List.of(SensorConfig.rgb(32)));
    return ModelBundle.of(
        "towers",
        config,
        words,
        StateDict.of(MtgfeArchitecture.build(config, Weights.random(seed))),
        Calibration.NONE,
        TrainingRun.trained("scenes", seed, 0),
        List.of());
  }
}
