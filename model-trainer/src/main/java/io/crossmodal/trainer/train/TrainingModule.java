/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.checkpoint.LazyTensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A task's module and its optimiser state in native memory, and one training step.
 *
 * <p>Forward, backward and update are three calls into libtorch; the update is fused over all
 * tensors. Not thread-safe, and one at a time per JVM: DJL allows a single gradient collector.
 *
 * @param <B> a batch
 */
public final class TrainingModule<B> implements AutoCloseable {
  private static final String QUEUE = "queue";

  /** Of random numbers, beside the purposes of {@link CaptionSet}. */
  private static final int DROPOUT = 6;

  private final TrainingTask<B> task;
  private final TrainingTask.Settings settings;
  private final TrainableScript script;
  private final AdamW optimiser;
  private final FeatureQueue queue;

  /**
   * Loads a task.
   *
   * @param task closed with this
   * @param scratch an existing folder for temporary files
   */
  public TrainingModule(TrainingTask<B> task, Path scratch) throws IOException {
    this.task = task;
    this.settings = task.settings();
    this.script = new TrainableScript(task.root(), task.sources(), scratch);
    Map<String, NDArray> parameters = script.parameters();
    script.freeze(name -> !task.trains(name));
    parameters.keySet().removeIf(name -> !task.trains(name));
    this.optimiser =
        new AdamW(
            settings.optimiser(),
            task.delayed(List.copyOf(parameters.keySet())),
            task::rateFactor,
            parameters,
            script.buffers(),
            task.averages(),
            scratch);
    TrainingTask.QueueShape shape = task.queue();
    this.queue = new FeatureQueue(script.manager(), shape.capacity(), shape.dimension());
  }

  /** Returns how many steps were taken so far. */
  public int steps() {
    return optimiser.steps();
  }

  /** Returns the learning rate of the last step. */
  double learningRate() {
    return settings.learningRate().applyAsDouble(Math.max(0, steps() - 1));
  }

  /** Returns the norm of the last step's gradient, before it is clipped. */
  double gradientNorm() {
    return optimiser.gradientNorm();
  }

  /**
   * Returns the temperature of the bi-encoder's softmax; null where the task learns none, or it is
   * none any more.
   */
  Double temperature() {
    for (Map.Entry<String, NDArray> parameter : script.parameters().entrySet()) {
      if (parameter.getKey().endsWith("filter.log_scale") && task.trains(parameter.getKey())) {
        double temperature = Math.exp(-parameter.getValue().toFloatArray()[0]);
        return Double.isFinite(temperature) ? temperature : null;
      }
    }
    return null;
  }

  /**
   * Runs forward, backward and update. Where a loss or a gradient is no finite number the step
   * counts and changes nothing.
   *
   * @param batches whose gradients are averaged into this step
   * @return their mean losses before the update
   */
  public Losses step(List<B> batches) {
    // What dropout draws depends on seed and step alone, so a resumed run draws the same.
    long draw = new RandomSource(settings.seed()).random(DROPOUT, optimiser.steps()).nextLong();
    Engine.getInstance().setRandomSeed((int) (draw >>> 32));
    List<Losses> each = new ArrayList<>();
    for (B batch : batches) {
      try (NDManager manager = script.manager().newSubManager()) {
        TrainingTask.Call call = task.forward(manager, batch, steps(), queue);
        NDList outputs = script.backward(manager, call.method(), call.inputs());
        task.afterForward(manager, outputs, queue);
        each.add(Losses.of(settings.losses(), outputs.get(0).toFloatArray()));
      }
    }
    Losses losses = Losses.mean(each);
    // A gradient may overflow where the loss does not; it must not reach weights and checkpoint.
    if (losses.finite()
        && optimiser.step(settings.learningRate().applyAsDouble(steps()), batches.size())) {
      return losses;
    }
    optimiser.skip();
    return losses.diverged();
  }

  /** Returns the module's tensors with their moving averages. */
  public StateDict averaged() {
    return script.state(optimiser.averages());
  }

  /** Writes everything that a resumed run needs; whole or not at all. */
  void save(Path file) throws IOException {
    optimiser.write(file, task.queue().used() ? Map.of(QUEUE, queue.saved()) : Map.of());
  }

  /**
   * Continues where a saved run stood.
   *
   * @throws IOException when the file is not a checkpoint of this module
   */
  public void restore(Path file) throws IOException {
    try {
      LazyTensor saved = optimiser.read(file).get(QUEUE);
      if (saved != null) {
        queue.restore(saved);
      }
    } catch (IllegalArgumentException e) {
      throw new IOException(file + " is no checkpoint of this run: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    optimiser.close();
    task.close();
    script.close();
  }
}
