/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.LazyTensor;
import io.crossmodal.trainer.train.AdamW;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A model of two sensors with its losses and its optimiser state in native memory, and one training
 * step. Not thread-safe, and one at a time per JVM: DJL allows a single gradient collector.
 */
final class SensorModule implements AutoCloseable, TrainingLoop.Trainee<SensorBatch, SensorLosses> {
  private static final String QUEUE = "queue";

  private final SensorOptions options;
  private final ModelConfig config;
  private final TrainableScript script;
  private final AdamW optimiser;

  /** Features (2, B, D) of the last batches, the newest first. */
  private final Deque<float[]> queue = new ArrayDeque<>();

  SensorModule(SensorOptions options, ModelConfig config, Path scratch) throws IOException {
    this.options = options;
    this.config = config;
    this.script = new TrainableScript(root(options, config), sources(config), scratch);
    Map<String, NDArray> parameters = script.parameters();
    parameters.keySet().removeIf(name -> !used(name));
    this.optimiser =
        new AdamW(
            options.optimiser().settings(),
            AdamW.Late.NONE,
            parameters,
            script.buffers(),
            Map.of(),
            scratch);
  }

  /** What a training of this seed starts from. */
  static ScriptModule model(ModelConfig config, long seed) {
    Weights weights = Weights.random(seed);
    return MtgfeArchitecture.build(
        config, (name, init, shape) -> weights.get("model." + name, init, shape));
  }

  static ScriptModule root(SensorOptions options, ModelConfig config) {
    SensorOptions.Losses losses = options.losses();
    return new ScriptModule("cross_sensor.CrossSensor")
        .with("model", model(config, options.seed()))
        .with(
            "mutual",
            new ScriptModule("cross_sensor.MutualInformation")
                .with("temperature", losses.temperature()))
        .with("angular", new ScriptModule("cross_sensor.AngularDistance"))
        .with(
            "neighbours",
            new ScriptModule("cross_sensor.NearestNeighbours").with("k", losses.nearest()))
        .with(
            "patches",
            new ScriptModule("cross_sensor.Patches").with("temperature", losses.temperature()));
  }

  static Map<String, String> sources(ModelConfig config) {
    Map<String, String> sources =
        MtgfeArchitecture.sources(config, SensorModule.class, "cross_sensor");
    List<SensorConfig> sensors = config.sensors();
    sources.computeIfPresent(
        "cross_sensor",
        (name, source) ->
            source
                .replace("FIRST", sensors.get(0).name())
                .replace("SECOND", sensors.get(1).name()));
    return sources;
  }

  /** Whether a loss trains this parameter; without a gradient its weights would only decay. */
  private boolean used(String name) {
    // In a convolutional tower [CLS] is made of the last grid: patches go another way.
    boolean patchOnly = name.contains(".project.") || name.endsWith(".position");
    boolean transformer = config.image().layers() > 0;
    if (name.startsWith("model.filter.")) {
      SensorOptions.Losses losses = options.losses();
      return losses.mutual() + losses.angular() + losses.neighbours() > 0;
    }
    return transformer || !patchOnly || options.losses().patches() > 0;
  }

  @Override
  public int steps() {
    return optimiser.steps();
  }

  @Override
  public SensorLosses step(List<SensorBatch> batches) {
    SensorLosses losses;
    try (NDManager call = script.manager().newSubManager()) {
      losses = backward(call, batches.get(0));
    }
    // A gradient may overflow where the loss does not; it must not reach weights and checkpoint.
    return losses.finite() && optimiser.step(options.learningRate(optimiser.steps()), 1)
        ? losses
        : losses.diverged();
  }

  private SensorLosses backward(NDManager call, SensorBatch batch) {
    NDArray selector = call.create(0f);
    selector.setName("module_method:" + options.pairing().name().toLowerCase(Locale.ROOT));
    NDList inputs =
        new NDList(
            pixels(call, batch.first(), batch.images(), config.sensors().get(0)),
            pixels(call, batch.second(), batch.images(), config.sensors().get(1)),
            keys(call),
            call.create(batch.places()),
            call.create(options.weights(optimiser.steps())),
            selector);
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDList outputs = script.block().forward(new ParameterStore(call, false), inputs, true);
      outputs.attach(call);
      NDArray all = outputs.get(0);
      float[] values = all.toFloatArray();
      collector.backward(all.get(0));
      if (options.losses().queue() > 0) {
        queue.addFirst(outputs.get(1).toFloatArray());
        if (queue.size() > options.losses().queue() / options.batch()) {
          queue.removeLast();
        }
      }
      return new SensorLosses(values[0], values[1], values[2], values[3], values[4]);
    }
  }

  private static NDArray pixels(NDManager call, float[] values, int images, SensorConfig sensor) {
    int s = sensor.imageSize();
    return call.create(values, new Shape(images, sensor.channels(), s, s));
  }

  /** (2, Q, D). */
  private NDArray keys(NDManager call) {
    return call.create(queued(), new Shape(2, keyCount(), config.filterDimension()));
  }

  private int keyCount() {
    return queue.size() * options.batch();
  }

  private float[] queued() {
    int each = options.batch() * config.filterDimension();
    float[] keys = new float[2 * queue.size() * each];
    int at = 0;
    for (float[] features : queue) {
      System.arraycopy(features, 0, keys, at, each);
      System.arraycopy(features, each, keys, queue.size() * each + at, each);
      at += each;
    }
    return keys;
  }

  /** The averaged weights of the model alone, as an inference archive holds them. */
  StateDict averagedModel() {
    return script.state(optimiser.averages()).below("model");
  }

  @Override
  public void save(Path file) throws IOException {
    List<Long> shape = List.of(2L, (long) keyCount(), (long) config.filterDimension());
    optimiser.write(
        file, queue.isEmpty() ? Map.of() : Map.of(QUEUE, LazyTensor.computed(shape, this::queued)));
  }

  /**
   * Continues where a saved run stood.
   *
   * @throws IOException when the file is not a checkpoint of this model
   */
  void restore(Path file) throws IOException {
    try {
      LazyTensor saved = optimiser.read(file).get(QUEUE);
      if (saved != null) {
        float[] keys = saved.values();
        int each = options.batch() * config.filterDimension();
        for (int at = 0; at < keys.length / 2; at += each) {
          float[] features = new float[2 * each];
          System.arraycopy(keys, at, features, 0, each);
          System.arraycopy(keys, keys.length / 2 + at, features, each, each);
          queue.addLast(features);
        }
      }
    } catch (IllegalArgumentException e) {
      throw new IOException(file + " is no checkpoint of this run: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    optimiser.close();
    script.close();
  }
}
