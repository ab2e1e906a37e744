/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.TransformerConfig.Activation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Reads the configs that lie beside a CLIP's weights. What makes another net of the same tensors is
 * refused by its name, and so is every option that is not known: its tensors may be as CLIP's are.
 */
final class ClipConfigs {
  /** An end token's id by which Hugging Face's library means the largest id of a text. */
  private static final int LARGEST_IS_END = 2;

  private static final Set<String> BOOLEANS = Set.of("true", "false");

  /** OpenCLIP's default. */
  private static final int HEAD_WIDTH = 64;

  /**
   * Options of OpenCLIP's towers that make another net of the same tensors or read texts otherwise,
   * and what of them is CLIP. What is neither here nor in {@link #PLAIN} is refused where it is
   * set.
   */
  private static final Map<String, List<String>> OTHER_NETS =
      Map.of(
          "pool_type", List.of("tok", "argmax", "eos"),
          "proj_type", List.of("linear"),
          "pos_embed_type", List.of("learnable"),
          "block_type", List.of("default"),
          "tokenizer_mode", List.of("clip"));

  /** Options that tensors' shapes tell, that are of training alone, or that are read here. */
  private static final Set<String> PLAIN =
      Set.of(
          "width",
          "layers",
          "head_width",
          "heads",
          "mlp_ratio",
          "patch_size",
          "image_size",
          "context_length",
          "vocab_size",
          "norm_kwargs",
          "patch_dropout",
          "output_tokens",
          "attn_pooler_queries",
          "attn_pooler_heads",
          "n_queries",
          "pad_id",
          "bos_id",
          "eos_id");

  /** Beginnings of options of towers of other libraries, whose names are refused. */
  private static final Pattern OF_OTHERS = Pattern.compile("(timm|hf)_(?!tokenizer).*");

  private ClipConfigs() {}

