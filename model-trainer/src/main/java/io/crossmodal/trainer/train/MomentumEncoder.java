/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
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
 * ALBEF's momentum encoder (Li et al. 2021, section 3.2).
 *
 * <p>Its weights are the optimiser's moving averages themselves, not a copy; it encodes in
 * evaluation mode, with the averaged statistics of batch norms.
 */
final class MomentumEncoder implements AutoCloseable {
  private final TrainableScript script;

  MomentumEncoder(ModelConfig config, Weights start, Path scratch) throws IOException {
    SensorConfig sensor = config.sensors().get(0);
    Map<String, String> sources =
        MtgfeArchitecture.sources(config, MomentumEncoder.class, "momentum");
    sources.computeIfPresent("momentum", (name, source) -> source.replace("SENSOR", sensor.name()));
    this.script =
        TrainableScript.evaluating(
            new ScriptModule("momentum.Momentum")
                .with("model", MtgfeArchitecture.build(config, start.below("model"))),
            sources,
            scratch);
  }

  /** Returns the live weights and statistics by the names that training has for them. */
  Map<String, NDArray> weights() {
    Map<String, NDArray> weights = new LinkedHashMap<>(script.parameters());
    weights.putAll(script.buffers());
    return weights;
  }

  /**
   * Encodes a batch.
   *
   * @param manager of the result
   * @param pixels (B or 2B, C, S, S)
   * @param ids (B, N)
   * @param mask (B, N)
   * @return (2, B, D): embeddings of images and of texts
   */
  NDArray encode(NDManager manager, NDArray pixels, NDArray ids, NDArray mask) {
    try (IValue p = IValue.from((PtNDArray) pixels);
        IValue i = IValue.from((PtNDArray) ids);
        IValue m = IValue.from((PtNDArray) mask);
        IValue result = IValueUtils.runMethod(script.block(), "keys", p, i, m)) {
      return result.toTensor((PtNDManager) manager);
    }
  }

  @Override
  public void close() {
    script.close();
  }
}
