/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.util.List;
import java.util.Map;
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

  static final String HUGGING_FACE_PATCH = "embeddings.patch_embeddings.projection";
  static final String TIMM_PATCH = "patch_embed.proj";

  /** Heads of published models by their width: 64 wide each, but in ViT-H (80). */
  static final Map<Integer, Integer> HEADS = Map.of(192, 3, 384, 6, 768, 12, 1024, 16, 1280, 16);

  private static boolean isTimm(TensorConsumer tensors) {
    return tensors.has(TIMM_PATCH + ".weight");
  }

  private static String patch(TensorConsumer tensors) {
    return (isTimm(tensors) ? TIMM_PATCH : HUGGING_FACE_PATCH) + ".weight";
  }

  /** Returns H. */
  static int width(TensorConsumer tensors) {
    return tensors.extent(patch(tensors), 0, 0);
  }

  /**
   * Returns the shape of a transformer.
   *
   * @param epsilon of the model's layer norms; the tower has its own where the library that wrote
   *     the checkpoint has another
   */
  static ImageTowerConfig tower(TensorConsumer tensors, double epsilon) {
    ImageTowerConfig tower =
        ImageTowerConfig.visionTransformer(
            tensors.extent(patch(tensors), 3, 0),
            tensors.layers(isTimm(tensors) ? "blocks." : "encoder.layer."));
    double own = layerNormEpsilon(tensors);
    return own == epsilon ? tower : tower.withLayerNormEpsilon(own);
  }

  /**
   * Returns the side of the pictures that it was made for, by its table of positions.
   *
   * @param otherwise where the table is of no square and [CLS]
   */
  static int imageSize(TensorConsumer tensors, int otherwise) {
    String position = isTimm(tensors) ? "pos_embed" : "embeddings.position_embeddings";
    int places = tensors.extent(position, 1, 0) - 1;
    int side = (int) Math.round(Math.sqrt(Math.max(places, 0)));
    return side > 0 && side * side == places
        ? (int) Math.min((long) side * tensors.extent(patch(tensors), 3, 0), Integer.MAX_VALUE)
        : otherwise;
  }

  private static double layerNormEpsilon(TensorConsumer tensors) {
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
      tensors.requireKind(ROLE, HUGGING_FACE_PATCH + ".weight");
      mapping.huggingFace();
    }
    Pattern ignorable = timm ? TIMM_IGNORABLE : HUGGING_FACE_IGNORABLE;
    return tensors.finish(ROLE, name -> ignorable.matcher(name).matches());
  }

  private void huggingFace() {
    embeddings(
        HUGGING_FACE_PATCH,
        "embeddings.cls_token",
        "embeddings.position_embeddings",
        "embeddings.distillation_token");
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
    embeddings(TIMM_PATCH, "cls_token", "pos_embed", "dist_token");
    int h = config.hidden();
    int f = config.feedForward();
    for (int i = 0; i < config.image().layers(); i++) {
      String target = tower + ".layer" + i;
      String source = "blocks." + i;
      tensors.layerNorm(target + ".norm1", source + ".norm1", h);
      String fused = source + ".attn.qkv";
      tensors.queryKeyValue(target + ".attention", fused + ".weight", fused + ".bias", h);
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
    if (tensors.want(position, "; it must be of [CLS] and a square grid", 1, tokens, h)) {
      tensors.put(tower + ".position", new long[] {1, tokens, h}, tensors.get(position)::values);
    }
  }
}
