/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.LazyTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * The model with its losses and its optimiser state in native memory, and one training step.
 *
 * <p>Forward, backward and update are three calls into libtorch; the update is fused over all
 * tensors. Not thread-safe, and one at a time per JVM: DJL allows a single gradient collector.
 */
final class TrainingModule implements AutoCloseable, TrainingLoop.Trainee<Batch, Losses> {
  private static final String QUEUE = "queue";

  private final TrainingOptions options;
  private final ModelConfig config;
  private final SensorConfig sensor;
  private final TrainableScript script;
  private final AdamW optimiser;

  /** Null where ITC goes without momentum. */
  private final MomentumEncoder momentum;

  /** A module of fresh weights. */
  TrainingModule(TrainingOptions options, ModelConfig config, Path scratch) throws IOException {
    this(options, config, Weights.random(options.seed()), scratch);
  }

  /** A module of given weights. */
  TrainingModule(TrainingOptions options, ModelConfig config, Weights start, Path scratch)
      throws IOException {
    this.options = options;
    this.config = config;
    this.sensor = config.sensors().get(0);
    this.script = new TrainableScript(root(start), sources(), scratch);
    this.momentum =
        options.momentum().active()
            ? new MomentumEncoder(config, start, options.momentum().queue(), scratch)
            : null;
    this.optimiser =
        new AdamW(
            options.optimiser().settings(),
            late(),
            parameters(),
            script.buffers(),
            momentum == null ? Map.of() : momentum.weights(),
            scratch);
  }

  private ScriptModule root(Weights weights) {
    TrainingOptions.Tasks tasks = options.tasks();
    Weights inModel = (name, init, shape) -> weights.get("model." + name, init, shape);
    return new ScriptModule("training.Training")
        .with("model", MtgfeArchitecture.build(config, inModel))
        .with("mlm", TrainingHeads.maskedLanguage(config, weights))
        .with("mvjrc", TrainingHeads.multiView(config, weights))
        .with("contrast", new ScriptModule("contrast.Contrast"))
        .with(
            "momentum_contrast",
            new ScriptModule("contrast.MomentumContrast")
                .with("soft", options.momentum().softTargets()))
        .with("itc_weight", tasks.itc())
        .with("itm_weight", tasks.itm())
        .with("mlm_weight", tasks.mlm())
        .with("mvjrc_weight", tasks.mvjrc());
  }

  private Map<String, String> sources() {
    Map<String, String> sources =
        MtgfeArchitecture.sources(
            config,
            options.regularisation().dropout(),
            options.precision(),
            TrainingModule.class,
            "contrast",
            "training");
    sources.computeIfPresent("training", (name, source) -> source.replace("SENSOR", sensor.name()));
    return sources;
  }

  private Map<String, NDArray> parameters() {
    Map<String, NDArray> parameters = script.parameters();
    parameters.keySet().removeIf(name -> !used(name, options.tasks(), config.image()));
    return parameters;
  }

