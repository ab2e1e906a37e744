/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.train.AdamW;
import io.crossmodal.trainer.train.FeatureQueue;
import io.crossmodal.trainer.train.TrainingTask;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Distillation: bi-encoder and MLP pre-ranker with their losses, and what a batch of the teacher's
 * lists is to them.
 */
final class DistillationTask implements TrainingTask<DistillationTask.Batch> {
  private final ModelConfig config;
  private final StateDict teacher;
  private final DistillationOptions options;
  private final int steps;

  /**
   * Makes a task.
   *
   * @param teacher its bi-encoder is where the dot product starts
   * @param steps in all
   */
  DistillationTask(ModelConfig config, StateDict teacher, DistillationOptions options, int steps) {
    this.config = config;
    this.teacher = teacher;
    this.options = options;
    this.steps = steps;
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

  @Override
  public ScriptModule root() {
    return new ScriptModule("distillation.Distillation")
        .with("filter", MtgfeArchitecture.projections(config, Weights.of(teacher), "filter"))
        .with("mlp", MtgfeArchitecture.preRanker(config, Weights.random(options.seed()), "mlp"))
        .with("contrast", new ScriptModule("contrast.Contrast"))
        .with("alpha", options.alpha())
        .with("contrast_weight", options.contrast());
  }

  @Override
  public Map<String, String> sources() {
    Map<String, String> sources = new LinkedHashMap<>();
    sources.putAll(MtgfeArchitecture.sources(config, AdamW.class, "contrast"));
    sources.putAll(MtgfeArchitecture.sources(config, DistillationTask.class, "distillation"));
    return sources;
  }

  @Override
  public Settings settings() {
    return new Settings(
        List.of("order", "contrast", "soft", "hard"),
        options.seed(),
        new AdamW.Settings(options.weightDecay(), 1, 0.99),
        step -> options.learningRate() * 0.5 * (1 + Math.cos(Math.PI * step / Math.max(1, steps))));
  }

  @Override
  public Call forward(NDManager manager, Batch batch, int step, FeatureQueue queue) {
    int q = batch.texts();
    int k = batch.candidates();
    int h = batch.w().length / q;
    return new Call(
        "loss",
        new NDList(
            manager.create(batch.w(), new Shape(q, h)),
            manager.create(batch.v(), new Shape(q, k, h)),
            manager.create(batch.itm(), new Shape(q, k)),
            manager.create(batch.ranking(), new Shape(q, k)),
            manager.create(batch.labels(), new Shape(q, k)),
            manager.create(batch.matches(), new Shape(q, q))));
  }
}
