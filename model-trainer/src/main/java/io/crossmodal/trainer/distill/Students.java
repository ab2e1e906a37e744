/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.train.AdamW;
import io.crossmodal.trainer.train.TrainableScript;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Both filters with their losses in native memory, and one step. */
final class Students implements AutoCloseable {
  private final TrainableScript script;
  private final AdamW optimiser;

  /**
   * Loads the filters.
   *
   * @param teacher its filter is where the dot product starts
   */
  Students(ModelConfig config, StateDict teacher, DistillationOptions options, Path scratch)
      throws IOException {
    ScriptModule root =
        new ScriptModule("distillation.Distillation")
            .with("filter", MtgfeArchitecture.filter(config, Weights.of(teacher), "filter"))
            .with("mlp", MtgfeArchitecture.filterMlp(config, Weights.random(options.seed()), "mlp"))
            .with("contrast", new ScriptModule("contrast.Contrast"))
            .with("alpha", options.alpha())
            .with("contrast_weight", options.contrast());
    Map<String, String> sources = new LinkedHashMap<>();
    sources.putAll(MtgfeArchitecture.sources(config, AdamW.class, "contrast"));
    sources.putAll(MtgfeArchitecture.sources(config, Students.class, "distillation"));
    this.script = new TrainableScript(root, sources, scratch);
    this.optimiser =
        new AdamW(
            new AdamW.Settings(options.weightDecay(), 1, 0.99),
            AdamW.Late.NONE,
            script.parameters(),
            script.buffers(),
            Map.of(),
            scratch);
  }

  /**
   * One batch, flat and row-major.
   *
   * @param texts Q
   * @param candidates K
   * @param w (Q, H)
   * @param v (Q, K, H)
   * @param itm (Q, K)
   * @param ranking (Q, K)
   * @param labels (Q, K)
   * @param matches (Q, Q)
   */
  @SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
  record Batch(
      int texts,
      int candidates,
      float[] w,
      float[] v,
      float[] itm,
      float[] ranking,
      long[] labels,
      float[] matches) {}

  /**
   * Forward, backward, update.
   *
   * @return the mean losses before the update
   */
  DistillationLosses step(Batch batch, double rate) {
    try (NDManager call = script.manager().newSubManager()) {
      int q = batch.texts();
      int k = batch.candidates();
      int h = batch.w().length / q;
      NDArray selector = call.create(0f);
      selector.setName("module_method:loss");
      NDList inputs =
          new NDList(
              call.create(batch.w(), new Shape(q, h)),
              call.create(batch.v(), new Shape(q, k, h)),
              call.create(batch.itm(), new Shape(q, k)),
              call.create(batch.ranking(), new Shape(q, k)),
              call.create(batch.labels(), new Shape(q, k)),
              call.create(batch.matches(), new Shape(q, q)),
              selector);
      float[] values;
      try (GradientCollector collector = Engine.getInstance().newGradientCollector()) {
        NDList outputs = script.block().forward(new ParameterStore(call, false), inputs, true);
        outputs.attach(call);
        NDArray all = outputs.singletonOrThrow();
        values = all.toFloatArray();
        collector.backward(all.get(0));
      }
      boolean stepped = Float.isFinite(values[0]) && optimiser.step(rate, 1);
      return new DistillationLosses(
          stepped ? values[0] : Double.NaN, values[1], values[2], values[3], values[4]);
    }
  }

  /** The averaged weights, {@code filter.*} and {@code mlp.*}. */
  StateDict averaged() {
    return script.state(optimiser.averages());
  }

  @Override
  public void close() {
    optimiser.close();
    script.close();
  }
}
