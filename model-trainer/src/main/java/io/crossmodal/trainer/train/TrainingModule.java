/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TorchEngine;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The model with its losses and its optimiser state in native memory, and one training step.
 *
 * <p>Forward, backward and update are three calls into libtorch; the update is fused over all
 * tensors. Not thread-safe, and one at a time per JVM: DJL allows a single gradient collector.
 */
final class TrainingModule implements AutoCloseable {
  /** Adam's two moments, its step counter and the moving average, per parameter. */
  private record Slot(
      NDArray parameter, NDArray first, NDArray second, NDArray count, NDArray average) {}

  private final TrainingOptions options;
  private final ModelConfig config;
  private final SensorConfig sensor;
  private final Model model;
  private final PtSymbolBlock block;
  private final PtNDManager manager;
  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final Map<String, NDArray> buffers = new LinkedHashMap<>();
  private final Map<String, NDArray> averagedBuffers = new LinkedHashMap<>();

  /** Gradients keep their place in memory from the first backward pass on. */
  private Map<Boolean, List<NDArray>> gradients = Map.of();

  private int steps;

  /** A module of fresh weights. */
  TrainingModule(TrainingOptions options, ModelConfig config, Path scratch) throws IOException {
    this.options = options;
    this.config = config;
    this.sensor = config.sensors().get(0);
    TorchEngine.configure();
    this.model = Model.newInstance("training", "PyTorch");
    ScriptModule root = root(Weights.random(options.seed()));
    StateDict state = StateDict.of(root);
    load(root, state, scratch);
    this.block = (PtSymbolBlock) model.getBlock();
    this.manager = (PtNDManager) model.getNDManager();
    JniUtils.enableTrainingMode(block);
    collectSlots();
    collectBuffers(state);
  }

  private ScriptModule root(Weights weights) {
    TrainingOptions.Tasks tasks = options.tasks();
    Weights inModel = (name, init, shape) -> weights.get("model." + name, init, shape);
    return new ScriptModule("training.Training")
        .with("model", MtgfeArchitecture.build(config, inModel))
        .with("mlm", TrainingHeads.maskedLanguage(config, weights))
        .with("mvjrc", TrainingHeads.multiView(config, weights))
        .with("itc_weight", tasks.itc())
        .with("itm_weight", tasks.itm())
        .with("mlm_weight", tasks.mlm())
        .with("mvjrc_weight", tasks.mvjrc());
  }

