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
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.Layers;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.model.torchscript.Weights.Init;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Captions: the losses of MTGFE around the model, and what a batch of {@link CaptionSet} is to
 * them.
 */
final class CaptionTask implements TrainingTask<CaptionSet.Batch> {
  private final TrainingOptions options;
  private final ModelConfig config;
  private final Weights start;
  private final SensorConfig sensor;

  /** Null where ITC goes without momentum. */
  private final MomentumEncoder momentum;

  /** Makes a task of fresh weights. */
  CaptionTask(TrainingOptions options, ModelConfig config, Path scratch) throws IOException {
    this(options, config, Weights.random(options.seed()), scratch);
  }

  /** Makes a task of given weights. */
  CaptionTask(TrainingOptions options, ModelConfig config, Weights start, Path scratch)
      throws IOException {
    this.options = options;
    this.config = config;
    this.start = start;
    this.sensor = config.sensors().get(0);
    this.momentum =
        options.momentum().active() ? new MomentumEncoder(config, start, scratch) : null;
  }

  @Override
  public ScriptModule root() {
    TrainingOptions.Tasks tasks = options.tasks();
    ScriptModule root =
        new ScriptModule("training.Training")
            .with("model", MtgfeArchitecture.build(config, start.below("model")))
            .with("mlm", maskedLanguage(config, start))
            .with("mvjrc", multiView(config, start))
            .with("contrast", new ScriptModule("contrast.Contrast"))
            .with(
                "momentum_contrast",
                new ScriptModule("contrast.MomentumContrast")
                    .with("soft", options.momentum().softTargets()))
            .with("itc_weight", tasks.itc())
            .with("itm_weight", tasks.itm())
            .with("mlm_weight", tasks.mlm())
            .with("mvjrc_weight", tasks.mvjrc());
    options.parts().check(StateDict.of(root));
    return root;
  }

  @Override
  public Map<String, String> sources() {
    Map<String, String> sources =
        TrainableScript.filledIn(
            MtgfeArchitecture.sources(
                config, dropout(), options.precision(), CaptionTask.class, "contrast", "training"),
            "training",
            Map.of("ENCODE_IMAGE", encodeImage()));
    // In evaluation mode a batch norm takes its statistics as they are; scale and shift still
    // learn.
    return options.parts().fixedStatistics()
        ? TrainableScript.filledIn(sources, "nn", Map.of("self.training", "False"))
        : sources;
  }

  /** Returns what is dropped: nothing where nothing learns. */
  private MtgfeArchitecture.Dropout dropout() {
    TrainingOptions.Regularisation drops = options.regularisation();
    int whole = 0;
    while (whole < config.text().layers()
        && options.parts().frozen("model.text.layer" + whole + ".")) {
      whole++;
    }
    return new MtgfeArchitecture.Dropout(
        drops.dropout(), !options.parts().frozen("model.text.word"), drops.layerDropout(), whole);
  }

  /** Returns the model's method that a batch's pictures are for. */
  private String encodeImage() {
    return (options.parts().featureViews() > 0 ? "encode_image_from_" : "encode_image_")
        + sensor.name();
  }

  @Override
  public Settings settings() {
    return new Settings(
        List.of("itc", "itm", "mlm", "mvjrc"),
        options.seed(),
        options.optimiser().settings(),
        options::learningRate);
  }

  @Override
  public boolean trains(String parameter) {
    return !options.parts().frozen(parameter) && used(parameter, options.tasks(), config);
  }

  @Override
  public double rateFactor(String parameter) {
    return options.parts().factor(parameter);
  }

