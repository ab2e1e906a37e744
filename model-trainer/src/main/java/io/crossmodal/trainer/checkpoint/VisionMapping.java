/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * A vision transformer (Dosovitskiy et al. 2021) by the names of Hugging Face's library or of timm,
 * whose DeiT it also is: section 3.1.1 of the paper starts the image tower from one.
 */
final class VisionMapping {
  static final String ROLE = "vision transformer";

  private static final Pattern HUGGING_FACE_IGNORABLE =
      Pattern.compile("(pooler\\.dense|classifier)\\..*|embeddings\\.mask_token");
  private static final Pattern TIMM_IGNORABLE = Pattern.compile("(head|pre_logits\\.fc)\\..*");

  private final ModelConfig config;
  private final TensorConsumer tensors;
  private final SensorConfig sensor;
  private final String tower;

  private VisionMapping(ModelConfig config, TensorConsumer tensors) {
    this.config = config;
    this.tensors = tensors;
    this.sensor = config.sensors().get(0);
    this.tower = "model.image_" + sensor.name();
  }

  private static boolean isTimm(TensorConsumer tensors) {
    return tensors.has("patch_embed.proj.weight");
  }

  /** Returns what the library that wrote the checkpoint adds to the variance in its layer norms. */
  static double layerNormEpsilon(TensorConsumer tensors) {
    return isTimm(tensors) ? 1e-6 : 1e-12;
  }

  /**
   * Maps a whole checkpoint.
   *
   * @throws CheckpointException when it is no such thing, or listing what is missing, of another
   *     shape or unknown
   */
  static InitialModel.ImportReport.Source map(ModelConfig config, TensorConsumer tensors)
      throws CheckpointException {
    boolean timm = isTimm(tensors);
    VisionMapping mapping = new VisionMapping(config, tensors);
    if (timm) {
      mapping.timm();
    } else {
      tensors.requireKind(ROLE, "embeddings.patch_embeddings.projection.weight");
      mapping.huggingFace();
    }
    Pattern ignorable = timm ? TIMM_IGNORABLE : HUGGING_FACE_IGNORABLE;
    return tensors.finish(ROLE, name -> ignorable.matcher(name).matches());
  }

  private void huggingFace() {
    embeddings(
        "embeddings.patch_embeddings.projection",
        "embeddings.cls_token",
        "embeddings.position_embeddings",
        "embeddings.distillation_token");
    checkLayers("encoder.layer.");
    int h = config.hidden();
    int f = config.feedForward();
    for (int i = 0; i < config.image().layers(); i++) {
      String target = tower + ".layer" + i;
      String source = "encoder.layer." + i;
      tensors.layerNorm(target + ".norm1", source + ".layernorm_before", h);
      tensors.attention(
          target + ".attention",
          List.of(
              source + ".attention.attention.query",
              source + ".attention.attention.key",
              source + ".attention.attention.value",
              source + ".attention.output.dense"),
          h);
      tensors.layerNorm(target + ".norm2", source + ".layernorm_after", h);
      tensors.linear(target + ".feed_forward.inner", source + ".intermediate.dense", h, f);
      tensors.linear(target + ".feed_forward.outer", source + ".output.dense", f, h);
    }
    tensors.layerNorm(tower + ".norm", "layernorm", h);
  }

  private void timm() {
    embeddings("patch_embed.proj", "cls_token", "pos_embed", "dist_token");
    checkLayers("blocks.");
    int h = config.hidden();
    int f = config.feedForward();
    for (int i = 0; i < config.image().layers(); i++) {
      String target = tower + ".layer" + i;
      String source = "blocks." + i;
      tensors.layerNorm(target + ".norm1", source + ".norm1", h);
      fused(target + ".attention", source + ".attn.qkv");
      tensors.linear(target + ".attention.output", source + ".attn.proj", h, h);
      tensors.layerNorm(target + ".norm2", source + ".norm2", h);
      tensors.linear(target + ".feed_forward.inner", source + ".mlp.fc1", h, f);
      tensors.linear(target + ".feed_forward.outer", source + ".mlp.fc2", f, h);
    }
    tensors.layerNorm(tower + ".norm", "norm", h);
  }

  private void embeddings(String patch, String cls, String position, String distillation) {
    int h = config.hidden();
    int p = config.image().patch();
    tensors.copy(tower + ".patch_weight", patch + ".weight", h, sensor.channels(), p, p);
    tensors.copy(tower + ".patch_bias", patch + ".bias", h);
    tensors.copy(tower + ".cls", cls, 1, 1, h);
    if (tensors.has(distillation)) {
      // Leaving the token out would not do: every other token has learnt to attend to it.
      tensors.problem(
          "it is a distilled DeiT, which has a distillation token beside [CLS]; take the DeiT"
              + " without distillation");
      tensors.leave(distillation, "");
      tensors.leave(position, "");
      return;
    }
    int tokens = config.imageTokens(sensor);
    if (tensors.want(position, grid(position), 1, tokens, h)) {
      tensors.put(tower + ".position", new long[] {1, tokens, h}, tensors.get(position)::values);
    }
  }

  /** Returns what a position table of another length says of the pictures it was made for. */
  private String grid(String position) {
    List<Long> shape = tensors.has(position) ? tensors.get(position).shape() : List.of();
    if (shape.size() != 3 || shape.get(1) < 2) {
      return "";
    }
    int p = config.image().patch();
    long side = Math.round(Math.sqrt((double) (shape.get(1) - 1))) * p;
    return String.format(
        Locale.ROOT,
        "; it was made for pictures of %d pixels, the model takes %d: take the checkpoint for %d",
        side,
        sensor.imageSize(),
        sensor.imageSize());
  }

  private void checkLayers(String prefix) {
    int layers = tensors.layers(prefix);
    if (layers != config.image().layers()) {
      tensors.problem("it must have " + config.image().layers() + " layers, found " + layers);
    }
  }

  /** Takes one linear layer whose output is query, key and value side by side. */
  private void fused(String target, String source) {
    int h = config.hidden();
    boolean weight = tensors.want(source + ".weight", "", 3L * h, h);
    boolean bias = tensors.want(source + ".bias", "", 3L * h);
    List<String> parts = List.of("query", "key", "value");
    for (int i = 0; i < parts.size(); i++) {
      int part = i;
      if (weight) {
        tensors.put(
            target + "." + parts.get(i) + ".weight",
            new long[] {h, h},
            () -> third(tensors.get(source + ".weight"), part));
      }
      if (bias) {
        tensors.put(
            target + "." + parts.get(i) + ".bias",
            new long[] {h},
            () -> third(tensors.get(source + ".bias"), part));
      }
    }
  }

  private static float[] third(LazyTensor tensor, int part) throws IOException {
    int size = (int) tensor.size() / 3;
    return Arrays.copyOfRange(tensor.values(), part * size, (part + 1) * size);
  }
}
