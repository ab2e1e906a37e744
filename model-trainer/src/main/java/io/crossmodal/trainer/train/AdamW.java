/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptSources;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * AdamW with a bound on the global norm of the gradient and a moving average of the weights, fused
 * over all tensors.
 *
 * <p>DJL's own optimisers hide their moments, so a run could not be resumed with them, and they
 * make a native call per tensor. Matrices decay, vectors do not.
 */
public final class AdamW implements AutoCloseable {
  /** Adam's two moments, its step counter and the moving average, per parameter. */
  private record Slot(
      NDArray parameter, NDArray first, NDArray second, NDArray count, NDArray average) {}

  /**
   * What does not change from step to step.
   *
   * @param weightDecay decoupled
   * @param clip largest global norm of the gradient
   * @param averaging decay of the moving average
   */
  public record Settings(double weightDecay, double clip, double averaging) {}

  private final Settings settings;
  private final TrainableScript script;
  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final Map<String, NDArray> buffers;
  private final Map<String, NDArray> averagedBuffers = new LinkedHashMap<>();

  /** Gradients keep their place in memory from the first backward pass on. */
  private Map<Boolean, List<NDArray>> gradients = Map.of();

  private int steps;

  /**
   * An optimiser that has taken no step.
   *
   * @param parameters live tensors that a backward pass gives gradients to, by name
   * @param buffers live tensors that are averaged only (statistics of batch norms), by name
   * @param scratch an existing folder
   */
  public AdamW(
      Settings settings,
      Map<String, NDArray> parameters,
      Map<String, NDArray> buffers,
      Path scratch)
      throws IOException {
    this.settings = settings;
    this.script =
        new TrainableScript(
            new ScriptModule("adamw.AdamW"),
            Map.of("adamw", ScriptSources.resource(AdamW.class, "adamw")),
            scratch);
    this.buffers = new LinkedHashMap<>(buffers);
    NDManager manager = script.manager();
    parameters.forEach(
        (name, value) ->
            slots.put(
                name,
                new Slot(
                    value,
                    manager.zeros(value.getShape()),
                    manager.zeros(value.getShape()),
                    manager.zeros(new Shape()),
                    manager.create(value.toFloatArray(), value.getShape()))));
    buffers.forEach(
        (name, value) ->
            averagedBuffers.put(name, manager.create(value.toFloatArray(), value.getShape())));
  }

  /** Steps taken so far. */
  public int steps() {
    return steps;
  }

  /**
   * Updates every parameter from its gradient, which is zero afterwards.
   *
   * @param rate the learning rate
   * @param summed how many backward passes the gradients add up; their mean counts
   * @return false, and nothing changed, where a gradient is no finite number
   */
  public boolean step(double rate, int summed) {
    if (gradients.isEmpty()) {
      gradients = Map.of(true, gradients(true), false, gradients(false));
    }
    List<NDArray> all = new ArrayList<>(gradients.get(true));
    all.addAll(gradients.get(false));
    double norm;
    try (IValue list = list(all);
        IValue result = IValueUtils.runMethod(script.block(), "norm", list);
        NDArray value = result.toTensor(script.manager())) {
      norm = value.getFloat() / summed;
    }
    if (!Double.isFinite(norm)) {
      return false;
    }
    double scale = Math.min(1, settings.clip() / (norm + 1e-6)) / summed;
    // Early on the average follows closely, as in TensorFlow's ExponentialMovingAverage.
    double follow = 1 - Math.min(settings.averaging(), (1.0 + steps) / (10 + steps));
    for (boolean matrices : new boolean[] {true, false}) {
      List<Slot> group = slots(matrices);
      if (!group.isEmpty()) {
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
            IValue.from(matrices ? settings.weightDecay() : 0.0),
            IValue.from(follow));
      }
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

  /** Of the matrices, which decay, or of the vectors, which do not. */
  private List<NDArray> gradients(boolean matrices) {
    List<NDArray> found = new ArrayList<>();
    for (Slot slot : slots(matrices)) {
      NDArray gradient = slot.parameter().getGradient();
      gradient.attach(script.manager());
      found.add(gradient);
    }
    return found;
  }

  private List<Slot> slots(boolean matrices) {
    return slots.values().stream()
        .filter(slot -> slot.parameter().getShape().dimension() > 1 == matrices)
        .toList();
  }

  private void run(String method, IValue... arguments) {
    try {
      IValueUtils.runMethod(script.block(), method, arguments).close();
    } finally {
      for (IValue argument : arguments) {
        argument.close();
      }
    }
  }

  private static IValue list(List<NDArray> arrays) {
    return IValue.listFrom(arrays.stream().map(PtNDArray.class::cast).toArray(PtNDArray[]::new));
  }

  /** The moving averages of parameters and buffers, by name; live. */
  public Map<String, NDArray> averages() {
    Map<String, NDArray> averages = new LinkedHashMap<>(averagedBuffers);
    slots.forEach((name, slot) -> averages.put(name, slot.average()));
    return averages;
  }

  /** Writes every array that changes in training, and the number of steps, as safetensors. */
  public void write(OutputStream out) throws IOException {
    NDList state = arrays();
    try (NDArray count = script.manager().create(new long[] {steps}, new Shape(1))) {
      add(state, "steps", count);
      state.encode(out, NDList.Encoding.SAFETENSORS);
    }
  }

  private NDList arrays() {
    NDList arrays = new NDList();
    slots.forEach(
        (name, slot) -> {
          add(arrays, "parameter." + name, slot.parameter());
          add(arrays, "first." + name, slot.first());
          add(arrays, "second." + name, slot.second());
          add(arrays, "count." + name, slot.count());
          add(arrays, "average." + name, slot.average());
        });
    buffers.forEach((name, buffer) -> add(arrays, "buffer." + name, buffer));
    averagedBuffers.forEach((name, buffer) -> add(arrays, "averaged_buffer." + name, buffer));
    return arrays;
  }

  private static void add(NDList state, String name, NDArray array) {
    array.setName(name);
    state.add(array);
  }

  /**
   * Continues from what {@link #write} wrote.
   *
   * @throws IllegalArgumentException when an array is missing or has another shape, naming it
   */
  public void read(InputStream in) throws IOException {
    Map<String, NDArray> saved = new LinkedHashMap<>();
    try (NDManager call = script.manager().newSubManager()) {
      for (NDArray array : NDList.decode(call, in)) {
        saved.put(array.getName(), array);
      }
      restore(saved);
    }
  }

  private void restore(Map<String, NDArray> saved) {
    for (NDArray array : arrays()) {
      NDArray value = saved.get(array.getName());
      if (value == null || !value.getShape().equals(array.getShape())) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%s should be %s, found %s",
                array.getName(),
                array.getShape(),
                value == null ? "none" : value.getShape()));
      }
      run("assign", IValue.from((PtNDArray) array), IValue.from((PtNDArray) value));
    }
    steps = (int) saved.get("steps").getLong(0);
  }

  @Override
  public void close() {
    script.close();
  }
}
