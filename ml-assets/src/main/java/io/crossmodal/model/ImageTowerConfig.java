/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * The image tower: the paper's vision transformer, or a residual convolutional net for training
 * from scratch.
 *
 * @param kind which of the two
 * @param patch side of a patch in pixels (vision transformer, else 0)
 * @param layers transformer layers (vision transformer, else 0)
 * @param stems widths of the plain 3x3 convolutions at the start, each with stride 2
 *     (convolutional)
 * @param stages residual stages behind the stems (convolutional)
 * @param layerNormEpsilon of this tower's layer norms; null: {@link ModelConfig#layerNormEpsilon}
 * @param shortcuts whether a stage is one residual block with a shortcut around its stride too
 *     (convolutional); null: false
 */
public record ImageTowerConfig(
    Kind kind,
    int patch,
    int layers,
    List<Integer> stems,
    List<Stage> stages,
    Double layerNormEpsilon,
    Boolean shortcuts) {

  /** The two towers of {@code image.py}. */
  public enum Kind {
    VISION_TRANSFORMER,
    CONVOLUTIONAL
  }

  /**
   * A strided 3x3 convolution followed by one residual block; with {@link #shortcuts}, one residual
   * block of that stride.
   *
   * @param width output channels
   * @param stride 1 or 2
   */
  public record Stage(int width, int stride) {
    public Stage {
      Checks.atLeast("width", width, 1);
      if (stride != 1 && stride != 2) {
        throw new IllegalArgumentException("stride must be 1 or 2, got " + stride);
      }
    }
  }

  public ImageTowerConfig {
    Objects.requireNonNull(kind, "kind");
    stems = List.copyOf(Objects.requireNonNull(stems, "stems"));
    stages = List.copyOf(Objects.requireNonNull(stages, "stages"));
    if (kind == Kind.VISION_TRANSFORMER) {
      Checks.atLeast("patch", patch, 1);
      Checks.atLeast("layers", layers, 1);
    } else {
      Checks.atLeast("stems", stems.size(), 1);
      stems.forEach(width -> Checks.atLeast("a stem's width", width, 1));
      Checks.atLeast("stages", stages.size(), 1);
    }
    if (shortcuts != null && kind != Kind.CONVOLUTIONAL) {
      throw new IllegalArgumentException(
          "shortcuts belong to a convolutional tower, got them for " + kind);
    }
    if (layerNormEpsilon != null) {
      Checks.layerNormEpsilon(layerNormEpsilon);
    }
  }

  public static ImageTowerConfig visionTransformer(int patch, int layers) {
    return new ImageTowerConfig(
        Kind.VISION_TRANSFORMER, patch, layers, List.of(), List.of(), null, null);
  }

  public static ImageTowerConfig convolutional(List<Integer> stems, List<Stage> stages) {
    return new ImageTowerConfig(Kind.CONVOLUTIONAL, 0, 0, stems, stages, null, null);
  }

  /** A convolutional tower each of whose stages is one residual block. */
  public static ImageTowerConfig residual(List<Integer> stems, List<Stage> stages) {
    return new ImageTowerConfig(Kind.CONVOLUTIONAL, 0, 0, stems, stages, null, true);
  }

  /** The same tower whose layer norms have an epsilon of their own (timm's ViT: 1e-6). */
  public ImageTowerConfig withLayerNormEpsilon(double epsilon) {
    return new ImageTowerConfig(kind, patch, layers, stems, stages, epsilon, shortcuts);
  }

  /** Pixels of the image per token and side. */
  public int stride() {
    if (kind == Kind.VISION_TRANSFORMER) {
      return patch;
    }
    int stride = 1 << stems.size();
    for (Stage stage : stages) {
      stride *= stage.stride();
    }
    return stride;
  }

  /**
   * G, tokens per side.
   *
   * @throws IllegalArgumentException when {@code imageSize} is no multiple of {@link #stride()}
   */
  public int gridSide(int imageSize) {
    if (imageSize % stride() != 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "image size %d is not a multiple of the tower's stride %d",
              imageSize,
              stride()));
    }
    return imageSize / stride();
  }

  /** Whether every stage is one residual block. */
  public boolean hasShortcuts() {
    return Boolean.TRUE.equals(shortcuts);
  }

  /**
   * Whether the block that is the stage needs a convolution in its shortcut, as its input has
   * another shape than its output.
   *
   * @param stage of a tower with shortcuts
   */
  public boolean projects(int stage) {
    int in = stage == 0 ? stems.get(stems.size() - 1) : stages.get(stage - 1).width();
    return stages.get(stage).stride() > 1 || stages.get(stage).width() != in;
  }

  /** Silent about what is not set: fingerprints of older bundles hash this text. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "ImageTowerConfig[kind=%s, patch=%d, layers=%d, stems=%s, stages=%s%s%s]",
        kind,
        patch,
        layers,
        stems,
        stages,
        layerNormEpsilon == null ? "" : ", layerNormEpsilon=" + layerNormEpsilon,
        shortcuts == null ? "" : ", shortcuts=" + shortcuts);
  }
}