  /**
   * Reads {@code open_clip_config.json} or one of OpenCLIP's {@code model_configs}, or Hugging
   * Face's {@code config.json}.
   *
   * @throws CheckpointException when it is neither, or of another model than CLIP, naming it
   */
  static ClipDetails read(Path file) throws IOException {
    try {
      JsonObject json = JsonParser.parseString(ClipFiles.json(file)).getAsJsonObject();
      if (json.has("model_type")) {
        return huggingFace(file, json);
      }
      JsonObject model = json.has("model_cfg") ? json.getAsJsonObject("model_cfg") : json;
      if (!(model.get("vision_cfg") instanceof JsonObject
          && model.get("text_cfg") instanceof JsonObject)) {
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
      String why = e instanceof ClassCastException ? "a part of it is no object" : e.getMessage();
      throw new CheckpointException(file + " is no config of a CLIP: " + why, e);
    }
  }

  private static ClipDetails openClip(Path file, JsonObject model, JsonObject pixels)
      throws CheckpointException {
    JsonObject vision = model.getAsJsonObject("vision_cfg");
    JsonObject text = model.getAsJsonObject("text_cfg");
    refuse(file, "multimodal_cfg", model.get("multimodal_cfg"), "a CoCa's decoder");
    refuse(file, "init_logit_bias", model.get("init_logit_bias"), "a SigLIP's score");
    refuse(file, "timm_model_name", vision.get("timm_model_name"), "an image tower of timm");
    refuse(file, "hf_model_name", text.get("hf_model_name"), "a text tower of another library");
    if (vision.has("layers") && vision.get("layers").isJsonArray()) {
      refuse(file, "layers", vision.get("layers"), "a ResNet's image tower");
    }
    plain(file, vision);
    plain(file, text);
    // OpenCLIP takes GELU where its config does not say.
    JsonElement quick = model.get("quick_gelu");
    if (quick != null && !quick.isJsonNull() && !BOOLEANS.contains(quick.toString())) {
      refuse(file, "quick_gelu", quick, "neither true nor false");
    }
    Activation activation =
        quick != null && quick.toString().equals("true") ? Activation.QUICK_GELU : Activation.GELU;
    // What is left out is its dataclasses' default.
    Map<String, Integer> shapes = new LinkedHashMap<>();
    put(shapes, "joint", file, model, "embed_dim", null);
    put(shapes, "image.width", file, vision, "width", 768);
    put(shapes, "image.layers", file, vision, "layers", 12);
    put(shapes, "image.patch", file, vision, "patch_size", 16);
    put(shapes, "image.side", file, vision, "image_size", 224);
    put(shapes, "text.width", file, text, "width", 512);
    put(shapes, "text.layers", file, text, "layers", 12);
    put(shapes, "text.context", file, text, "context_length", 77);
    put(shapes, "text.vocabulary", file, text, "vocab_size", 49_408);
    if (text.has("pool_type") && text.get("pool_type").getAsString().equals("eos")) {
      put(shapes, ClipDetails.END, file, text, "eos_id", 2);
    }
    int headWidth = integer(file, vision, "head_width", HEAD_WIDTH);
    if (headWidth < 1) {
      refuse(file, "head_width", vision.get("head_width"), "no width of a head");
    }
    return new ClipDetails(
        new ClipDetails.Tower(
            Math.max(1, shapes.get("image.width") / headWidth), activation, epsilon(file, vision)),
        new ClipDetails.Tower(integer(file, text, "heads", 8), activation, epsilon(file, text)),
        ClipPixels.openClip(file, pixels),
        shapes);
  }

  /** Refuses what makes another net than CLIP's of an OpenCLIP's tower, or may. */
  private static void plain(Path file, JsonObject tower) throws CheckpointException {
    for (Map.Entry<String, JsonElement> option : tower.entrySet()) {
      String key = option.getKey();
      JsonElement value = option.getValue();
      boolean isEmpty = value.isJsonObject() && value.getAsJsonObject().isEmpty();
      boolean isClip =
          value.isJsonPrimitive()
              && (value.getAsString().equals("false")
                  || OTHER_NETS.getOrDefault(key, List.of()).contains(value.getAsString()));
      boolean off = value.isJsonNull() || isEmpty || isClip;
      if (!off && !PLAIN.contains(key) && !OF_OTHERS.matcher(key).matches()) {
        List<String> taken = OTHER_NETS.get(key);
        refuse(
            file,
            key,
            value,
            (key.contains("tokenizer") ? "texts read otherwise" : "another net")
                + " than CLIP's"
                + (taken == null ? "" : ", which has " + taken));
      }
    }
  }

  /** Returns what layer norms add to the variance; null where they add what they usually do. */
  private static Double epsilon(Path file, JsonObject tower) throws CheckpointException {
    JsonElement norm = tower.get("norm_kwargs");
    if (norm == null || norm.isJsonNull()) {
      return null;
    }
    if (!Set.of("eps").containsAll(norm.getAsJsonObject().keySet())) {
      refuse(file, "norm_kwargs", norm, "another norm than CLIP's");
    }
    JsonElement epsilon = norm.getAsJsonObject().get("eps");
    return epsilon == null ? null : Double.valueOf(epsilon.getAsDouble());
  }

  private static ClipDetails huggingFace(Path file, JsonObject json) throws CheckpointException {
    String type = json.get("model_type").getAsString();
    if (!type.equals("clip")) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is the config of a [%.100s]; what is read is a whole [clip], Hugging Face's"
                  + " CLIPModel, with both of its towers",
              file,
              type));
    }
    JsonObject vision = part(json, "vision_config");
    JsonObject text = part(json, "text_config");
    // What is left out is the library's default.
    Map<String, Integer> shapes = new LinkedHashMap<>();
    put(shapes, "joint", file, json, "projection_dim", 512);
    put(shapes, "image.width", file, vision, "hidden_size", 768);
    put(shapes, "image.layers", file, vision, "num_hidden_layers", 12);
    put(shapes, "image.patch", file, vision, "patch_size", 32);
    put(shapes, "image.side", file, vision, "image_size", 224);
    put(shapes, "text.width", file, text, "hidden_size", 512);
    put(shapes, "text.layers", file, text, "num_hidden_layers", 12);
    put(shapes, "text.context", file, text, "max_position_embeddings", 77);
    put(shapes, "text.vocabulary", file, text, "vocab_size", 49_408);
    int end = integer(file, text, "eos_token_id", 49_407);
    if (end != LARGEST_IS_END) {
      shapes.put(ClipDetails.END, end);
    }
    return new ClipDetails(tower(file, vision, 12), tower(file, text, 8), ClipPixels.NONE, shapes);
  }

  /** Returns a tower's config; in old files another one beside it counts in its place. */
  private static JsonObject part(JsonObject json, String name) {
    for (String key : List.of(name + "_dict", name)) {
      if (json.has(key) && !json.get(key).isJsonNull()) {
        return json.getAsJsonObject(key);
      }
    }
    return new JsonObject();
  }

  /** What a config of Hugging Face's leaves out has the library's default. */
  private static ClipDetails.Tower tower(Path file, JsonObject json, int heads)
      throws CheckpointException {
    String name = json.has("hidden_act") ? json.get("hidden_act").getAsString() : "quick_gelu";
    double epsilon = json.has("layer_norm_eps") ? json.get("layer_norm_eps").getAsDouble() : 1e-5;
    for (Activation activation : Activation.values()) {
      if (activation.name().toLowerCase(Locale.ROOT).equals(name)) {
        return new ClipDetails.Tower(
            integer(file, json, "num_attention_heads", heads), activation, epsilon);
      }
    }
    throw new CheckpointException(
        String.format(
            Locale.ROOT,
            "%s: hidden_act is [%.100s]; gelu and quick_gelu are computed",
            file,
            name));
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

  /** Adds a number, or that of a pair of two equal ones. */
  private static void put(
      Map<String, Integer> shapes,
      String name,
      Path file,
      JsonObject json,
      String key,
      Integer otherwise)
      throws CheckpointException {
    JsonElement value = json.get(key);
    if (value != null && value.isJsonArray()) {
      JsonArray pair = value.getAsJsonArray();
      if (pair.size() != 2 || !pair.get(0).equals(pair.get(1))) {
        throw new CheckpointException(
            String.format(Locale.ROOT, "%s has %s [%.100s]; squares are read", file, key, value));
      }
      value = pair.get(0);
    }
    if (value != null && !value.isJsonNull()) {
      shapes.put(name, whole(file, key, value));
    } else if (otherwise != null) {
      shapes.put(name, otherwise);
    }
  }

  private static int integer(Path file, JsonObject json, String key, int otherwise)
      throws CheckpointException {
    JsonElement value = json.get(key);
    return value == null || value.isJsonNull() ? otherwise : whole(file, key, value);
  }

  private static int whole(Path file, String key, JsonElement value) throws CheckpointException {
    try {
      return value.getAsBigDecimal().intValueExact();
    } catch (ArithmeticException | NumberFormatException | IllegalStateException e) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT, "%s has %s [%.100s], which is no whole number", file, key, value),
          e);
    }
  }
}
