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
 * A model of two sensors, or of one beside a frozen teacher, with its losses and its optimiser
 * state in native memory, and one training step. Not thread-safe, and one at a time per JVM: DJL
 * allows a single gradient collector.
 */
final class SensorModule implements AutoCloseable, TrainingLoop.Trainee<SensorBatch, SensorLosses> {
  private static final String QUEUE = "queue";

  private final SensorOptions options;
  private final ModelConfig config;

  /** Null for a training from scratch. */
  private final Teacher teacher;

  private final TrainableScript script;
  private final AdamW optimiser;

  /** Features (2, B, D) of the last batches, the newest first. */
  private final Deque<float[]> queue = new ArrayDeque<>();

  /** Two sensors from scratch. */
  SensorModule(SensorOptions options, ModelConfig config, Path scratch) throws IOException {
    this(options, config, null, root(options, model(config, options.seed())), scratch);
  }

  /**
   * A new sensor onto a teacher.
   *
   * @param teacher stays the caller's
   */
  SensorModule(SensorOptions options, Teacher teacher, SensorConfig sensor, Path scratch)
      throws IOException {
    this(
        options,
        teacher.student(sensor),
        teacher,
        around("cross_sensor.Onto", options, teacher.studentModel(sensor, options.seed())),
        scratch);
  }

  private SensorModule(
      SensorOptions options, ModelConfig config, Teacher teacher, ScriptModule root, Path scratch)
      throws IOException {
    this.options = options;
    this.config = config;
    this.teacher = teacher;
    this.script = new TrainableScript(root, sources(config), scratch);
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

  private static ScriptModule root(SensorOptions options, ScriptModule model) {
    return around("cross_sensor.CrossSensor", options, model);
  }

  private static ScriptModule around(String name, SensorOptions options, ScriptModule model) {
    SensorOptions.Losses losses = options.losses();
    ScriptModule objective =
        new ScriptModule("cross_sensor.Objective")
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
                new ScriptModule("cross_sensor.Patches").with("temperature", losses.temperature()))
            .with("tokens", new ScriptModule("cross_sensor.SameTokens"));
    return new ScriptModule(name).with("model", model).with("objective", objective);
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
                .replace("SECOND", sensors.get(sensors.size() - 1).name()));
    return sources;
  }

  /** Whether a loss trains this parameter; without a gradient its weights would only decay. */
  private boolean used(String name) {
    // In a convolutional tower [CLS] is made of the last grid: patches go another way.
    boolean patchOnly = name.contains(".project.") || name.endsWith(".position");
    boolean transformer = config.image().layers() > 0;
    SensorOptions.Losses losses = options.losses();
    if (name.startsWith("model.filter.")) {
      return teacher == null && losses.mutual() + losses.angular() + losses.neighbours() > 0;
    }
    return transformer || !patchOnly || losses.patches() + losses.tokens() > 0;
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
    String pairing = options.pairing().name().toLowerCase(Locale.ROOT);
    selector.setName("module_method:" + (teacher == null ? pairing : "onto"));
    List<SensorConfig> sensors = config.sensors();
    NDList inputs =
        teacher == null
            ? new NDList(pixels(call, batch.first(), batch.images(), sensors.get(0)))
            : teacher.encode(call, batch);
    inputs.addAll(
        new NDList(
            pixels(call, batch.second(), batch.images(), sensors.get(sensors.size() - 1)),
            keys(call),
            call.create(batch.places()),
            call.create(options.weights(optimiser.steps())),
            selector));
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
      return new SensorLosses(values[0], values[1], values[2], values[3], values[4], values[5]);
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
