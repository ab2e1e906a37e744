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
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.train.FeatureQueue;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingTask;
import java.util.List;
import java.util.Map;

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

  /** Makes the task of two sensors from scratch. */
  SensorTask(SensorOptions options, ModelConfig config) {
    this(
        options,
        config,
        null,
        around("cross_sensor.CrossSensor", options, model(config, options.seed())));
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
        around("cross_sensor.Onto", options, teacher.studentModel(sensor, options.seed())));
  }

  private SensorTask(
      SensorOptions options, ModelConfig config, Teacher teacher, ScriptModule root) {
    this.options = options;
    this.config = config;
    this.teacher = teacher;
    this.root = root;
  }

  /** Returns what a training of this seed starts from. */
  static ScriptModule model(ModelConfig config, long seed) {
    return MtgfeArchitecture.build(config, Weights.random(seed).below("model"));
  }

  private static ScriptModule around(String name, SensorOptions options, ScriptModule model) {
    SensorOptions.Losses losses = options.losses();
    ScriptModule objective =
        new ScriptModule("cross_sensor.Objective")
            .with(
                "mutual",
                new ScriptModule("cross_sensor.MutualInformation")
                    .with("log_scale", logScale(losses.temperature())))
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
    return sources(config);
  }

  static Map<String, String> sources(ModelConfig config) {
    List<SensorConfig> sensors = config.sensors();
    return TrainableScript.filledIn(
        MtgfeArchitecture.sources(config, SensorTask.class, "cross_sensor"),
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
    // In a convolutional tower [CLS] is made of the last grid: patches go another way.
    boolean patchOnly = name.contains(".project.") || name.endsWith(".position");
    boolean transformer = config.image().layers() > 0;
    SensorOptions.Losses losses = options.losses();
    if (name.equals("objective.mutual.log_scale")) {
      return losses.learnTemperature() && losses.mutual() > 0;
    }
    if (name.startsWith("model.filter.")) {
      return teacher == null && losses.mutual() + losses.angular() + losses.neighbours() > 0;
    }
    return transformer || !patchOnly || losses.patches() + losses.tokens() > 0;
  }

  @Override
  public QueueShape queue() {
    int capacity = options.losses().queue();
    return new QueueShape(capacity > 0, capacity, config.filterDimension());
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