  /** Returns what the bi-encoder alone has no use for. */
  @Override
  public AdamW.Delayed delayed(List<String> trained) {
    if (options.joining() == 0) {
      return AdamW.Delayed.NONE;
    }
    TrainingOptions.Tasks contrastAlone = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0, 1);
    Set<String> delayed = new HashSet<>(trained);
    delayed.removeIf(name -> used(name, contrastAlone, config));
    return new AdamW.Delayed(delayed, options.joining());
  }

  /**
   * Returns whether a task trains this parameter; without a gradient its weights would only decay.
   */
  private static boolean used(String name, TrainingOptions.Tasks tasks, ModelConfig config) {
    boolean fuses = tasks.itm() + tasks.mlm() + tasks.mvjrc() > 0;
    if (name.startsWith("model.mlp.")) {
      // Distillation trains it.
      return false;
    }
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
    // The bi-encoder's head reads [CLS].
    return fuses
        || !(MtgfeArchitecture.isOfPatchesAlone(config, name) || name.startsWith("model.fusion."));
  }

  @Override
  public Map<String, NDArray> averages() {
    return momentum == null ? Map.of() : momentum.weights();
  }

  @Override
  public QueueShape queue() {
    return new QueueShape(
        momentum != null, options.momentum().queue(), config.embeddingDimension());
  }

  @Override
  public Call forward(NDManager manager, CaptionSet.Batch batch, int step, FeatureQueue queue) {
    int b = batch.size();
    int n = batch.tokens();
    NDArray pixels = manager.create(batch.pixels(), batch.pixelShape());
    NDArray ids = manager.create(batch.ids(), new Shape(b, n));
    NDArray mask = manager.create(batch.mask(), new Shape(b, n));
    return new Call(
        step < options.joining() ? "itc_loss" : "loss",
        new NDList(
            pixels,
            ids,
            mask,
            manager.create(batch.masked(), new Shape(b, n)),
            manager.create(batch.labels(), new Shape(b, n)),
            manager.create(batch.matches(), new Shape(b, b)),
            manager.create(batch.similar(), new Shape(b, b)),
            manager.create(batch.noise(), new Shape(2, b, b)),
            manager.create(batch.hard(), new Shape(b, 1)),
            momentum == null
                ? manager.zeros(new Shape(2, 0, config.embeddingDimension()))
                : queue.push(manager, momentum.encode(manager, pixels, ids, mask)),
            manager.create(batch.keyMatches(), new Shape(2, b, batch.keys()))));
  }

  @Override
  public void close() {
    if (momentum != null) {
      momentum.close();
    }
  }

  /** Makes {@code training.MaskedLanguageHead}, weights below {@code mlm}. */
  static ScriptModule maskedLanguage(ModelConfig config, Weights weights) {
    int h = config.hidden();
    return new ScriptModule("training.MaskedLanguageHead")
        .with("dense", Layers.linear(weights, "mlm.dense", h, h))
        .with("norm", Layers.layerNorm(weights, "mlm.norm", h, config.layerNormEpsilon()))
        .with("bias", weights.get("mlm.bias", Init.constant(0), config.text().vocabularySize()));
  }

  /**
   * Makes {@code training.MultiViewHead}, weights below {@code mvjrc}. The paper gives no widths:
   * H, and in the predictor a quarter of it, SimSiam's bottleneck.
   */
  static ScriptModule multiView(ModelConfig config, Weights weights) {
    int h = config.hidden();
    int bottleneck = Math.max(1, h / 4);
    ScriptModule project = new ScriptModule("training.Projector");
    for (int i = 1; i <= 3; i++) {
      project
          .with("fc" + i, Layers.linear(weights, "mvjrc.project.fc" + i, h, h))
          .with("norm" + i, Layers.batchNorm(weights, "mvjrc.project.norm" + i, h));
    }
    return new ScriptModule("training.MultiViewHead")
        .with("project", project)
        .with(
            "predict",
            new ScriptModule("training.Predictor")
                .with("fc1", Layers.linear(weights, "mvjrc.predict.fc1", h, bottleneck))
                .with("norm", Layers.batchNorm(weights, "mvjrc.predict.norm", bottleneck))
                .with("fc2", Layers.linear(weights, "mvjrc.predict.fc2", bottleneck, h)));
  }

  /**
   * ALBEF's momentum encoder (Li et al. 2021, section 3.2).
   *
   * <p>Its weights are the optimiser's moving averages themselves, not a copy; it encodes in
   * evaluation mode, with the averaged statistics of batch norms.
   */
  static final class MomentumEncoder implements AutoCloseable {
    private final TrainableScript script;

    MomentumEncoder(ModelConfig config, Weights start, Path scratch) throws IOException {
      Map<String, String> sources =
          TrainableScript.filledIn(
              MtgfeArchitecture.sources(config, MomentumEncoder.class, "momentum"),
              "momentum",
              Map.of("SENSOR", config.sensors().get(0).name()));
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
}
