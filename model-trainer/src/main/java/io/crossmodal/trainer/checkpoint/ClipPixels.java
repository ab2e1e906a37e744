/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.StreamSupport;

/**
 * How a CLIP's pictures become pixels; null where a file does not say.
 *
 * @param mean each of red, green and blue
 * @param std deviation of each
 * @param side in pixels
 */
record ClipPixels(
    List<Double> mean, List<Double> std, Resize.Filter filter, Resize.Fit fit, Integer side) {
  /** Nothing is said: OpenAI's, which LAION's are too. */
  static final ClipPixels NONE = new ClipPixels(null, null, null, null, null);

  /** Pillow's numbers of filters, as Hugging Face has them. */
  private static final Map<Integer, Resize.Filter> RESAMPLE =
      Map.of(2, Resize.Filter.BILINEAR, 3, Resize.Filter.BICUBIC);

  private static final double BYTE = 1.0 / 255;

  /** Returns the sensor of ordinary pictures that says this, of OpenAI's where this does not. */
  SensorConfig sensor(String name, int imageSide) {
    SensorConfig usual = SensorConfig.clip(imageSide);
    return new SensorConfig(
            name, imageSide, mean == null ? usual.mean() : mean, std == null ? usual.std() : std)
        .withResize(
            new Resize(
                filter == null ? usual.resize().filter() : filter,
                fit == null ? usual.resize().fit() : fit));
  }

  /** Returns the same with another fit. */
  ClipPixels withFit(Resize.Fit other) {
    return new ClipPixels(mean, std, filter, other, side);
  }

  /**
   * Reads the {@code preprocess_cfg} of OpenCLIP's config.
   *
   * @param json null where the config has none
   */
  static ClipPixels openClip(Path file, JsonObject json) throws CheckpointException {
    if (json == null) {
      return NONE;
    }
    String interpolation = text(json, "interpolation", "bicubic");
    String mode = text(json, "resize_mode", "shortest");
    Resize.Filter filter =
        switch (interpolation) {
          case "bicubic" -> Resize.Filter.BICUBIC;
          case "bilinear" -> Resize.Filter.BILINEAR;
          default -> throw refused(file, "interpolation", interpolation, "bicubic and bilinear");
        };
    Resize.Fit fit =
        switch (mode) {
          case "shortest" -> Resize.Fit.CROP;
          case "squash" -> Resize.Fit.SQUASH;
          default -> throw refused(file, "resize_mode", mode, "shortest and squash");
        };
    JsonElement size = json.get("size");
    return new ClipPixels(
        numbers(file, json, "mean"),
        numbers(file, json, "std"),
        filter,
        fit,
        size == null || size.isJsonNull() ? null : side(file, size, "size"));
  }

  /**
   * Reads Hugging Face's {@code preprocessor_config.json}.
   *
   * @throws CheckpointException when it says what no sensor does, naming it
   */
  static ClipPixels huggingFace(Path file) throws IOException {
    try {
      JsonObject json = JsonParser.parseString(ClipFiles.json(file)).getAsJsonObject();
      double factor = json.has("rescale_factor") ? json.get("rescale_factor").getAsDouble() : BYTE;
      if (Math.abs(factor - BYTE) > 1e-6 || !flag(json, "do_rescale")) {
        throw refused(file, "rescale_factor", factor, "1/255, with do_rescale");
      }
      if (!flag(json, "do_normalize") || !flag(json, "do_resize")) {
        throw refused(file, "do_normalize or do_resize", false, "true");
      }
      int resample = json.has("resample") ? json.get("resample").getAsInt() : 3;
      if (!RESAMPLE.containsKey(resample)) {
        throw refused(file, "resample", resample, "2 (bilinear) and 3 (bicubic)");
      }
      JsonElement size = json.get("size");
      boolean squashed =
          size != null && size.isJsonObject() && size.getAsJsonObject().has("height");
      Integer side = size == null ? null : side(file, size, "size");
      Integer crop =
          flag(json, "do_center_crop") && json.has("crop_size")
              ? side(file, json.get("crop_size"), "crop_size")
              : side;
      if (side != null && !side.equals(crop)) {
        throw refused(
            file, "size", side + " with a crop_size of " + crop, "a size that is the crop's");
      }
      return new ClipPixels(
          numbers(file, json, "image_mean"),
          numbers(file, json, "image_std"),
          RESAMPLE.get(resample),
          squashed ? Resize.Fit.SQUASH : Resize.Fit.CROP,
          side);
    } catch (RuntimeException e) {
      throw new CheckpointException(
          file + " is no preprocessor_config.json of a CLIP: " + e.getMessage(), e);
    }
  }

  /** Returns the side of a square that is a number, a pair or an object with its extents. */
  private static int side(Path file, JsonElement size, String key) throws CheckpointException {
    if (size.isJsonPrimitive()) {
      return size.getAsInt();
    }
    if (size.isJsonObject() && size.getAsJsonObject().has("shortest_edge")) {
      return size.getAsJsonObject().get("shortest_edge").getAsInt();
    }
    int height;
    int width;
    if (size.isJsonArray() && size.getAsJsonArray().size() == 2) {
      JsonArray pair = size.getAsJsonArray();
      height = pair.get(0).getAsInt();
      width = pair.get(1).getAsInt();
    } else if (size.isJsonObject()
        && size.getAsJsonObject().has("height")
        && size.getAsJsonObject().has("width")) {
      height = size.getAsJsonObject().get("height").getAsInt();
      width = size.getAsJsonObject().get("width").getAsInt();
    } else {
      throw refused(file, key, size, "a number of pixels, height and width, or shortest_edge");
    }
    if (height != width) {
      throw refused(file, key, size, "squares");
    }
    return height;
  }

  private static boolean flag(JsonObject json, String key) {
    return !json.has(key) || json.get(key).isJsonNull() || json.get(key).getAsBoolean();
  }

  private static String text(JsonObject json, String key, String otherwise) {
    return json.has(key) && !json.get(key).isJsonNull() ? json.get(key).getAsString() : otherwise;
  }

  private static List<Double> numbers(Path file, JsonObject json, String key)
      throws CheckpointException {
    if (!json.has(key) || json.get(key).isJsonNull()) {
      return null;
    }
    if (!json.get(key).isJsonArray()) {
      throw refused(file, key, json.get(key), "lists of numbers");
    }
    return StreamSupport.stream(json.getAsJsonArray(key).spliterator(), false)
        .map(JsonElement::getAsDouble)
        .toList();
  }

  private static CheckpointException refused(Path file, String key, Object found, String taken) {
    return new CheckpointException(
        String.format(Locale.ROOT, "%s: %s is [%.100s]; taken are %s", file, key, found, taken));
  }
}
