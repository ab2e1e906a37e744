/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * The image tower: the vision transformer of MTGFE's paper, a residual convolutional net for
 * training from scratch, the ResNet of SS-CM-RSIR's paper, or, with the weights of another
 * training, an EfficientNet-Lite or CLIP's vision transformer.
 *
 * @param kind which of them
 * @param patch side of a patch in pixels (vision transformers, else 0)
 * @param layers transformer layers (vision transformers, else 0)
 * @param stems widths of the plain 3x3 convolutions at the start, each with stride 2
 *     (convolutional); the width of the one 7x7 convolution, which maximum pooling follows, both
 *     with stride 2 (ResNet); the width of the one 3x3 convolution of stride 2 (EfficientNet-Lite)
 * @param stages residual stages behind the stems (convolutional), bottleneck blocks (ResNet),
 *     inverted bottlenecks (EfficientNet-Lite)
 * @param layerNormEpsilon of this tower's layer norms; null: {@link ModelConfig#layerNormEpsilon}
 * @param shortcuts whether a stage is one residual block with a shortcut around its stride too
 *     (convolutional); null: false
 * @param pooling how [CLS] is made of the grid (of a convolutional tower or a ResNet); null: {@link
 *     Pooling#MEAN}
 * @param head width of the 1x1 convolution behind the last block (EfficientNet-Lite); null for the
 *     others
 * @param fineTokens whether a token takes in the four places that it covers of the grid before the
 *     last reduction (EfficientNet-Lite); null: false
 * @param transformer the layers' own widths (CLIP); null for the others
 */
public record ImageTowerConfig(
    Kind kind,
    int patch,
    int layers,
    List<Integer> stems,
    List<Stage> stages,
    Double layerNormEpsilon,
    Boolean shortcuts,
    Pooling pooling,
    Integer head,
    Boolean fineTokens,
    TransformerConfig transformer) {
  private static final int MOST_CELLS = 4;
  static final int MAX_WIDTH = 16_384;
  private static final int MAX_STAGES = 256;

  /**
   * The towers of {@code vit.py}, {@code convnet.py}, {@code resnet.py}, {@code efficientnet.py},
   * {@code clip_vision.py}.
   */
  public enum Kind {
    VISION_TRANSFORMER,
    CONVOLUTIONAL,
    /** He et al. 2016, section 4.1; it ends as the convolutional tower does. */
    RESNET,
    /** Tan and Le 2019, as its Lite variants are: for pretrained weights, whose statistics stay. */
    EFFICIENTNET_LITE,
    /** Radford et al. 2021, section 2.4: a vision transformer of another width than the model. */
    CLIP
  }

  /** What [CLS] is a linear function of. */
  public enum Pooling {
    /** The mean over the grid: it knows what there is and not where. */
    MEAN,
    /** The means over at most 4 x 4 cells of the grid, side by side. */
    GRID
  }

  /**
   * A strided 3x3 convolution followed by one residual block; with {@link #shortcuts}, one residual
   * block of that stride; of a ResNet, one bottleneck block, a quarter as wide inside; of an
   * EfficientNet-Lite, one inverted bottleneck.
   *
   * @param width output channels
   * @param stride 1 or 2
   * @param kernel side of the depthwise convolution (EfficientNet-Lite), else null
   * @param expansion how much wider it is inside than its input (EfficientNet-Lite), else null
   */
  public record Stage(int width, int stride, Integer kernel, Integer expansion) {
    public Stage(int width, int stride) {
      this(width, stride, null, null);
    }

    public Stage {
      Checks.within("width", width, 1, MAX_WIDTH);
      if (stride != 1 && stride != 2) {
        throw new IllegalArgumentException("stride must be 1 or 2, got " + stride);
      }
      if ((kernel == null) != (expansion == null)) {
        throw new IllegalArgumentException(
            "kernel and expansion belong together, got " + kernel + " and " + expansion);
      }
      if (kernel != null && kernel != 3 && kernel != 5 && kernel != 7) {
        throw new IllegalArgumentException("kernel must be 3, 5 or 7, got " + kernel);
      }
      if (expansion != null) {
        Checks.within("expansion", expansion, 1, 16);
      }
    }

    /** Silent about what is not set: fingerprints of older bundles hash this text. */
    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "Stage[width=%d, stride=%d%s]",
          width,
          stride,
          kernel == null ? "" : ", kernel=" + kernel + ", expansion=" + expansion);
    }
  }

  public ImageTowerConfig {
    Objects.requireNonNull(kind, "kind");
    stems = List.copyOf(Objects.requireNonNull(stems, "stems"));
    stages = List.copyOf(Objects.requireNonNull(stages, "stages"));
    if (isTransformer(kind)) {
      Checks.within("patch", patch, 1, SensorConfig.MAX_SIDE);
      Checks.within("layers", layers, 1, ModelConfig.MAX_LAYERS);
    } else {
      Checks.within("stems", stems.size(), 1, 8);
      stems.forEach(width -> Checks.within("a stem's width", width, 1, MAX_WIDTH));
      Checks.within("stages", stages.size(), 1, MAX_STAGES);
      long halvings = stages.stream().filter(stage -> stage.stride() == 2).count();
      Checks.within("stages of stride 2", halvings, 0, 11);
    }
    if (kind == Kind.RESNET) {
      TowerChecks.bottlenecks(stems, stages);
    }
    TowerChecks.efficientNet(kind, stems, stages, head, fineTokens);
    TransformerConfig.require(transformer, kind == Kind.CLIP, kind);
    if (pooling != null && kind != Kind.CONVOLUTIONAL && kind != Kind.RESNET) {
      throw new IllegalArgumentException(
          "pooling belongs to a convolutional tower or a ResNet, got " + pooling + " for " + kind);
    }
    if (shortcuts != null && kind != Kind.CONVOLUTIONAL) {
      throw new IllegalArgumentException(
          "shortcuts belong to a convolutional tower, got them for " + kind);
    }
    if (layerNormEpsilon != null) {
      Checks.layerNormEpsilon(layerNormEpsilon);
    }
  }

  /** A tower that is not CLIP's. */
  public ImageTowerConfig(
      Kind kind,
      int patch,
      int layers,
      List<Integer> stems,
      List<Stage> stages,
      Double layerNormEpsilon,
      Boolean shortcuts,
      Pooling pooling,
      Integer head,
      Boolean fineTokens) {
    this(
        kind,
        patch,
        layers,
        stems,
        stages,
        layerNormEpsilon,
        shortcuts,
        pooling,
        head,
        fineTokens,
        null);
  }

  /** CLIP's vision transformer. */
  public static ImageTowerConfig clip(int patch, int layers, TransformerConfig transformer) {
    return new ImageTowerConfig(
        Kind.CLIP, patch, layers, List.of(), List.of(), null, null, null, null, null, transformer);
  }

  public static ImageTowerConfig visionTransformer(int patch, int layers) {
    return new ImageTowerConfig(
        Kind.VISION_TRANSFORMER, patch, layers, List.of(), List.of(), null, null, null, null, null);
  }

  public static ImageTowerConfig convolutional(List<Integer> stems, List<Stage> stages) {
    return new ImageTowerConfig(
        Kind.CONVOLUTIONAL, 0, 0, stems, stages, null, null, null, null, null);
  }

  /** A convolutional tower each of whose stages is one residual block. */
  public static ImageTowerConfig residual(List<Integer> stems, List<Stage> stages) {
    return new ImageTowerConfig(
        Kind.CONVOLUTIONAL, 0, 0, stems, stages, null, true, null, null, null);
  }

  /** A ResNet of any depth and width. */
  public static ImageTowerConfig resnet(int stem, List<Stage> blocks) {
    return new ImageTowerConfig(
        Kind.RESNET, 0, 0, List.of(stem), blocks, null, null, null, null, null);
  }

  /** ResNet-50, 3 + 4 + 6 + 3 blocks, strided in the 3x3 convolution of a block. */
  public static ImageTowerConfig resnet50() {
    List<Stage> blocks = new ArrayList<>();
    int[] depths = {3, 4, 6, 3};
    for (int stage = 0; stage < depths.length; stage++) {
      for (int block = 0; block < depths[stage]; block++) {
        blocks.add(new Stage(256 << stage, stage > 0 && block == 0 ? 2 : 1));
      }
    }
    return resnet(64, blocks);
  }

  /**
   * An EfficientNet-Lite of any blocks.
   *
   * @param fineTokens see {@link #fineTokens}
   */
  public static ImageTowerConfig efficientNetLite(
      int stem, List<Stage> blocks, int head, boolean fineTokens) {
    return new ImageTowerConfig(
        Kind.EFFICIENTNET_LITE,
        0,
        0,
        List.of(stem),
        blocks,
        null,
        null,
        null,
        head,
        fineTokens ? true : null);
  }

  /** EfficientNet-Lite0: B0's seven rows of table 1, Tan and Le 2019; 3.4 million parameters. */
  public static ImageTowerConfig efficientNetLite0() {
    int[][] rows = {
      // blocks, width, stride, kernel, expansion
      {1, 16, 1, 3, 1},
      {2, 24, 2, 3, 6},
      {2, 40, 2, 5, 6},
      {3, 80, 2, 3, 6},
      {3, 112, 1, 5, 6},
      {4, 192, 2, 5, 6},
      {1, 320, 1, 3, 6}
    };
    List<Stage> blocks = new ArrayList<>();
    for (int[] row : rows) {
      for (int block = 0; block < row[0]; block++) {
        blocks.add(new Stage(row[1], block == 0 ? row[2] : 1, row[3], row[4]));
      }
    }
    return efficientNetLite(32, blocks, 1280, true);
  }

  /** The same tower whose layer norms have an epsilon of their own (timm's ViT: 1e-6). */
  public ImageTowerConfig withLayerNormEpsilon(double epsilon) {
    return new ImageTowerConfig(
        kind,
        patch,
        layers,
        stems,
        stages,
        epsilon,
        shortcuts,
        pooling,
        head,
        fineTokens,
        transformer);
  }

  /** The same tower whose [CLS] is made in this way. */
  public ImageTowerConfig withPooling(Pooling way) {
    return new ImageTowerConfig(
        kind, patch, layers, stems, stages, layerNormEpsilon, shortcuts, way, head, fineTokens);
  }

  private static boolean isTransformer(Kind kind) {
    return kind == Kind.VISION_TRANSFORMER || kind == Kind.CLIP;
  }

  /** Pixels of the image per token and side. */
  public int stride() {
    if (isTransformer(kind)) {
      return patch;
    }
    int stride = kind == Kind.RESNET ? 4 : 1 << stems.size();
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

  /** Tokens per side that leave the tower, of all its patches or of their means. */
  public int tokenSide(int imageSize) {
    int side = gridSide(imageSize);
    if (transformer == null || transformer.tokenGrid() == null) {
      return side;
    }
    Checks.within("token_grid", transformer.tokenGrid(), 1, side);
    return transformer.tokenGrid();
  }

  /** Returns whether [CLS] is made of cells of the grid. */
  public boolean hasCells() {
    return pooling == Pooling.GRID;
  }

  /**
   * Cells a side that [CLS] is made of; 1 where it is made of the mean.
   *
   * @throws IllegalArgumentException as {@link #gridSide}
   */
  public int cells(int imageSize) {
    return hasCells() ? Math.min(MOST_CELLS, gridSide(imageSize)) : 1;
  }

  /** Returns whether a token takes in the finer grid that it covers. */
  public boolean hasFineTokens() {
    return Boolean.TRUE.equals(fineTokens);
  }

  /** Returns whether the tokens of patches can be compared with texts. */
  public boolean hasValuePath() {
    return transformer != null && transformer.hasValuePath();
  }

  /** The last stage of stride 2, from 0: a tower is cut before it. */
  public int lastReduction() {
    for (int i = stages.size() - 1; i > 0; i--) {
      if (stages.get(i).stride() == 2) {
        return i;
      }
    }
    return 0;
  }

  /** Returns whether every stage is one residual block. */
  public boolean hasShortcuts() {
    return Boolean.TRUE.equals(shortcuts);
  }

  /**
   * Returns whether the block that is the stage needs a convolution in its shortcut, as its input
   * has another shape than its output.
   *
   * @param stage of a tower with shortcuts, or of a ResNet
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
        "ImageTowerConfig[kind=%s, patch=%d, layers=%d, stems=%s, stages=%s%s%s%s%s%s%s]",
        kind,
        patch,
        layers,
        stems,
        stages,
        layerNormEpsilon == null ? "" : ", layerNormEpsilon=" + layerNormEpsilon,
        shortcuts == null ? "" : ", shortcuts=" + shortcuts,
        pooling == null ? "" : ", pooling=" + pooling,
        head == null ? "" : ", head=" + head,
        fineTokens == null ? "" : ", fineTokens=" + fineTokens,
        transformer == null ? "" : ", transformer=" + transformer);
  }
}
