/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.TokenModule;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.train.FeatureQueue;
import io.crossmodal.trainer.train.FrozenTowers;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingTask;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Listwise matching: the fusion encoder with its loss, and what a batch of pairs is to it. */
final class FusionTask implements TrainingTask<FusionTask.Batch> {
  private static final String RIGHT = "l = -torch.log_softmax(m, 1)[:, 0].mean()";

  private static final String TAUGHT =
      "t = self.match(self.teacher, self.teacher_itm, w, mask, f, text, image, pairs)\n"
          + "    l = __torch__.listwise.taught(m, torch.index_select(t, 0, place).view_as(m))";

  private final FusionOptions options;
  private final ModelConfig config;
  private final SensorConfig sensor;
  private final StateDict start;

  /** The bundle's own fusion encoder, whose logits are learnt; null: the right answers are. */
  private final ScriptModule teacher;

  /** Names of the parameters that do not start as the bundle has them. */
  private final Set<String> fresh;

  /**
   * Makes a task.
   *
   * @param config of the model that is trained
   * @param weights of the bundle, whose towers stay
   * @param fresh tensors that start otherwise, by name
   * @param sensor whose pictures it learns from
   * @param teacher shape of the bundle whose own fusion encoder teaches; null: none does
   */
  FusionTask(
      FusionOptions options,
      ModelConfig config,
      StateDict weights,
      Map<String, ScriptTensor> fresh,
      SensorConfig sensor,
      ModelConfig teacher) {
    this.options = options;
    this.config = config;
    this.sensor = sensor;
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(weights.tensors());
    tensors.putAll(fresh);
    this.start = new StateDict(tensors);
    this.teacher =
        teacher == null
            ? null
            : MtgfeArchitecture.withFusion(
                new ScriptModule("listwise.Teacher"), teacher, Weights.of(weights));
    this.fresh = fresh.keySet().stream().map("model."::concat).collect(Collectors.toSet());
  }

  /**
   * One batch.
   *
   * @param features (I, ...), of the distinct images, flat
   * @param shape of the features of an image
   * @param tokens N, of the longest text
   * @param words (T, N, H), of the distinct texts, the shortest first, 0 behind their ends
   * @param mask (T, N), 1 for a token
   * @param text (P), the text of each pair, the shortest first
   * @param image (P), the image of each pair
   * @param pairs (G, 3), parts of the pairs: the first, the one behind the last, longest text
   * @param place (P), where the pairs stand, query by query, its own answer first
   */
  @SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
  record Batch(
      float[] features,
      List<Integer> shape,
      int tokens,
      float[] words,
      float[] mask,
      long[] text,
      long[] image,
      long[] pairs,
      long[] place) {}

  /** Where features are the towers' tokens, the towers themselves take no part. */
  @Override
  public ScriptModule root() {
    Weights weights = Weights.of(start);
    ScriptModule root =
        new ScriptModule("listwise.Listwise")
            .with(
                "model",
                FrozenTowers.cuts(config.image())
                    ? MtgfeArchitecture.build(config, weights)
                    : head(weights));
    if (teacher != null) {
      root.with("teacher", (ScriptModule) teacher.attributes().get("fusion"));
      root.with("teacher_itm", (ScriptModule) teacher.attributes().get("itm"));
    }
    return root;
  }

  private ScriptModule head(Weights weights) {
    ScriptModule head = new ScriptModule("listwise.Head");
    MtgfeArchitecture.withFusion(head, config, weights);
    if (config.tokenProjection() != null) {
      head.with("filter", MtgfeArchitecture.projections(config, weights, "filter"));
    }
    return TokenModule.addTo(head, config, weights);
  }

  @Override
  public Map<String, String> sources() {
    MtgfeArchitecture.Dropout dropout =
        new MtgfeArchitecture.Dropout(
            0, false, teacher == null ? options.layerDropout() : 0, config.text().layers());
    return TrainableScript.filledIn(
        MtgfeArchitecture.sources(
            config, dropout, options.precision(), FusionTask.class, "listwise"),
        "listwise",
        Map.of(
            "MODEL_TYPE",
            FrozenTowers.cuts(config.image()) ? "mtgfe.Mtgfe" : "listwise.Head",
            "TOKENS",
            FrozenTowers.cuts(config.image())
                ? "self.model.encode_image_from_" + sensor.name() + "(features)"
                : "features",
            "DROPPED",
            Double.toString(teacher == null ? options.dropout() : 0),
            "TEACHER",
            teacher == null
                ? ""
                : "teacher : __torch__.fusion.FusionEncoder\n  teacher_itm : __torch__.nn.Linear",
            "LEARNT",
            teacher == null ? RIGHT : TAUGHT,
            "CANDIDATES",
            Integer.toString(options.candidates())));
  }

  @Override
  public Settings settings() {
    return new Settings(
        List.of("listwise", "first"),
        options.seed(),
        options.optimiser().settings(),
        step -> options.optimiser().learningRate(step, options.steps()));
  }

  /**
   * The fusion encoder, what projects tokens where that is new, and the places of a tower whose
   * features are not its tokens yet, unless a teacher reads them.
   */
  @Override
  public boolean trains(String name) {
    return name.startsWith("model.fusion.")
        || name.startsWith("model.itm.")
        || (options.projects() && name.startsWith("model.tokens."))
        || (teacher == null
            && FrozenTowers.cuts(config.image())
            && name.startsWith("model.image_" + sensor.name() + ".")
            && MtgfeArchitecture.isOfPatchesAlone(config, name));
  }

  @Override
  public double rateFactor(String name) {
    return name.startsWith("model.fusion.") && !fresh.contains(name) ? options.keptRate() : 1;
  }

  @Override
  public Call forward(NDManager manager, Batch batch, int step, FeatureQueue queue) {
    int n = batch.tokens();
    long texts = batch.mask().length / n;
    long each = batch.shape().stream().mapToLong(Integer::longValue).reduce(1, Math::multiplyExact);
    long[] shape =
        LongStream.concat(
                LongStream.of(batch.features().length / each),
                batch.shape().stream().mapToLong(Integer::longValue))
            .toArray();
    return new Call(
        "loss",
        new NDList(
            manager.create(batch.features(), new Shape(shape)),
            manager.create(batch.words(), new Shape(texts, n, config.hidden())),
            manager.create(batch.mask(), new Shape(texts, n)),
            manager.create(batch.text()),
            manager.create(batch.image()),
            manager.create(batch.pairs(), new Shape(batch.pairs().length / 3, 3)),
            manager.create(batch.place())));
  }
}
