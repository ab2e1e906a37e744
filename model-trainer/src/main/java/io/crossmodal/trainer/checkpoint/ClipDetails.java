/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.TransformerConfig.Activation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What is known of a CLIP beside its tensors, whose shapes tell neither heads nor activation.
 *
 * @param image of the image tower
 * @param text of the text tower
 * @param pixels of pictures
 * @param shapes what a config says of the shapes, by its own names for {@code joint}, {@code
 *     image.width}, {@code image.layers}, {@code image.patch}, {@code image.side}, {@code
 *     text.width}, {@code text.layers}, {@code text.context} and {@code text.vocabulary}
 */
record ClipDetails(Tower image, Tower text, ClipPixels pixels, Map<String, Integer> shapes) {
  static final ClipDetails NONE = of(Tower.NONE, Tower.NONE);

  /** OpenCLIP's default. */
  private static final int HEAD_WIDTH = 64;

  /** What {@link #ARCHITECTURES} says of each. */
  private static final List<String> ARCHITECTURE =
      List.of(
          "joint",
          "image.width",
          "image.layers",
          "image.heads",
          "image.patch",
          "image.side",
          "text.width",
          "text.layers",
          "text.heads");

  /** OpenCLIP's model_configs. */
  private static final Map<String, int[]> ARCHITECTURES = new LinkedHashMap<>();

  static {
    ARCHITECTURES.put("ViT-B-32", new int[] {512, 768, 12, 12, 32, 224, 512, 12, 8});
    ARCHITECTURES.put("ViT-B-32-256", new int[] {512, 768, 12, 12, 32, 256, 512, 12, 8});
    ARCHITECTURES.put("ViT-B-16", new int[] {512, 768, 12, 12, 16, 224, 512, 12, 8});
    ARCHITECTURES.put("ViT-L-14", new int[] {768, 1024, 24, 16, 14, 224, 768, 12, 12});
    ARCHITECTURES.put("ViT-L-14-336", new int[] {768, 1024, 24, 16, 14, 336, 768, 12, 12});
    ARCHITECTURES.put("ViT-H-14", new int[] {1024, 1280, 32, 16, 14, 224, 1024, 24, 16});
    ARCHITECTURES.put("ViT-g-14", new int[] {1024, 1408, 40, 16, 14, 224, 1024, 24, 16});
    ARCHITECTURES.put("ViT-bigG-14", new int[] {1280, 1664, 48, 16, 14, 224, 1280, 32, 20});
  }

  /** Options of OpenCLIP that make another net of the same tensors, and what of them is CLIP. */
  private static final Map<String, String> OTHER_NETS =
      Map.of(
          "attentional_pool", "false",
          "no_ln_pre", "false",
          "final_ln_after_pool", "false",
          "input_patchnorm", "false",
          "global_average_pool", "false",
          "no_causal_mask", "false",
          "embed_cls", "false",
          "pos_embed_type", "learnable");

  /**
   * What no shape tells of a tower; null where it is not known.
   *
   * @param epsilon added to the variance in layer norms; null: 1e-5
   */
  record Tower(Integer heads, Activation activation, Double epsilon) {
    static final Tower NONE = new Tower(null, null, null);
  }

  ClipDetails {
    shapes = Map.copyOf(shapes);
  }

  /** Returns what is said by hand. */
  static ClipDetails of(Tower image, Tower text) {
    return new ClipDetails(image, text, ClipPixels.NONE, Map.of());
  }

  /** Returns the same of weights that were trained with that activation. */
  ClipDetails with(Activation activation) {
    return new ClipDetails(
        new Tower(image.heads, activation, image.epsilon),
        new Tower(text.heads, activation, text.epsilon),
        pixels,
        shapes);
  }

  /** Returns the same of other pixels. */
  ClipDetails with(ClipPixels others) {
    return new ClipDetails(image, text, others, shapes);
  }

