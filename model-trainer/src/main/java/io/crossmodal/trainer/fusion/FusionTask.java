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
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.train.FeatureQueue;
import io.crossmodal.trainer.train.FrozenTowers;
import io.crossmodal.trainer.train.TrainableScript;
import io.crossmodal.trainer.train.TrainingTask;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Listwise matching: the fusion encoder with its loss, and what a batch of pairs is to it. */
final class FusionTask implements TrainingTask<FusionTask.Batch> {
  /** Deviation of fresh outputs of cross-attention: pictures say little at first. */
  private static final double OUTPUT = 0.02;

  /** Deviation of what finer places add to a token: at first it is what the filter makes of it. */
  private static final double FINE = 0.01;

  private final FusionOptions options;
  private final ModelConfig config;
  private final SensorConfig sensor;
  private final StateDict start;

  /** Names of the parameters that do not start as the bundle has them. */
  private final Set<String> fresh;

  /**
   * Makes a task.
   *
   * @param weights of the model, whose towers stay
   * @param sensor whose pictures it learns from
   */
  FusionTask(FusionOptions options, ModelConfig config, StateDict weights, SensorConfig sensor) {
    this.options = options;
    this.config = config;
    this.sensor = sensor;
    Map<String, ScriptTensor> aligned =
        options.start() == FusionOptions.Start.ALIGNED
            ? aligned(options, config, weights, sensor)
            : Map.of();
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(weights.tensors());
    tensors.putAll(aligned);
    this.start = new StateDict(tensors);
    this.fresh = aligned.keySet().stream().map("model."::concat).collect(Collectors.toSet());
  }

  /**
   * One batch.
   *
   * @param features (I, ...), of the distinct images, flat
   * @param shape of the features of an image
   * @param tokens N, of the longest text
   * @param ids (T, N), of the distinct texts, the shortest first
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
      long[] ids,
      float[] mask,
      long[] text,
      long[] image,
      long[] pairs,
      long[] place) {}

  /** Returns cross-attention, matching head and what makes places of tokens as they begin. */
  private static Map<String, ScriptTensor> aligned(
      FusionOptions options, ModelConfig config, StateDict weights, SensorConfig sensor) {
    int h = config.hidden();
    if (config.embeddingDimension() != h) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "start ALIGNED needs embeddings as wide as the tokens, %d; they have %d: give start"
                  + " KEPT",
              h,
              config.embeddingDimension()));
    }
    float[] identity = new float[h * h];
    for (int i = 0; i < h; i++) {
      identity[i * h + i] = 1;
    }
    Weights random = Weights.random(options.seed());
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
    for (int layer = 0; layer < config.fusionLayers(); layer++) {
      String at = "fusion.layer" + layer + ".";
      String cross = at + "cross_attention.";
      tensors.put(cross + "query.weight", weights.get("filter.text.weight", h, h));
      tensors.put(cross + "query.bias", weights.get("filter.text.bias", h));
      for (String same : List.of("key", "value")) {
        tensors.put(cross + same + ".weight", ScriptTensor.parameter(identity, h, h));
        tensors.put(cross + same + ".bias", ScriptTensor.parameter(new float[h], h));
      }
      String output = cross + "output.weight";
      tensors.put(output, random.get(output, Weights.Init.normal(OUTPUT), h, h));
      tensors.put(cross + "output.bias", ScriptTensor.parameter(new float[h], h));
      tensors.put(
          at + "norm2.weight", random.get(at + "norm2.weight", Weights.Init.constant(1), h));
      tensors.put(at + "norm2.bias", ScriptTensor.parameter(new float[h], h));
    }
    tensors.put("itm.weight", random.get("itm.weight", Weights.Init.normal(OUTPUT), 2, h));
    tensors.put("itm.bias", ScriptTensor.parameter(new float[2], 2));
    if (FrozenTowers.cuts(config.image())) {
      String tower = "image_" + sensor.name() + ".";
      weights
          .tensors()
          .forEach(
              (name, tensor) -> {
                if (name.startsWith(tower) && MtgfeArchitecture.isOfPatchesAlone(config, name)) {
                  Weights.Init init =
                      name.endsWith("fine.weight")
                          ? Weights.Init.normal(FINE)
                          : Weights.Init.constant(name.endsWith("norm.weight") ? 1 : 0);
                  tensors.put(name, random.get(name, init, tensor.shape()));
                }
              });
    }
    return tensors;
  }

  @Override
  public ScriptModule root() {
    return new ScriptModule("listwise.Listwise")
        .with("model", MtgfeArchitecture.build(config, Weights.of(start)));
  }

  @Override
  public Map<String, String> sources() {
    MtgfeArchitecture.Dropout dropout =
        new MtgfeArchitecture.Dropout(0, false, options.layerDropout(), config.text().layers());
    return TrainableScript.filledIn(
        MtgfeArchitecture.sources(
            config, dropout, options.precision(), FusionTask.class, "listwise"),
        "listwise",
        Map.of(
            "TOKENS",
            FrozenTowers.cuts(config.image())
                ? "self.model.encode_image_from_" + sensor.name() + "(features)"
                : "features",
            "DROPPED",
            Double.toString(options.dropout()),
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

  /** The fusion encoder, and the places of a tower whose features are not its tokens yet. */
  @Override
  public boolean trains(String name) {
    return name.startsWith("model.fusion.")
        || name.startsWith("model.itm.")
        || (FrozenTowers.cuts(config.image())
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
    long texts = batch.ids().length / n;
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
            manager.create(batch.ids(), new Shape(texts, n)),
            manager.create(batch.mask(), new Shape(texts, n)),
            manager.create(batch.text()),
            manager.create(batch.image()),
            manager.create(batch.pairs(), new Shape(batch.pairs().length / 3, 3)),
            manager.create(batch.place())));
  }
}
