/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.PretrainedTower;
import io.crossmodal.trainer.train.FeatureQueue;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingTask;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Pairs of tiles: a model of two sensors, or of one beside a frozen teacher, with the losses of
 * SS-CM-RSIR, and what a batch of {@link SensorSet} is to them.
 */
final class SensorTask implements TrainingTask<SensorSet.Batch> {
  private final SensorOptions options;
  private final ModelConfig config;

  /** Null for a training from scratch. */
  private final Teacher teacher;

  private final ScriptModule root;

  /** Names of the parameters that do not start from scratch. */
  private final Set<String> pretrained;

  /**
   * Makes the task of two sensors.
   *
   * @param pretrained values that towers start with, by name; empty for a training from scratch
   */
  SensorTask(SensorOptions options, ModelConfig config, Map<String, float[]> pretrained) {
    this(
        options,
        config,
        null,
        around("cross_sensor.CrossSensor", options, model(config, options.seed(), pretrained)),
        pretrained.keySet());
  }

  /**
   * Makes the task of a new sensor onto a teacher.
   *
   * @param teacher stays the caller's
   */
  SensorTask(SensorOptions options, Teacher teacher, SensorConfig sensor) {
    this(
        options,
        teacher.student(sensor),
        teacher,
        around("cross_sensor.Onto", options, teacher.studentModel(sensor, options.seed())),
        Set.of());
  }

  private SensorTask(
      SensorOptions options,
      ModelConfig config,
      Teacher teacher,
      ScriptModule root,
      Set<String> pretrained) {
    this.options = options;
    this.config = config;
    this.teacher = teacher;
    this.root = root;
    this.pretrained = Set.copyOf(pretrained);
  }

  /** Returns what a training of this seed starts from. */
  static ScriptModule model(ModelConfig config, long seed, Map<String, float[]> pretrained) {
    Weights start = PretrainedTower.start(pretrained, Weights.random(seed));
    return MtgfeArchitecture.build(config, start.below("model"));
  }

  private static ScriptModule around(String name, SensorOptions options, ScriptModule model) {
    SensorOptions.Losses losses = options.losses();
    ScriptModule objective =
        new ScriptModule("cross_sensor.Objective")
            .with(
                "mutual",
                new ScriptModule("cross_sensor.MutualInformation")
                    .with("log_scale", logScale(losses.temperature()))
                    .with("within", losses.within() ? 1.0 : 0.0))
            .with("angular", new ScriptModule("cross_sensor.AngularDistance"))
            .with(
                "neighbours",
                new ScriptModule("cross_sensor.NearestNeighbours").with("k", losses.nearest()))
            .with(
                "patches",
                new ScriptModule("cross_sensor.Patches").with("temperature", losses.temperature()))
            .with("tokens", new ScriptModule("cross_sensor.SameTokens"));
    return new ScriptModule(name).with("model", model).with("objective", objective);
  }

  /** Returns the logarithm of the factor that cosines are multiplied by, (1). */
  static ScriptTensor logScale(double temperature) {
    return ScriptTensor.parameter(new float[] {(float) -Math.log(temperature)}, 1);
  }

  @Override
  public ScriptModule root() {
    return root;
  }

  @Override
  public Map<String, String> sources() {
    return sources(config, options.precision());
  }

  static Map<String, String> sources(ModelConfig config, Precision precision) {
    List<SensorConfig> sensors = config.sensors();
    return TrainableScript.filledIn(
        MtgfeArchitecture.sources(
            config, MtgfeArchitecture.Dropout.NONE, precision, SensorTask.class, "cross_sensor"),
        "cross_sensor",
        Map.of("FIRST", sensors.get(0).name(), "SECOND", sensors.get(sensors.size() - 1).name()));
  }

  @Override
  public Settings settings() {
    return new Settings(
        List.of("mutual", "angular", "neighbours", "patches", "tokens"),
        options.seed(),
        options.optimiser().settings(),
        options::learningRate);
  }

  @Override
  public boolean trains(String name) {
    SensorOptions.Losses losses = options.losses();
    if (name.equals("objective.mutual.log_scale")) {
      return losses.learnTemperature() && losses.mutual() > 0;
    }
    if (name.startsWith("model.filter.")) {
      return teacher == null && losses.mutual() + losses.angular() + losses.neighbours() > 0;
    }
    return losses.patches() + losses.tokens() > 0
        || !MtgfeArchitecture.isOfPatchesAlone(config, name);
  }

  @Override
  public double rateFactor(String parameter) {
    return pretrained.contains(parameter) ? options.pretrainedRate() : 1;
  }

  @Override
  public QueueShape queue() {
    int capacity = options.losses().queue();
    return new QueueShape(capacity > 0, capacity, config.embeddingDimension());
  }

  @Override
  public Call forward(NDManager manager, SensorSet.Batch batch, int step, FeatureQueue queue) {
    List<SensorConfig> sensors = config.sensors();
    NDList inputs =
        teacher == null
            ? new NDList(pixels(manager, batch.first(), batch.images(), sensors.get(0)))
            : teacher.encode(manager, batch);
    inputs.addAll(
        new NDList(
            pixels(manager, batch.second(), batch.images(), sensors.get(sensors.size() - 1)),
            queue.features(),
            manager.create(batch.place()),
            manager.create(batch.tokens()),
            manager.create(options.weights(step))));
    return new Call(teacher == null ? "across" : "onto", inputs);
  }

  @Override
  public void afterForward(NDManager manager, NDList outputs, FeatureQueue queue) {
    if (queue().used()) {
      queue.push(manager, outputs.get(1));
    }
  }

  private static NDArray pixels(
      NDManager manager, float[] values, int images, SensorConfig sensor) {
    int s = sensor.imageSize();
    return manager.create(values, new Shape(images, sensor.channels(), s, s));
  }
}
