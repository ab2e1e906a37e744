/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.OptionRecords;
import io.crossmodal.trainer.train.Validation;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Options of the training of a cross-sensor model; written to the run folder, where a run is
 * resumed with the same options only.
 *
 * @param preset shape of the model; null where a teacher gives it
 * @param imageSize side in pixels; the teacher's where there is one
 * @param seed of initialisation, order and augmentation
 * @param steps of the optimiser
 * @param batch B, pairs that meet each other in the losses
 * @param optimiser how a step changes the weights
 * @param losses and their weights
 * @param augmentation of tiles
 * @param precision FP32; or BF16, in which matrix products and convolutions are computed over
 *     weights in fp32
 * @param pretrained SHA-256 of the checkpoint that both towers start from; null for none
 * @param pretrainedRate learning rate of its weights, as a factor of the others'
 * @param checkpointEvery steps
 * @param validation when the model is measured meanwhile
 * @param teacher SHA-256 of the weights of the frozen model that a new sensor is trained onto; null
 *     for a training of two sensors from scratch
 */
public record SensorOptions(
    Preset preset,
    int imageSize,
    long seed,
    int steps,
    int batch,
    Optimiser optimiser,
    Losses losses,
    Augmentation augmentation,
    Precision precision,
    String pretrained,
    double pretrainedRate,
    int checkpointEvery,
    Validation.Options validation,
    String teacher) {

  /**
   * The objective.
   *
   * @param mutual weight of (i), NT-Xent over both modalities
   * @param angular weight of (ii), the angular distance of pairs
   * @param neighbours weight of (iii), the cosines of nearest neighbours within a modality
   * @param patches weight of the contrast of patch tokens, which the paper does not have
   * @param tokens weight of the mean squared difference from a teacher's tokens; 0 without one
   * @param temperature of the patches, and of (i) at the start
   * @param learnTemperature whether that of (i) is learnt
   * @param within whether (i) has tiles of the anchor's own modality as negatives too
   * @param nearest k, neighbours of an anchor in (iii)
   * @param neighboursFrom share of the steps before (iii) takes part: neighbours by random features
   *     would be noise
   * @param queue Q, earlier features of each modality that (i) has as negatives and (iii) as
   *     candidates; a multiple of the batch, or 0
   */
  public record Losses(
      double mutual,
      double angular,
      double neighbours,
      double patches,
      double tokens,
      double temperature,
      boolean learnTemperature,
      boolean within,
      int nearest,
      double neighboursFrom,
      int queue) {
    public Losses {
      for (double weight : new double[] {mutual, angular, neighbours, patches, tokens}) {
        if (!(weight >= 0 && Double.isFinite(weight))) {
          throw new IllegalArgumentException("weights of losses must be at least 0, got " + weight);
        }
      }
      if (mutual + angular + neighbours + patches + tokens == 0) {
        throw new IllegalArgumentException("at least one loss needs a weight above 0");
      }
      if (!(temperature > 0)) {
        throw new IllegalArgumentException("temperature must be above 0, got " + temperature);
      }
      OptionRecords.atLeast("nearest", nearest, 1);
      OptionRecords.share("neighbours_from", neighboursFrom);
      OptionRecords.atLeast("queue", queue, 0);
    }
  }

  /**
   * Augmentation of tiles; the two of a pair are cropped, flipped and turned alike, so that they
   * stay one place.
   *
   * @param smallestCrop share of the area, 1 for no crops
   * @param turns whether tiles are flipped and turned by quarters
   * @param speckle deviation of the noise that is added to radar bands, in deviations of a band:
   *     speckle multiplies powers, so it adds to decibels
   * @param light reach of the change of gain of optical bands, all alike
   * @param contrast reach of the stretch of a band around its mean in the tile: each optical band
   *     for itself, those of radar alike, drawn apart for the two sensors
   * @param level reach of the shift of a band, in its deviations, drawn likewise; in decibels it is
   *     what another calibration or angle of incidence does
   */
  public record Augmentation(
      double smallestCrop,
      boolean turns,
      double speckle,
      double light,
      double contrast,
      double level) {
    /** Nothing. */
    public static final Augmentation NONE = new Augmentation(1, false, 0, 0, 0, 0);

    public Augmentation {
      if (!(smallestCrop > 0 && smallestCrop <= 1)) {
        throw new IllegalArgumentException("smallest_crop must lie in (0, 1], got " + smallestCrop);
      }
      if (!(speckle >= 0 && light >= 0 && light < 1)) {
        throw new IllegalArgumentException(
            "speckle must be at least 0 and light in [0, 1), got " + speckle + " and " + light);
      }
      if (!(contrast >= 0 && contrast < 1 && level >= 0 && Double.isFinite(level))) {
        throw new IllegalArgumentException(
            "contrast must lie in [0, 1) and level be at least 0, got "
                + contrast
                + " and "
                + level);
      }
    }

    /**
     * Returns the side to keep a tile at that is shown at {@code side}: a crop needs pixels to
     * spare.
     */
    int sourceSide(int side) {
      return smallestCrop < 1 ? side + side / 4 : side;
    }
  }

  public SensorOptions {
    if (teacher == null) {
      Objects.requireNonNull(preset, "preset");
    } else if (preset != null) {
      throw new IllegalArgumentException("the teacher gives the shape, preset must be absent");
    }
    validation = validation == null ? Validation.Options.NEVER : validation;
    Objects.requireNonNull(optimiser, "optimiser");
    Objects.requireNonNull(losses, "losses");
    Objects.requireNonNull(augmentation, "augmentation");
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      throw new IllegalArgumentException(
          "precision must be FP32 or BF16, in which models are trained, got " + precision);
    }
    if (!(pretrainedRate > 0 && pretrainedRate <= 1)) {
      throw new IllegalArgumentException(
          "pretrained_rate must lie in (0, 1], got " + pretrainedRate);
    }
    if (pretrained != null && preset != Preset.EFFICIENTNET_LITE0) {
      throw new IllegalArgumentException(
          "a pretrained tower is an EfficientNet-Lite0, and the preset EFFICIENTNET_LITE0, got "
              + preset);
    }
    OptionRecords.atLeast("image_size", imageSize, 1);
    OptionRecords.atLeast("steps", steps, 1);
    OptionRecords.atLeast("batch", batch, 2);
    OptionRecords.atLeast("checkpoint_every", checkpointEvery, 1);
    if (losses.nearest() >= batch) {
      throw new IllegalArgumentException(
          "nearest must be below the batch of " + batch + ", got " + losses.nearest());
    }
    if (losses.queue() % batch != 0) {
      throw new IllegalArgumentException(
          "queue must be a multiple of the batch of " + batch + ", got " + losses.queue());
    }
    if (teacher == null && losses.tokens() > 0) {
      throw new IllegalArgumentException(
          "tokens are compared with a teacher's; without one their weight must be 0, got "
              + losses.tokens());
    }
  }

  /**
   * Returns what docs/results/sensors.md measured for a sensor that joins a teacher.
   *
   * @param sensor of the teacher, the pairs' first
   * @throws IllegalArgumentException when the teacher lacks it, naming those that it has
   */
  public static SensorOptions onto(ModelManifest teacher, String sensor) {
    Map<String, Object> values = new HashMap<>(OptionRecords.recipe(SensorOptions.class, "ONTO"));
    values.put("image_size", teacher.config().sensor(sensor).imageSize());
    values.put("teacher", teacher.weightsSha256());
    return OptionRecords.of(SensorOptions.class, values);
  }

  /** Ways to train two sensors; docs/results/sensors.md has what each reaches. */
  public enum Recipe {
    /** NT-Xent alone, from scratch on a CPU. */
    SCRATCH,
    /** The same with the three losses of SS-CM-RSIR. */
    PAPER,
    /** NT-Xent alone over towers that know photographs; {@code train-sensors --pretrained}. */
    PRETRAINED;

    /** Returns the recipe's options. */
    public SensorOptions options() {
      return OptionRecords.of(
          SensorOptions.class, OptionRecords.recipe(SensorOptions.class, name()));
    }
  }

  /**
   * Returns the learning rate at a step.
   *
   * @param step from 0
   */
  double learningRate(int step) {
    return optimiser.learningRate(step, steps);
  }

  /**
   * Returns the step from which a validation may choose the model: where tokens are trained, in the
   * second half, for the figures of embeddings say nothing of them.
   */
  int judgedFrom() {
    return losses.patches() + losses.tokens() > 0 ? steps / 2 : 0;
  }

  /** Returns the weights of the five losses at a step. */
  float[] weights(int step) {
    boolean neighbours = step >= Math.round(losses.neighboursFrom() * steps);
    return new float[] {
      (float) losses.mutual(),
      (float) losses.angular(),
      neighbours ? (float) losses.neighbours() : 0,
      (float) losses.patches(),
      (float) losses.tokens()
    };
  }

  /** Shapes of models for sensors. */
  public enum Preset {
    /** The smallest, for tests; 16 pixels. */
    MICRO(16),
    /**
     * A convolutional tower that trains from scratch on a CPU: residual blocks, one token in 8 x 8
     * pixels, [CLS] of 4 x 4 cells (decision 0022); a multiple of 8 pixels.
     */
    CONVOLUTIONAL(64),
    /** A small vision transformer; a multiple of 8 pixels. */
    VISION_TRANSFORMER(64),
    /** ViT-B/16 at BigEarthNet's patches, brought to 128 pixels; for a GPU. */
    VISION_TRANSFORMER_BASE(128),
    /**
     * The paper's ResNet-50, its first convolution as wide as the sensor has channels, without
     * pretraining; [CLS] of the mean over the grid, as there. BigEarthNet's patches are brought to
     * 128 pixels, a multiple of 32; for a GPU.
     */
    RESNET50(128),
    /** EfficientNet-Lite0, for its pretrained weights; a multiple of 32 pixels. */
    EFFICIENTNET_LITE0(128);

    private final int imageSize;

    Preset(int imageSize) {
      this.imageSize = imageSize;
    }

    /** Returns the side of the images in pixels where none is asked for. */
    public int imageSize() {
      return imageSize;
    }

    /** Returns a model of this shape. */
    public ModelConfig config(List<SensorConfig> sensors) {
      return switch (this) {
        case MICRO ->
            ModelConfig.ofSensors(
                16,
                2,
                32,
                8,
                ImageTowerConfig.convolutional(
                    List.of(8), List.of(new ImageTowerConfig.Stage(16, 2))),
                sensors);
        case CONVOLUTIONAL ->
            ModelConfig.ofSensors(
                128,
                4,
                512,
                128,
                ImageTowerConfig.residual(
                        List.of(16),
                        List.of(
                            new ImageTowerConfig.Stage(32, 2),
                            new ImageTowerConfig.Stage(64, 2),
                            new ImageTowerConfig.Stage(128, 1)))
                    .withPooling(ImageTowerConfig.Pooling.GRID),
                sensors);
        case VISION_TRANSFORMER ->
            ModelConfig.ofSensors(
                128, 4, 512, 128, ImageTowerConfig.visionTransformer(8, 4), sensors);
        case VISION_TRANSFORMER_BASE ->
            ModelConfig.ofSensors(
                768, 12, 3072, 128, ImageTowerConfig.visionTransformer(16, 12), sensors);
        case RESNET50 ->
            ModelConfig.ofSensors(128, 4, 512, 128, ImageTowerConfig.resnet50(), sensors);
        case EFFICIENTNET_LITE0 ->
            ModelConfig.ofSensors(128, 4, 512, 128, ImageTowerConfig.efficientNetLite0(), sensors);
      };
    }
  }
}