  private void load(ScriptModule root, StateDict state, Path scratch) throws IOException {
    List<String> names = new ArrayList<>();
    state
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!tensor.trainable()) {
                names.add("self." + name);
              }
            });
    String list =
        names.isEmpty() ? "annotate(List[Tensor], [])" : "[" + String.join(", ", names) + "]";
    Map<String, String> sources =
        MtgfeArchitecture.sources(config, TrainingModule.class, "training");
    sources.computeIfPresent(
        "training",
        (name, source) -> source.replace("BUFFERS", list).replace("SENSOR", sensor.name()));
    Path folder = Files.createTempDirectory(scratch, "training-");
    Path archive = folder.resolve("training.pt");
    try (OutputStream out = Files.newOutputStream(archive)) {
      ScriptArchiveWriter.write(out, root, sources);
    }
    try {
      model.load(folder, "training", Map.of("trainParam", "true"));
    } catch (MalformedModelException e) {
      throw new IllegalStateException("the training archive does not load", e);
    } finally {
      Files.delete(archive);
      Files.delete(folder);
    }
  }

  private void collectSlots() {
    TrainingOptions.Tasks tasks = options.tasks();
    for (var parameter : block.getParameters()) {
      String name = parameter.getKey();
      if (used(name, tasks)) {
        NDArray value = parameter.getValue().getArray();
        slots.put(
            name,
            new Slot(
                value,
                manager.zeros(value.getShape()),
                manager.zeros(value.getShape()),
                manager.zeros(new Shape()),
                manager.create(value.toFloatArray(), value.getShape())));
      }
    }
  }

  /** Whether a task trains this parameter; without a gradient its weights would only decay. */
  private static boolean used(String name, TrainingOptions.Tasks tasks) {
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
    return !name.startsWith("model.fusion.") || tasks.itm() + tasks.mlm() + tasks.mvjrc() > 0;
  }

  private void collectBuffers(StateDict state) {
    try (IValue value = IValueUtils.runMethod(block, "buffers")) {
      int i = 0;
      NDList live = value.toNDList(manager);
      for (Map.Entry<String, ScriptTensor> entry : state.tensors().entrySet()) {
        if (!entry.getValue().trainable()) {
          NDArray buffer = live.get(i++);
          buffers.put(entry.getKey(), buffer);
          averagedBuffers.put(
              entry.getKey(), manager.create(buffer.toFloatArray(), buffer.getShape()));
        }
      }
    }
  }

  /** Steps taken so far. */
  int steps() {
    return steps;
  }

  /**
   * Forward, backward, update; no update where a loss or a gradient is no finite number.
   *
   * @param batches as many as {@link TrainingOptions#accumulate}
   * @return their mean losses
   */
  Losses step(List<Batch> batches) {
    Losses sum = Losses.NONE;
    for (Batch batch : batches) {
      try (NDManager call = manager.newSubManager()) {
        sum = sum.plus(backward(call, batch));
      }
    }
    if (gradients.isEmpty()) {
      gradients = Map.of(true, gradients(true), false, gradients(false));
    }
    Losses losses = sum.times(1.0 / batches.size());
    // A gradient may overflow where the loss does not; it must not reach weights and checkpoint.
    return losses.finite() && update(batches.size()) ? losses : losses.diverged();
  }

  private Losses backward(NDManager call, Batch batch) {
    int b = batch.size();
    int n = batch.tokens();
    int s = sensor.imageSize();
    NDArray selector = call.create(0f);
    selector.setName("module_method:loss");
    NDList inputs =
        new NDList(
            call.create(
                batch.pixels(), new Shape((long) batch.views() * b, sensor.channels(), s, s)),
            call.create(batch.ids(), new Shape(b, n)),
            call.create(batch.mask(), new Shape(b, n)),
            call.create(batch.masked(), new Shape(b, n)),
            call.create(batch.labels(), new Shape(b, n)),
            call.create(batch.matches(), new Shape(b, b)),
            call.create(batch.noise(), new Shape(2, b, b)),
            call.create(batch.hard(), new Shape(b, 1)),
            selector);
    try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
      NDList outputs = block.forward(new ParameterStore(call, false), inputs, true);
      outputs.attach(call);
      NDArray all = outputs.singletonOrThrow();
      float[] values = all.toFloatArray();
      collector.backward(all.get(0));
      return new Losses(values[0], values[1], values[2], values[3], values[4]);
    }
  }

  /** Of the matrices, which decay, or of the vectors, which do not. */
  private List<NDArray> gradients(boolean matrices) {
    List<NDArray> gradients = new ArrayList<>();
    for (Slot slot : slots(matrices)) {
      NDArray gradient = slot.parameter().getGradient();
      gradient.attach(manager);
      gradients.add(gradient);
    }
    return gradients;
  }

  private List<Slot> slots(boolean matrices) {
    return slots.values().stream()
        .filter(slot -> slot.parameter().getShape().dimension() > 1 == matrices)
        .toList();
  }

  /**
   * False, and nothing changed, where the gradient is not finite.
   *
   * @param summed how many gradients have been added up
   */
  private boolean update(int summed) {
    List<NDArray> all = new ArrayList<>(gradients.get(true));
    all.addAll(gradients.get(false));
    double norm;
    try (IValue list = list(all);
        IValue result = IValueUtils.runMethod(block, "norm", list);
        NDArray value = result.toTensor(manager)) {
      norm = value.getFloat() / summed;
    }
    if (!Double.isFinite(norm)) {
      return false;
    }
    double scale = Math.min(1, options.clip() / (norm + 1e-6)) / summed;
    double rate = options.learningRate(steps);
    // Early on the average follows closely, as in TensorFlow's ExponentialMovingAverage.
    double follow = 1 - Math.min(options.averaging(), (1.0 + steps) / (10 + steps));
    for (boolean matrices : new boolean[] {true, false}) {
      List<Slot> group = slots(matrices);
      run(
          "step",
          list(group.stream().map(Slot::parameter).toList()),
          list(gradients.get(matrices)),
          list(group.stream().map(Slot::first).toList()),
          list(group.stream().map(Slot::second).toList()),
          list(group.stream().map(Slot::count).toList()),
          list(group.stream().map(Slot::average).toList()),
          IValue.from(scale),
          IValue.from(rate),
          IValue.from(matrices ? options.weightDecay() : 0.0),
          IValue.from(follow));
    }
    if (!buffers.isEmpty()) {
      run(
          "lerp",
          list(List.copyOf(averagedBuffers.values())),
          list(List.copyOf(buffers.values())),
          IValue.from(follow));
    }
    steps++;
    return true;
  }

  private void run(String method, IValue... arguments) {
    try {
      IValueUtils.runMethod(block, method, arguments).close();
    } finally {
      for (IValue argument : arguments) {
        argument.close();
      }
    }
  }

  private static IValue list(List<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  /** The averaged weights of the model alone, as an inference archive holds them. */
  StateDict averagedModel() {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
    StateDict initial = StateDict.of(root(Weights.random(options.seed())));
    for (Map.Entry<String, ScriptTensor> entry : initial.tensors().entrySet()) {
      String name = entry.getKey();
      if (name.startsWith("model.")) {
        ScriptTensor tensor = entry.getValue();
        if (slots.containsKey(name)) {
          tensor = ScriptTensor.parameter(slots.get(name).average().toFloatArray(), tensor.shape());
        } else if (averagedBuffers.containsKey(name)) {
          tensor = ScriptTensor.buffer(averagedBuffers.get(name).toFloatArray(), tensor.shape());
        }
        tensors.put(name.substring("model.".length()), tensor);
      }
    }
    return new StateDict(tensors);
  }

  /** Writes everything that a resumed run needs; whole or not at all. */
  void save(Path file) throws IOException {
    NDList state = state();
    NDArray count = manager.create(new long[] {steps}, new Shape(1));
    count.setName("steps");
    state.add(count);
    Path temporary = Files.createTempFile(file.toAbsolutePath().getParent(), "checkpoint-", ".tmp");
    try {
      try (OutputStream out = Files.newOutputStream(temporary)) {
        state.encode(out, NDList.Encoding.SAFETENSORS);
      }
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
      count.close();
    }
  }

  /**
   * Continues where a saved run stood.
   *
   * @throws IOException when the file is not a checkpoint of this model
   */
  void restore(Path file) throws IOException {
    try (NDManager call = manager.newSubManager();
        InputStream in = Files.newInputStream(file)) {
      Map<String, NDArray> saved = new LinkedHashMap<>();
      for (NDArray array : NDList.decode(call, in)) {
        saved.put(array.getName(), array);
      }
      for (NDArray array : state()) {
        NDArray value = saved.get(array.getName());
        if (value == null || !value.getShape().equals(array.getShape())) {
          throw new IOException(
              String.format(
                  Locale.ROOT,
                  "%s is no checkpoint of this run: %s should be %s, found %s",
                  file,
                  array.getName(),
                  array.getShape(),
                  value == null ? "none" : value.getShape()));
        }
        run("assign", IValue.from((PtNDArray) array), IValue.from((PtNDArray) value));
      }
      steps = (int) saved.get("steps").getLong(0);
    }
  }

  /** Every array that changes in training, live and named. */
  private NDList state() {
    NDList state = new NDList();
    slots.forEach(
        (name, slot) -> {
          add(state, "parameter." + name, slot.parameter());
          add(state, "first." + name, slot.first());
          add(state, "second." + name, slot.second());
          add(state, "count." + name, slot.count());
          add(state, "average." + name, slot.average());
        });
    buffers.forEach((name, buffer) -> add(state, "buffer." + name, buffer));
    averagedBuffers.forEach((name, buffer) -> add(state, "averaged_buffer." + name, buffer));
    return state;
  }

  private static void add(NDList state, String name, NDArray array) {
    array.setName(name);
    state.add(array);
  }

  @Override
  public void close() {
    model.close();
  }
}