  /**
   * Returns what OpenCLIP's config of a name says: {@code ViT-B-32}, {@code ViT-L-14-336} and so
   * on, with {@code -quickgelu} behind it where it has that activation.
   *
   * @throws CheckpointException for an unknown name, listing the known ones
   */
  static ClipDetails ofArchitecture(String name) throws CheckpointException {
    String bare = name.replaceFirst("(?i)-quickgelu$", "");
    int[] shape = null;
    for (Map.Entry<String, int[]> known : ARCHITECTURES.entrySet()) {
      shape = known.getKey().equalsIgnoreCase(bare) ? known.getValue() : shape;
    }
    if (shape == null) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "unknown --arch [%.100s]; known are %s, each with -quickgelu behind it too, or the"
                  + " file of a config",
              name,
              ARCHITECTURES.keySet()));
    }
    Map<String, Integer> shapes = new LinkedHashMap<>();
    for (int i = 0; i < ARCHITECTURE.size(); i++) {
      shapes.put(ARCHITECTURE.get(i), shape[i]);
    }
    Activation activation = bare.length() < name.length() ? Activation.QUICK_GELU : Activation.GELU;
    return new ClipDetails(
        new Tower(shapes.remove("image.heads"), activation, null),
        new Tower(shapes.remove("text.heads"), activation, null),
        ClipPixels.NONE,
        shapes);
  }

  /**
   * Reads {@code open_clip_config.json} or one of OpenCLIP's {@code model_configs}, or Hugging
   * Face's {@code config.json}.
   *
   * @throws CheckpointException when it is neither, or of another model than CLIP, naming it
   */
  static ClipDetails read(Path file) throws IOException {
    try {
      JsonObject json = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
      if (json.has("model_type")) {
        return huggingFace(file, json);
      }
      JsonObject model = json.has("model_cfg") ? json.getAsJsonObject("model_cfg") : json;
      if (!model.has("vision_cfg") || !model.has("text_cfg")) {
        throw new CheckpointException(
            file
                + " is no config of a CLIP: it has neither model_type, as Hugging Face's, nor"
                + " vision_cfg and text_cfg, as OpenCLIP's; it has "
                + json.keySet().stream().limit(10).toList());
      }
      return openClip(file, model, json.getAsJsonObject("preprocess_cfg"));
    } catch (ArithmeticException
        | JsonParseException
        | IllegalStateException
        | ClassCastException
        | NumberFormatException
        | UnsupportedOperationException e) {
      throw new CheckpointException(file + " is no config of a CLIP: " + e.getMessage(), e);
    }
  }

  private static ClipDetails openClip(Path file, JsonObject model, JsonObject pixels)
      throws CheckpointException {
    JsonObject vision = model.getAsJsonObject("vision_cfg");
    JsonObject text = model.getAsJsonObject("text_cfg");
    refuse(file, "multimodal_cfg", model.get("multimodal_cfg"), "a CoCa's decoder");
    refuse(file, "timm_model_name", vision.get("timm_model_name"), "an image tower of timm");
    refuse(file, "hf_model_name", text.get("hf_model_name"), "a text tower of another library");
    if (vision.has("layers") && vision.get("layers").isJsonArray()) {
      refuse(file, "layers", vision.get("layers"), "a ResNet's image tower");
    }
    for (JsonObject tower : List.of(vision, text)) {
      for (Map.Entry<String, String> option : OTHER_NETS.entrySet()) {
        JsonElement value = tower.get(option.getKey());
        if (value != null
            && !value.isJsonNull()
            && !value.getAsString().equals(option.getValue())) {
          refuse(file, option.getKey(), value, "another net than CLIP's");
        }
      }
      refuse(file, "act_kwargs", tower.get("act_kwargs"), "another activation");
    }
    // OpenCLIP takes GELU where its config does not say.
    Activation activation =
        model.has("quick_gelu") && model.get("quick_gelu").getAsBoolean()
            ? Activation.QUICK_GELU
            : Activation.GELU;
    Map<String, Integer> shapes = new LinkedHashMap<>();
    put(shapes, "joint", model, "embed_dim");
    put(shapes, "image.width", vision, "width");
    put(shapes, "image.layers", vision, "layers");
    put(shapes, "image.patch", vision, "patch_size");
    put(shapes, "image.side", vision, "image_size");
    put(shapes, "text.width", text, "width");
    put(shapes, "text.layers", text, "layers");
    put(shapes, "text.context", text, "context_length");
    put(shapes, "text.vocabulary", text, "vocab_size");
    int headWidth = integer(vision, "head_width", HEAD_WIDTH);
    Integer width = shapes.get("image.width");
    return new ClipDetails(
        new Tower(width == null ? null : Math.max(1, width / headWidth), activation, null),
        new Tower(integer(text, "heads", 8), activation, null),
        ClipPixels.openClip(file, pixels),
        shapes);
  }

  private static ClipDetails huggingFace(Path file, JsonObject json) throws CheckpointException {
    String type = json.get("model_type").getAsString();
    if (!type.equals("clip") || !json.has("vision_config") || !json.has("text_config")) {
      throw new CheckpointException(
          file
              + " is the config of a ["
              + type
              + "], not of a whole [clip] with vision_config and text_config, which is what is"
              + " read");
    }
    JsonObject vision = json.getAsJsonObject("vision_config");
    JsonObject text = json.getAsJsonObject("text_config");
    Map<String, Integer> shapes = new LinkedHashMap<>();
    put(shapes, "joint", json, "projection_dim");
    put(shapes, "image.width", vision, "hidden_size");
    put(shapes, "image.layers", vision, "num_hidden_layers");
    put(shapes, "image.patch", vision, "patch_size");
    put(shapes, "image.side", vision, "image_size");
    put(shapes, "text.width", text, "hidden_size");
    put(shapes, "text.layers", text, "num_hidden_layers");
    put(shapes, "text.context", text, "max_position_embeddings");
    put(shapes, "text.vocabulary", text, "vocab_size");
    return new ClipDetails(tower(file, vision, 12), tower(file, text, 8), ClipPixels.NONE, shapes);
  }

  /** What a config of Hugging Face's leaves out has the library's default. */
  private static Tower tower(Path file, JsonObject json, int heads) throws CheckpointException {
    String name = json.has("hidden_act") ? json.get("hidden_act").getAsString() : "quick_gelu";
    double epsilon = json.has("layer_norm_eps") ? json.get("layer_norm_eps").getAsDouble() : 1e-5;
    for (Activation activation : Activation.values()) {
      if (activation.name().toLowerCase(Locale.ROOT).equals(name)) {
        return new Tower(integer(json, "num_attention_heads", heads), activation, epsilon);
      }
    }
    throw new CheckpointException(
        file + ": hidden_act is [" + name + "]; gelu and quick_gelu are computed");
  }

  private static void refuse(Path file, String key, JsonElement value, String what)
      throws CheckpointException {
    if (value != null && !value.isJsonNull()) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s has %s [%.100s], %s; a CLIP of a vision transformer and its own text tower is"
                  + " read",
              file,
              key,
              value,
              what));
    }
  }

  private static void put(Map<String, Integer> shapes, String name, JsonObject json, String key) {
    if (json.has(key)) {
      shapes.put(name, json.get(key).getAsInt());
    }
  }

  private static int integer(JsonObject json, String key, int otherwise) {
    return json.has(key) ? json.get(key).getAsInt() : otherwise;
  }

  /** Returns what a config says of shapes that are others, one line each. */
  List<String> contradictions(Map<String, Integer> found) {
    List<String> lines = new ArrayList<>();
    found.forEach(
        (name, value) -> {
          Integer said = shapes.get(name);
          if (said != null && !said.equals(value)) {
            lines.add(
                String.format(
                    Locale.ROOT, "its config says %s %d, its tensors %d", name, said, value));
          }
        });
    return lines;
  }
}
