/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptSources;
import io.crossmodal.trainer.checkpoint.LazyTensor;
import io.crossmodal.trainer.checkpoint.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * AdamW with a bound on the global norm of the gradient and a moving average of the weights, fused
 * over all tensors.
 *
 * <p>DJL's own optimisers hide their moments, so a run could not be resumed with them, and they
 * make a native call per tensor. Matrices decay; vectors do not, nor do tables of words and
 * positions, whose rows would shrink at every step that has no use for them.
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

  /**
   * Parameters that have no gradient until a certain step.
   *
   * @param names of them
   * @param from that step
   */
  public record Delayed(Set<String> names, int from) {
    /** All parameters from the first step. */
    public static final Delayed NONE = new Delayed(Set.of(), 0);

    public Delayed {
      names = Set.copyOf(names);
    }
  }

  /** What the members of a group share. */
  private record Kind(boolean delayed, boolean decays, double rateFactor) {}

  /** What one fused call updates. */
  private record Group(Kind kind, List<Slot> slots) {}

  /** Last words of the names of tensors that are looked up or added, not multiplied with. */
  private static final Set<String> TABLES = Set.of("word", "position", "cls");

  /** Exact as a float up to 2^24 of them. */
  private static final String STEPS = "steps";

  private final Settings settings;
  private final Delayed delayed;
  private final TrainableScript script;
  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final Map<String, NDArray> buffers;
  private final Map<String, NDArray> averagedBuffers = new LinkedHashMap<>();

  private final List<Group> groups = new ArrayList<>();

  /** Gradients keep their place in memory from the first backward pass on. */
  private final Map<Group, List<NDArray>> gradients = new HashMap<>();

  private int steps;

  private double norm;

  /**
   * Makes an optimiser that has taken no step.
   *
   * @param parameters live tensors that a backward pass gives gradients to, by name
   * @param buffers live tensors that are averaged only (statistics of batch norms), by name
   * @param delayed which of the parameters join later
   * @param rateFactors of the parameters: what the learning rate is multiplied by
   * @param averages live tensors to keep moving averages in, by the same names; others get their
   *     own
   * @param scratch an existing folder
   */
  public AdamW(
      Settings settings,
      Delayed delayed,
      ToDoubleFunction<String> rateFactors,
      Map<String, NDArray> parameters,
      Map<String, NDArray> buffers,
      Map<String, NDArray> averages,
      Path scratch)
      throws IOException {
    this.settings = settings;
    this.delayed = delayed;
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
                    averages.containsKey(name) ? averages.get(name) : copy(value))));
    buffers.forEach(
        (name, value) ->
            averagedBuffers.put(
                name, averages.containsKey(name) ? averages.get(name) : copy(value)));
    Map<Kind, List<Slot>> kinds = new LinkedHashMap<>();
    slots.forEach(
        (name, slot) ->
            kinds
                .computeIfAbsent(
                    new Kind(
                        delayed.names().contains(name),
                        decays(name, slot),
                        rateFactors.applyAsDouble(name)),
                    kind -> new ArrayList<>())
                .add(slot));
    kinds.forEach((kind, members) -> groups.add(new Group(kind, members)));
  }

  private NDArray copy(NDArray value) {
    return script.manager().create(value.toFloatArray(), value.getShape());
  }

  /** Returns how many steps were taken so far. */
  public int steps() {
    return steps;
  }

  /** Returns the norm of the last step's gradient, before it is clipped. */
  public double gradientNorm() {
    return norm;
  }

  /**
   * Updates every parameter from its gradient, which is zero afterwards.
   *
   * @param rate the learning rate
   * @param summed how many backward passes the gradients add up; their mean counts
   * @return false, and nothing changed, where a gradient is no finite number: {@link #skip} then
   */
  public boolean step(double rate, int summed) {
    List<Group> active = active();
    List<NDArray> all = new ArrayList<>();
    for (Group group : active) {
      all.addAll(gradients.computeIfAbsent(group, this::gradients));
    }
    try (IValue list = list(all);
        IValue result = IValueUtils.runMethod(script.block(), "norm", list);
        NDArray value = result.toTensor(script.manager())) {
      norm = value.getFloat() / summed;
    }
    if (!Double.isFinite(norm)) {
      return false;
    }
    double scale = Math.min(1, settings.clip() / (norm + 1e-6)) / summed;
    for (Group group : active) {
      int since = group.kind().delayed() ? steps - delayed.from() : steps;
      run(
          "step",
          list(group.slots().stream().map(Slot::parameter).toList()),
          list(gradients.get(group)),
          list(group.slots().stream().map(Slot::first).toList()),
          list(group.slots().stream().map(Slot::second).toList()),
          list(group.slots().stream().map(Slot::count).toList()),
          list(group.slots().stream().map(Slot::average).toList()),
          IValue.from(scale),
          IValue.from(rate * group.kind().rateFactor()),
          IValue.from(group.kind().decays() ? settings.weightDecay() : 0.0),
          IValue.from(follow(since)));
    }
    if (!buffers.isEmpty()) {
      run(
          "lerp",
          list(List.copyOf(averagedBuffers.values())),
          list(List.copyOf(buffers.values())),
          IValue.from(follow(steps)));
    }
    steps++;
    return true;
  }

  /**
   * Takes a step that changes nothing but the count: gradients are zero afterwards, and buffers,
   * which a forward pass may have spoilt, their moving averages.
   */
  public void skip() {
    buffers.forEach((name, buffer) -> assign(buffer, averagedBuffers.get(name)));
    active().forEach(g -> run("zero", list(gradients.computeIfAbsent(g, this::gradients))));
    steps++;
  }

  /**
   * Returns how closely the average follows: early on more, as in TensorFlow's
   * ExponentialMovingAverage.
   */
  private double follow(int since) {
    return 1 - Math.min(settings.averaging(), (1.0 + since) / (10 + since));
  }

  private List<Group> active() {
    return groups.stream()
        .filter(group -> !group.kind().delayed() || steps >= delayed.from())
        .toList();
  }

  private List<NDArray> gradients(Group group) {
    List<NDArray> found = new ArrayList<>();
    for (Slot slot : group.slots()) {
      NDArray gradient = slot.parameter().getGradient();
      gradient.attach(script.manager());
      found.add(gradient);
    }
    return found;
  }

  private static boolean decays(String name, Slot slot) {
    return slot.parameter().getShape().dimension() > 1
        && !TABLES.contains(name.substring(name.lastIndexOf('.') + 1));
  }

  private void assign(NDArray array, NDArray value) {
    run("assign", IValue.from((PtNDArray) array), IValue.from((PtNDArray) value));
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

  /** Returns the moving averages of parameters and buffers, by name; live. */
  public Map<String, NDArray> averages() {
    Map<String, NDArray> averages = new LinkedHashMap<>(averagedBuffers);
    slots.forEach((name, slot) -> averages.put(name, slot.average()));
    return averages;
  }

  /**
   * Writes every array that changes in training, and the number of steps, as safetensors; whole or
   * not at all.
   *
   * @param beside what else a resumed run needs, by names that no parameter has
   * @throws io.crossmodal.trainer.checkpoint.CheckpointException when a value is no finite number
   */
  public void write(Path file, Map<String, LazyTensor> beside) throws IOException {
    Map<String, LazyTensor> state = new LinkedHashMap<>(beside);
    arrays()
        .forEach(
            (name, array) ->
                state.put(name, LazyTensor.computed(shape(array), array::toFloatArray)));
    state.put(STEPS, LazyTensor.computed(List.of(), () -> new float[] {steps}));
    // Always the same name, so that what a killed run left is overwritten.
    Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
    try {
      Safetensors.write(temporary, state);
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  static List<Long> shape(NDArray array) {
    return Arrays.stream(array.getShape().getShape()).boxed().toList();
  }

  private Map<String, NDArray> arrays() {
    Map<String, NDArray> arrays = new LinkedHashMap<>();
    slots.forEach(
        (name, slot) -> {
          arrays.put("parameter." + name, slot.parameter());
          arrays.put("first." + name, slot.first());
          arrays.put("second." + name, slot.second());
          arrays.put("count." + name, slot.count());
          arrays.put("average." + name, slot.average());
        });
    buffers.forEach((name, buffer) -> arrays.put("buffer." + name, buffer));
    averagedBuffers.forEach((name, buffer) -> arrays.put("averaged_buffer." + name, buffer));
    return arrays;
  }

  /**
   * Continues from what {@link #write} wrote.
   *
   * @return the file's tensors, among them those written beside
   * @throws IOException when the file is damaged
   * @throws IllegalArgumentException when an array is missing or has another shape, naming it
   */
  public Map<String, LazyTensor> read(Path file) throws IOException {
    Map<String, LazyTensor> saved = Safetensors.read(file);
    Map<String, NDArray> arrays = arrays();
    // All of them first: a state that does not fit must not be taken by half.
    for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
      check(entry.getKey(), shape(entry.getValue()), saved.get(entry.getKey()));
    }
    check(STEPS, List.of(), saved.get(STEPS));
    for (Map.Entry<String, NDArray> entry : arrays.entrySet()) {
      try (NDArray value =
          script
              .manager()
              .create(saved.get(entry.getKey()).values(), entry.getValue().getShape())) {
        assign(entry.getValue(), value);
      }
    }
    steps = (int) saved.get(STEPS).values()[0];
    return saved;
  }

  private static void check(String name, List<Long> expected, LazyTensor found) {
    if (found == null || !found.shape().equals(expected)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s should be %s, found %s",
              name,
              expected,
              found == null ? "none" : found.shape()));
    }
  }

  @Override
  public void close() {
    script.close();
  }
}
