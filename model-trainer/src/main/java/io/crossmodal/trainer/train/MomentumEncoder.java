/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * ALBEF's momentum encoder and the queue of what it has encoded (Li et al. 2021, section 3.2).
 *
 * <p>Its weights are the optimiser's moving averages themselves, not a copy; it encodes in
 * evaluation mode, with the averaged statistics of batch norms.
 */
final class MomentumEncoder implements AutoCloseable {
  private final TrainableScript script;
  private final int capacity;

  /** (2, at most {@code capacity}, D): embeddings of images and of texts, newest first. */
  private NDArray queue;

  /** An encoder with an empty queue for {@code capacity} pairs. */
  MomentumEncoder(ModelConfig config, Weights start, int capacity, Path scratch)
      throws IOException {
    SensorConfig sensor = config.sensors().get(0);
    Map<String, String> sources =
        MtgfeArchitecture.sources(config, MomentumEncoder.class, "momentum");
    sources.computeIfPresent("momentum", (name, source) -> source.replace("SENSOR", sensor.name()));
    Weights inModel = (name, init, shape) -> start.get("model." + name, init, shape);
    this.script =
        TrainableScript.evaluating(
            new ScriptModule("momentum.Momentum")
                .with("model", MtgfeArchitecture.build(config, inModel)),
            sources,
            scratch);
    this.capacity = capacity;
    this.queue = script.manager().zeros(new Shape(2, 0, config.filterDimension()));
  }

  /** The live weights and statistics, by the names that training has for them. */
  Map<String, NDArray> weights() {
    Map<String, NDArray> weights = new LinkedHashMap<>(script.parameters());
    weights.putAll(script.buffers());
    return weights;
  }

  /**
   * What ITC contrasts a batch with, and remembers it.
   *
   * @param manager of the result
   * @param pixels (B or 2B, C, S, S)
   * @param ids (B, N)
   * @param mask (B, N)
   * @return (2, B + what the queue held, D)
   */
  NDArray keys(NDManager manager, NDArray pixels, NDArray ids, NDArray mask) {
    try (IValue p = IValue.from((PtNDArray) pixels);
        IValue i = IValue.from((PtNDArray) ids);
        IValue m = IValue.from((PtNDArray) mask);
        IValue result = IValueUtils.runMethod(script.block(), "keys", p, i, m);
        NDArray fresh = result.toTensor(script.manager())) {
      // Also takes the keys out of inference mode, whose tensors no backward pass may keep.
      NDArray all = NDArrays.concat(new NDList(fresh, queue), 1);
      all.attach(manager);
      remember(all);
      return all;
    }
  }

  private void remember(NDArray all) {
    long length = Math.min(capacity, all.getShape().get(1));
    NDArray newest;
    try (NDArray view = all.get(":, :" + length)) {
      newest = view.duplicate();
    }
    replace(newest);
  }

  private void replace(NDArray newest) {
    newest.attach(script.manager());
    queue.close();
    queue = newest;
  }

  /** The queue; live. */
  NDArray queue() {
    return queue;
  }

  /**
   * Continues with a queue that was saved.
   *
   * @param values of (2, {@code length}, D)
   */
  void restore(float[] values, long length) {
    replace(script.manager().create(values, new Shape(2, length, queue.getShape().get(2))));
  }

  @Override
  public void close() {
    script.close();
  }
}
