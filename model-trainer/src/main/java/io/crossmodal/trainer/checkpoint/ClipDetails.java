/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.TransformerConfig.Activation;
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

  /** Name of the end token's id among the shapes. */
  static final String END = "text.end";

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

  /** Returns what a config says of shapes that are others, one line each. */
  List<String> contradictions(Map<String, Integer> found) {
    List<String> lines = new ArrayList<>();
    found.forEach(
        (name, value) -> {
          Integer said = shapes.get(name);
          if (said != null && !said.equals(value)) {
            lines.add(
                String.format(
                    Locale.ROOT,
                    "its config says %s %d, its %s %d",
                    name,
                    said,
                    name.equals(END) ? "tokenizer" : "tensors",
                    value));
          }
        });
    return lines;
  }
}
