/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import com.google.gson.annotations.SerializedName;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * The shape of an MTGFE model.
 *
 * @param hidden H, width of every token
 * @param heads A, attention heads; divides {@code hidden}; CLIP's towers have their own
 * @param feedForward F, inner width of the feed-forward networks; CLIP's towers have their own
 * @param embeddingDimension D, length of an embedding
 * @param layerNormEpsilon added to the variance in every layer norm (BERT: 1e-12), save where the
 *     image tower has its own
 * @param text the text tower; null for a model of sensors alone, which has no fusion encoder either
 * @param image the image tower, one of this shape per sensor
 * @param fusionLayers layers of the fusion encoder, at least 2: the heat map is drawn from the last
 *     but one; 0 without a text tower; CLIP's may stand without a fusion encoder, too
 * @param sensors what the image towers accept, by distinct name
 * @param preRanker whether the pre-ranker, the paper's MLP filter (section 3.4), is part of the
 *     model
 * @param fusionWidth E, width inside of a fusion encoder over CLIP's towers, into which projections
 *     of its own lead, and which {@code heads} divides; null: it is as wide as the tokens
 * @param tokenProjection what of an image's tokens is stored and fused; null: all of them
 */
public record ModelConfig(
    int hidden,
    int heads,
    int feedForward,
    @SerializedName("filter_dimension") int embeddingDimension,
    double layerNormEpsilon,
    TextConfig text,
    ImageTowerConfig image,
    int fusionLayers,
    List<SensorConfig> sensors,
    @SerializedName("filter_mlp") boolean preRanker,
    Integer fusionWidth,
    TokenProjection tokenProjection) {

  /** Of a tower or the fusion encoder. */
  static final int MAX_LAYERS = 128;

  /** A model without a pre-ranker. */
  public ModelConfig(
      int hidden,
      int heads,
      int feedForward,
      int embeddingDimension,
      double layerNormEpsilon,
      TextConfig text,
      ImageTowerConfig image,
      int fusionLayers,
      List<SensorConfig> sensors) {
    this(
        hidden,
        heads,
        feedForward,
        embeddingDimension,
        layerNormEpsilon,
        text,
        image,
        fusionLayers,
        sensors,
        false,
        null,
        null);
  }

  public ModelConfig {
    Checks.within("hidden", hidden, 1, 8192);
    Checks.within("heads", heads, 1, 256);
    if (fusionWidth == null && hidden % heads != 0) {
      throw new IllegalArgumentException(
          "hidden " + hidden + " is not divisible by heads " + heads);
    }
    Checks.within("feed_forward", feedForward, 1, 32_768);
    Checks.within("filter_dimension", embeddingDimension, 1, 4096);
    Checks.layerNormEpsilon(layerNormEpsilon);
    Objects.requireNonNull(image, "image");
    if (text != null || fusionLayers != 0 || preRanker) {
      Objects.requireNonNull(text, "text");
      boolean towersAlone = text.isClip() && fusionLayers == 0 && !preRanker;
      Checks.within("fusion_layers", fusionLayers, towersAlone ? 0 : 2, MAX_LAYERS);
    }
    if (fusionWidth != null) {
      TowerChecks.fusionWidth(fusionWidth, heads, hidden, text, image, fusionLayers);
    }
    sensors = List.copyOf(Objects.requireNonNull(sensors, "sensors"));
    TowerChecks.sensors(sensors, image);
    TokenProjection.check(tokenProjection, hidden, fusionLayers, image, sensors);
  }

  /**
   * A model of sensors alone: it encodes images into one space, and knows no text.
   *
   * @see #hasText
   */
  public static ModelConfig ofSensors(
      int hidden,
      int heads,
      int feedForward,
      int embeddingDimension,
      ImageTowerConfig image,
      List<SensorConfig> sensors) {
    return new ModelConfig(
        hidden, heads, feedForward, embeddingDimension, 1e-12, null, image, 0, sensors);
  }

  /**
   * A model of CLIP's towers alone: it encodes texts and images into one space, and fuses none.
   *
   * @param hidden width of that space, whose projections pass tokens on as they are
   * @see #hasFusion
   */
  public static ModelConfig ofTowers(
      int hidden,
      double layerNormEpsilon,
      TextConfig text,
      ImageTowerConfig image,
      List<SensorConfig> sensors) {
    return new ModelConfig(hidden, 1, hidden, hidden, layerNormEpsilon, text, image, 0, sensors);
  }

  /** The presets by name. */
  public enum Preset {
    MICRO,
    TINY,
    COMPACT,
    SMALL,
    AERIAL,
    BASE;

    public ModelConfig config() {
      return switch (this) {
        case MICRO -> micro();
        case TINY -> tiny();
        case COMPACT -> compact();
        case SMALL -> small();
        case AERIAL -> aerial();
        case BASE -> base();
      };
    }
  }

  /** The smallest model with every part in it, for tests. */
  public static ModelConfig micro() {
    return new ModelConfig(
        16,
        2,
        32,
        8,
        1e-12,
        new TextConfig(57, 16, 1),
        ImageTowerConfig.convolutional(List.of(8), List.of(new ImageTowerConfig.Stage(16, 2))),
        2,
        List.of(SensorConfig.rgb(16)));
  }

  /** The demo's model: trains from scratch on two cores in about an hour. */
  public static ModelConfig tiny() {
    return new ModelConfig(
        128,
        4,
        512,
        128,
        1e-12,
        new TextConfig(512, 40, 2, TextConfig.Kind.MEAN),
        ImageTowerConfig.residual(
            List.of(16, 32),
            List.of(
                new ImageTowerConfig.Stage(64, 2),
                new ImageTowerConfig.Stage(64, 1),
                new ImageTowerConfig.Stage(128, 2),
                new ImageTowerConfig.Stage(128, 1))),
        3,
        List.of(SensorConfig.rgb(96)));
  }

  /** For photographs from scratch: an hour or two on two cores. */
  public static ModelConfig compact() {
    return new ModelConfig(
        192,
        4,
        768,
        256,
        1e-12,
        new TextConfig(2048, 24, 2, TextConfig.Kind.MEAN),
        ImageTowerConfig.residual(
            List.of(32, 48),
            List.of(
                new ImageTowerConfig.Stage(48, 1),
                new ImageTowerConfig.Stage(96, 2),
                new ImageTowerConfig.Stage(96, 1),
                new ImageTowerConfig.Stage(224, 2),
                new ImageTowerConfig.Stage(224, 1))),
        2,
        List.of(SensorConfig.rgb(96).withSampledFrom(120)));
  }

  /** A model for one GPU or a patient CPU. */
  public static ModelConfig small() {
    return new ModelConfig(
        384,
        6,
        1536,
        256,
        1e-12,
        new TextConfig(30522, 64, 4),
        ImageTowerConfig.visionTransformer(16, 8),
        4,
        List.of(SensorConfig.rgb(224)));
  }

  /**
   * For photographs from above, over pretrained weights that a CPU can bear: EfficientNet-Lite0 and
   * the layers of a BERT of 384, such as bge-small, six for texts and three for the fusion.
   */
  public static ModelConfig aerial() {
    return new ModelConfig(
        384,
        12,
        1536,
        384,
        1e-12,
        new TextConfig(30522, 64, 6, TextConfig.Kind.BERT_MEAN),
        ImageTowerConfig.efficientNetLite0(),
        3,
        List.of(SensorConfig.rgb(224)));
  }

  /**
   * The paper's model, sections 3.1 and 3.2: ViT-B/16 at 224, six BERT layers, six fusion layers.
   */
  public static ModelConfig base() {
    return new ModelConfig(
        768,
        12,
        3072,
        256,
        1e-12,
        new TextConfig(30522, 512, 6),
        ImageTowerConfig.visionTransformer(16, 12),
        6,
        List.of(SensorConfig.rgb(224)));
  }

  /** Returns whether there is a text tower. */
  public boolean hasText() {
    return text != null;
  }

  /** Returns whether there is a fusion encoder, and so a text tower. */
  public boolean hasFusion() {
    return fusionLayers > 0;
  }

  /**
   * Returns the same model over a vocabulary of another size.
   *
   * @throws IllegalStateException when it has no text tower
   */
  public ModelConfig withVocabularySize(int vocabularySize) {
    requireText("a vocabulary");
    TextConfig other = text.withVocabularySize(vocabularySize);
    return with(other, image, fusionLayers, sensors, preRanker, tokenProjection);
  }

  /** Returns the same model with another image tower. */
  public ModelConfig withImage(ImageTowerConfig other) {
    return with(text, other, fusionLayers, sensors, preRanker, tokenProjection);
  }

  /** Returns the same model with other sensors. */
  public ModelConfig withSensors(List<SensorConfig> others) {
    return with(text, image, fusionLayers, others, preRanker, tokenProjection);
  }

  /** Returns the same model with or without the pre-ranker. */
  public ModelConfig withPreRanker(boolean present) {
    return with(text, image, fusionLayers, sensors, present, tokenProjection);
  }

  /** Returns the image side of this model alone, for other sensors. */
  public ModelConfig withoutText(List<SensorConfig> others) {
    return with(null, image, 0, others, false, null);
  }

  private ModelConfig with(
      TextConfig newText,
      ImageTowerConfig newImage,
      int newFusionLayers,
      List<SensorConfig> newSensors,
      boolean newPreRanker,
      TokenProjection newProjection) {
    return new ModelConfig(
        hidden,
        heads,
        feedForward,
        embeddingDimension,
        layerNormEpsilon,
        newText,
        newImage,
        newFusionLayers,
        newSensors,
        newPreRanker,
        newFusionLayers == 0 ? null : fusionWidth,
        newProjection);
  }

  /** Width inside of the fusion encoder. */
  public int widthOfFusion() {
    return fusionWidth == null ? hidden : fusionWidth;
  }

  /** Returns the same model, of whose images' tokens so much is stored; null: all. */
  public ModelConfig withTokenProjection(TokenProjection stored) {
    return with(text, image, fusionLayers, sensors, preRanker, stored);
  }

  /**
   * The sensor of that name.
   *
   * @throws IllegalArgumentException when there is no such sensor, naming those there are
   */
  public SensorConfig sensor(String name) {
    return sensors.stream()
        .filter(sensor -> sensor.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    String.format(
                        Locale.ROOT,
                        "unknown sensor [%s], this model has %s",
                        name,
                        sensors.stream().map(SensorConfig::name).toList())));
  }

  /**
   * Says what a model of sensors alone cannot do.
   *
   * @param what needs the text tower
   * @throws IllegalStateException when there is none, naming the sensors that there are
   */
  public void requireText(String what) {
    if (!hasText()) {
      throw new IllegalStateException(
          String.format(
              Locale.ROOT,
              "%s needs a text tower; this model has none, it encodes images of %s and compares"
                  + " their embeddings",
              what,
              sensors.stream().map(SensorConfig::name).toList()));
    }
  }

  /**
   * Says what a model without a fusion encoder cannot do.
   *
   * @param what needs the fusion encoder
   * @throws IllegalStateException when there is none, or no text tower, saying what to do
   */
  public void requireFusion(String what) {
    requireText(what);
    if (!hasFusion()) {
      throw new IllegalStateException(
          what
              + " needs a fusion encoder; this model has none (fusion_layers 0), it compares"
              + " embeddings of texts and images: search by embedding alone, or train a fusion"
              + " encoder over its towers (train-fusion)");
    }
  }

  /** Added to the variance in the image towers' layer norms. */
  public double imageLayerNormEpsilon() {
    return image.layerNormEpsilon() == null ? layerNormEpsilon : image.layerNormEpsilon();
  }

  /** M, tokens of one image of a sensor as they are stored and fused: a grid and [CLS]. */
  public int imageTokens(SensorConfig sensor) {
    Integer grid = tokenProjection == null ? null : tokenProjection.grid();
    return grid == null ? towerTokens(sensor) : grid * grid + 1;
  }

  /** Tokens of one image of a sensor as its tower makes them. */
  public int towerTokens(SensorConfig sensor) {
    return image.tokenSide(sensor.imageSize()) * image.tokenSide(sensor.imageSize()) + 1;
  }

  /** Values of an image's token as it is stored and fused: H, or T where it is projected. */
  public int tokenWidth() {
    return tokenProjection == null ? hidden : tokenProjection.width();
  }
}
