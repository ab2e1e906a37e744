/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.fusion.FusionOptions.Start;
import io.crossmodal.trainer.train.FrozenTowers;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The weights that do not start as the bundle has them: a whole fusion encoder where it is new, and
 * what reads pictures, which begins with what the towers have aligned.
 */
final class FusionStart {
  /** Deviation of what fresh parts add: pictures say little at first, words stay as they are. */
  private static final double OUTPUT = 0.02;

  /** Deviation of what finer places add to a token: at first it is what the filter makes of it. */
  private static final double FINE = 0.01;

  /** Of a head of a new fusion encoder, as everywhere in CLIP. */
  private static final int HEAD = 64;

  private final FusionOptions options;
  private final ModelConfig config;
  private final StateDict bundle;

  private FusionStart(FusionOptions options, ModelConfig config, StateDict bundle) {
    this.options = options;
    this.config = config;
    this.bundle = bundle;
  }

  /**
   * Returns the shape of the model that is trained.
   *
   * @param towers shape of the bundle that has the towers
   * @throws IllegalArgumentException when the options go with no such bundle
   */
  static ModelConfig config(FusionOptions options, ModelConfig towers) {
    if (towers.tokenProjection() != null
        && (options.projects() || isNew(options, towers) || options.start() != Start.KEPT)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the tokens of this bundle are stored as %d values each already: it can learn on with"
                  + " --start KEPT, without --layers, --token-width and --token-grid; else start"
                  + " from the bundle that it was made of",
              towers.tokenWidth()));
    }
    ModelConfig config = withFusion(options, towers);
    if (!options.projects()) {
      return config;
    }
    int width = options.tokenWidth() == null ? config.hidden() : options.tokenWidth();
    return config.withTokenProjection(new TokenProjection(width, options.tokenGrid()));
  }

  private static ModelConfig withFusion(FusionOptions options, ModelConfig towers) {
    boolean clip = towers.text().isClip() && towers.image().kind() == ImageTowerConfig.Kind.CLIP;
    if (options.width() != null && !(clip && isNew(options, towers))) {
      throw new IllegalArgumentException(
          "--width is that of a new fusion encoder over a CLIP's towers, and this bundle has "
              + (clip
                  ? "one already: give --layers to replace it, or leave --width"
                  : "other towers, whose tokens are as wide as theirs: leave --width out"));
    }
    if (!isNew(options, towers)) {
      return towers;
    }
    if (options.start() == Start.KEPT) {
      throw new IllegalArgumentException(
          "start KEPT goes on with the bundle's own cross-attention, and a new fusion encoder"
              + " takes none over: leave --start or --layers out"
              + (towers.hasFusion()
                  ? ""
                  : "; this bundle has towers alone, so it needs a new one"));
    }
    int layers = options.layers() == null ? FusionOptions.LAYERS : options.layers();
    if (!clip) {
      if (layers != towers.fusionLayers()) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "the fingerprints of these towers count the layers of their fusion encoder, %d:"
                    + " with %d of them an index would have to be encoded again; give --layers %d",
                towers.fusionLayers(),
                layers,
                towers.fusionLayers()));
      }
      return towers;
    }
    int width =
        options.width() == null ? Math.min(FusionOptions.WIDTH, towers.hidden()) : options.width();
    if (width > towers.hidden()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "--width must be at most that of the tokens, %d, got %d",
              towers.hidden(),
              width));
    }
    int heads = Math.max(1, width / HEAD);
    while (width % heads != 0) {
      heads--;
    }
    return new ModelConfig(
        towers.hidden(),
        heads,
        4 * width,
        towers.embeddingDimension(),
        towers.layerNormEpsilon(),
        towers.text(),
        towers.image(),
        layers,
        towers.sensors(),
        towers.preRanker(),
        width,
        null);
  }

  /** Returns whether the bundle's own fusion encoder teaches the one that reads other tokens. */
  static boolean isTaught(FusionOptions options, ModelConfig towers) {
    return options.projects() && !isNew(options, towers);
  }

  /** Returns whether the bundle's own fusion encoder, if it has one, is thrown away. */
  static boolean isNew(FusionOptions options, ModelConfig towers) {
    return options.layers() != null || !towers.hasFusion();
  }

  /**
   * Returns the tensors that start anew, by the names that the model has for them.
   *
   * @param anew whether the whole fusion encoder is new
   * @param config of the model that is trained
   * @param bundle weights of the bundle
   * @param axes gives (E, H), the directions that a fusion encoder of its own width keeps of the
   *     joint space; asked for where E is less than H alone
   * @param tokenAxes gives (T, H), those that stored tokens keep; asked for where they are
   *     projected from now on alone
   */
  static Map<String, ScriptTensor> weights(
      FusionOptions options,
      boolean anew,
      ModelConfig config,
      StateDict bundle,
      SensorConfig sensor,
      Supplier<float[]> axes,
      Supplier<float[]> tokenAxes) {
    FusionStart start = new FusionStart(options, config, bundle);
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
    if (anew) {
      tensors.putAll(start.fresh());
    }
    if (options.start() == Start.ALIGNED && (anew || !options.projects())) {
      start.align(tensors, anew, sensor, axes);
    }
    if (options.projects()) {
      start.project(tensors, tokenAxes.get());
    }
    return tensors;
  }

  private Map<String, ScriptTensor> fresh() {
    Weights random = Weights.random(options.seed());
    Weights quiet =
        (name, init, shape) ->
            random.get(
                name,
                name.endsWith("self_attention.output.weight")
                        || name.endsWith("feed_forward.outer.weight")
                    ? Weights.Init.normal(OUTPUT)
                    : init,
                shape);
    ScriptModule head =
        MtgfeArchitecture.withFusion(new ScriptModule("listwise.Head"), config, quiet);
    return StateDict.of(head).tensors();
  }

  /** Adds cross-attention, matching head and what makes places of tokens as they begin. */
  private void align(
      Map<String, ScriptTensor> tensors,
      boolean anew,
      SensorConfig sensor,
      Supplier<float[]> axes) {
    int h = config.hidden();
    int e = config.widthOfFusion();
    if (config.embeddingDimension() != h) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "start ALIGNED needs embeddings as wide as the tokens, %d; they have %d: give start"
                  + " KEPT",
              h,
              config.embeddingDimension()));
    }
    boolean entries = config.fusionWidth() != null;
    ScriptTensor identity = ScriptTensor.parameter(identity(e), e, e);
    ScriptTensor zeros = ScriptTensor.parameter(new float[e], e);
    Weights random = Weights.random(options.seed());
    for (int layer = 0; layer < config.fusionLayers(); layer++) {
      String at = "fusion.layer" + layer + ".";
      String cross = at + "cross_attention.";
      tensors.put(
          cross + "query.weight", entries ? identity : bundle.get("filter.text.weight", h, h));
      tensors.put(cross + "query.bias", entries ? zeros : bundle.get("filter.text.bias", h));
      for (String same : List.of("key", "value")) {
        tensors.put(cross + same + ".weight", identity);
        tensors.put(cross + same + ".bias", zeros);
      }
      if (anew && !entries) {
        // Elsewhere the identity is what was measured (decision 0042).
        tensors.put(cross + "key.weight", bundle.get("filter.image.weight", h, h));
        tensors.put(cross + "key.bias", bundle.get("filter.image.bias", h));
      }
      String output = cross + "output.weight";
      tensors.put(output, random.get(output, Weights.Init.normal(OUTPUT), e, e));
      tensors.put(cross + "output.bias", zeros);
      tensors.put(
          at + "norm2.weight", random.get(at + "norm2.weight", Weights.Init.constant(1), e));
      tensors.put(at + "norm2.bias", zeros);
    }
    tensors.put("itm.weight", random.get("itm.weight", Weights.Init.normal(OUTPUT), 2, e));
    tensors.put("itm.bias", ScriptTensor.parameter(new float[2], 2));
    if (entries) {
      float[] kept = e == h ? identity(h) : axes.get();
      for (String side : List.of("text", "image")) {
        float[] weight = bundle.get("filter." + side + ".weight", h, h).values();
        float[] bias = bundle.get("filter." + side + ".bias", h).values();
        String project = "fusion." + side + ".project.";
        tensors.put(project + "weight", ScriptTensor.parameter(product(kept, weight, h), e, h));
        tensors.put(project + "bias", ScriptTensor.parameter(product(kept, bias, 1), e));
      }
    }
    if (FrozenTowers.cuts(config.image())) {
      String tower = "image_" + sensor.name() + ".";
      bundle
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
  }

  /**
   * Has tokens stored along axes, and what reads them read them back: what lies along the axes is
   * read as before.
   *
   * @param axes (T, H), orthonormal
   */
  private void project(Map<String, ScriptTensor> tensors, float[] axes) {
    int h = config.hidden();
    int t = config.tokenWidth();
    float[] back = new float[h * t];
    for (int i = 0; i < back.length; i++) {
      back[i] = axes[i % t * h + i / t];
    }
    tensors.put("tokens.down.weight", ScriptTensor.parameter(axes, t, h));
    tensors.put("tokens.down.bias", ScriptTensor.parameter(new float[t], t));
    tensors.put("tokens.up.weight", ScriptTensor.parameter(back, h, t));
    tensors.put("tokens.up.bias", ScriptTensor.parameter(new float[h], h));
    List<String> readers =
        config.fusionWidth() != null
            ? List.of("fusion.image.project.weight")
            : IntStream.range(0, config.fusionLayers())
                .mapToObj(layer -> "fusion.layer" + layer + ".cross_attention.")
                .flatMap(cross -> Stream.of(cross + "key.weight", cross + "value.weight"))
                .toList();
    for (String reader : readers) {
      ScriptTensor whole = tensors.getOrDefault(reader, bundle.tensors().get(reader));
      int rows = (int) whole.shape()[0];
      tensors.put(reader, ScriptTensor.parameter(product(whole.values(), back, t), rows, t));
    }
  }

  private static float[] identity(int size) {
    float[] identity = new float[size * size];
    for (int i = 0; i < size; i++) {
      identity[i * size + i] = 1;
    }
    return identity;
  }

  /** Returns a (E, H) times b (H, columns). */
  private static float[] product(float[] a, float[] b, int columns) {
    int h = b.length / columns;
    int e = a.length / h;
    float[] product = new float[e * columns];
    for (int i = 0; i < e; i++) {
      for (int k = 0; k < h; k++) {
        for (int j = 0; j < columns; j++) {
          product[i * columns + j] += a[i * h + k] * b[k * columns + j];
        }
      }
    }
    return product;
  }
}