  /** What the filter alone has no use for. */
  private AdamW.Late late() {
    if (options.joining() == 0) {
      return AdamW.Late.NONE;
    }
    TrainingOptions.Tasks filterAlone = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0);
    Set<String> late = new HashSet<>(parameters().keySet());
    late.removeIf(name -> used(name, filterAlone, config.image()));
    return new AdamW.Late(late, options.joining());
  }

  /** Whether a task trains this parameter; without a gradient its weights would only decay. */
  private static boolean used(String name, TrainingOptions.Tasks tasks, ImageTowerConfig tower) {
    boolean fuses = tasks.itm() + tasks.mlm() + tasks.mvjrc() > 0;
    if (name.startsWith("mlm.")) {
      return tasks.mlm() > 0;
    }
    if (name.startsWith("mvjrc.")) {
      return tasks.mvjrc() > 0;
    }
    if (name.startsWith("model.itm.")) {
      return tasks.itm() > 0;
    }
    if (name.startsWith("model.filter.")) {
      return tasks.itc() > 0;
    }
    // The filter reads a convolutional tower's mean, which passes by what makes its tokens.
    boolean tokens =
        name.startsWith("model.image_")
            && tower.kind() != ImageTowerConfig.Kind.VISION_TRANSFORMER
            && (name.contains(".project.") || name.endsWith(".position"));
    return fuses || !(tokens || name.startsWith("model.fusion."));
  }

  @Override
  public int steps() {
    return optimiser.steps();
  }

  /**
   * Forward, backward, update; no update where a loss or a gradient is no finite number.
   *
   * @param batches as many as {@link TrainingOptions#accumulate}
   * @return their mean losses
   */
  @Override
  public Losses step(List<Batch> batches) {
    // What dropout draws depends on seed and step alone, so a resumed run draws the same.
    long draw = new SplittableRandom(options.seed() + optimiser.steps()).nextLong();
    Engine.getInstance().setRandomSeed((int) (draw >>> 32));
    Losses sum = Losses.NONE;
    for (Batch batch : batches) {
      try (NDManager call = script.manager().newSubManager()) {
        sum = sum.plus(backward(call, batch));
      }
    }
    Losses losses = sum.times(1.0 / batches.size());
    // A gradient may overflow where the loss does not; it must not reach weights and checkpoint.
    return losses.finite()
            && optimiser.step(options.learningRate(optimiser.steps()), batches.size())
        ? losses
        : losses.diverged();
  }

  private Losses backward(NDManager call, Batch batch) {
    int b = batch.size();
    int n = batch.tokens();
    int s = batch.side();
    NDArray selector = call.create(0f);
    selector.setName(
        "module_method:" + (optimiser.steps() < options.joining() ? "filter_loss" : "loss"));
    long images = (long) batch.views() * b;
    NDArray pixels = call.create(batch.pixels(), new Shape(images, sensor.channels(), s, s));
    NDArray ids = call.create(batch.ids(), new Shape(b, n));
    NDArray mask = call.create(batch.mask(), new Shape(b, n));
    NDList inputs =
        new NDList(
            pixels,
            ids,
            mask,
            call.create(batch.masked(), new Shape(b, n)),
            call.create(batch.labels(), new Shape(b, n)),
            call.create(batch.matches(), new Shape(b, b)),
            call.create(batch.noise(), new Shape(2, b, b)),
            call.create(batch.hard(), new Shape(b, 1)),
            momentum == null
                ? call.zeros(new Shape(2, 0, config.filterDimension()))
                : momentum.keys(call, pixels, ids, mask),
            call.create(batch.keyMatches(), new Shape(2, b, batch.keys())),
            selector);
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDList outputs = script.block().forward(new ParameterStore(call, false), inputs, true);
      outputs.attach(call);
      NDArray all = outputs.singletonOrThrow();
      float[] values = all.toFloatArray();
      collector.backward(all.get(0));
      return new Losses(values[0], values[1], values[2], values[3], values[4]);
    }
  }

  /** The averaged weights of the model alone, as an inference archive holds them. */
  StateDict averagedModel() {
    return script.state(optimiser.averages()).below("model");
  }

  @Override
  public void save(Path file) throws IOException {
    optimiser.write(file, queue());
  }

  private Map<String, LazyTensor> queue() {
    if (momentum == null) {
      return Map.of();
    }
    NDArray live = momentum.queue();
    return Map.of(QUEUE, LazyTensor.computed(AdamW.shape(live), live::toFloatArray));
  }

  /**
   * Continues where a saved run stood.
   *
   * @throws IOException when the file is not a checkpoint of this model
   */
  void restore(Path file) throws IOException {
    try {
      LazyTensor queue = optimiser.read(file).get(QUEUE);
      if (momentum != null) {
        momentum.restore(queue.values(), queue.shape().get(1));
      }
    } catch (IllegalArgumentException e) {
      throw new IOException(file + " is no checkpoint of this run: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    optimiser.close();
    if (momentum != null) {
      momentum.close();
    }
    script.close();
  }
}
