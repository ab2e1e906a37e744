/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.train.Optimiser;
import java.util.Objects;

/**
 * How a cross-sensor model is trained; written to the run folder, where a run is resumed with the
 * same options only.
 *
 * @param preset shape of the model; null where a teacher gives it
 * @param imageSize side in pixels; the teacher's where there is one
 * @param seed of initialisation, order and augmentation
 * @param steps of the optimiser
 * @param batch B, pairs that meet each other in the losses
 * @param optimiser how a step changes the weights
 * @param pairing what a pair is
 * @param losses and their weights
 * @param augmentation of tiles
 * @param checkpointEvery steps
 * @param teacher SHA-256 of the weights of the frozen model that a new sensor is trained onto; null
 *     for a training of two sensors from scratch
 */
public record SensorOptions(
    SensorPreset preset,
    int imageSize,
    long seed,
    int steps,
    int batch,
    Optimiser optimiser,
    Pairing pairing,
    Losses losses,
    Augmentation augmentation,
    int checkpointEvery,
    String teacher) {

  /** What the two features of a pair are of. */
  public enum Pairing {
    /** Of one place by both sensors. */
    ACROSS,
    /** Of one tile, changed twice: each sensor is trained alone, the baseline of the paper. */
    WITHIN
  }

  /**
   * The objective.
   *
   * @param mutual weight of (i), NT-Xent over both modalities
   * @param angular weight of (ii), the angular distance of pairs
   * @param neighbours weight of (iii), the cosines of nearest neighbours within a modality
   * @param patches weight of the contrast of patch tokens, which the paper does not have
   * @param tokens weight of the mean squared difference from a teacher's tokens; 0 without one
   * @param temperature of (i) and of the patches
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
      if (nearest < 1) {
        throw new IllegalArgumentException("nearest must be at least 1, got " + nearest);
      }
      share("neighbours_from", neighboursFrom);
      if (queue < 0) {
        throw new IllegalArgumentException("queue must be at least 0, got " + queue);
      }
    }
  }

  /**
   * What is done to tiles; the two of a pair are cropped, flipped and turned alike, so that they
   * stay one place.
   *
   * @param smallestCrop share of the area, 1 for no crops
   * @param turns whether tiles are flipped and turned by quarters
   * @param speckle deviation of the noise that is added to radar bands, in deviations of a band:
   *     speckle multiplies powers, so it adds to decibels
   * @param light reach of the change of gain of optical bands, all alike; radar has none, its level
   *     is a measurement
   */
  public record Augmentation(double smallestCrop, boolean turns, double speckle, double light) {
    /** Nothing. */
    public static final Augmentation NONE = new Augmentation(1, false, 0, 0);

    public Augmentation {
      if (!(smallestCrop > 0 && smallestCrop <= 1)) {
        throw new IllegalArgumentException("smallest_crop must lie in (0, 1], got " + smallestCrop);
      }
      if (!(speckle >= 0 && light >= 0 && light < 1)) {
        throw new IllegalArgumentException(
            "speckle must be at least 0 and light in [0, 1), got " + speckle + " and " + light);
      }
    }

    /** The side to keep a tile at that is shown at {@code side}: a crop needs pixels to spare. */
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
    Objects.requireNonNull(optimiser, "optimiser");
    Objects.requireNonNull(pairing, "pairing");
    Objects.requireNonNull(losses, "losses");
    Objects.requireNonNull(augmentation, "augmentation");
    atLeast("image_size", imageSize, 1);
    atLeast("steps", steps, 1);
    atLeast("batch", batch, 2);
    atLeast("checkpoint_every", checkpointEvery, 1);
    if (losses.nearest() >= batch) {
      throw new IllegalArgumentException(
          "nearest must be below the batch of " + batch + ", got " + losses.nearest());
    }
    if (losses.queue() % batch != 0) {
      throw new IllegalArgumentException(
          "queue must be a multiple of the batch of " + batch + ", got " + losses.queue());
    }
    if (pairing == Pairing.WITHIN && augmentation.equals(Augmentation.NONE)) {
      throw new IllegalArgumentException(
          "WITHIN pairs two views of a tile, without augmentation there is no other view");
    }
    if (teacher == null && losses.tokens() > 0) {
      throw new IllegalArgumentException(
          "tokens are compared with a teacher's; without one their weight must be 0, got "
              + losses.tokens());
    }
    if (teacher != null && pairing == Pairing.WITHIN) {
      throw new IllegalArgumentException("a teacher sees the other tile of a pair, not WITHIN one");
    }
  }

  /** A training of two sensors from scratch. */
  public SensorOptions(
      SensorPreset preset,
      int imageSize,
      long seed,
      int steps,
      int batch,
      Optimiser optimiser,
      Pairing pairing,
      Losses losses,
      Augmentation augmentation,
      int checkpointEvery) {
    this(
        preset,
        imageSize,
        seed,
        steps,
        batch,
        optimiser,
        pairing,
        losses,
        augmentation,
        checkpointEvery,
        null);
  }

  /**
   * What docs/results/sensors.md measured for a sensor that joins a teacher.
   *
   * @param sensor of the teacher, the pairs' first
   * @throws IllegalArgumentException when the teacher lacks it, naming those that it has
   */
  public static SensorOptions onto(ModelManifest teacher, String sensor, long seed, int steps) {
    SensorOptions scratch = scratch(seed, steps);
    return new SensorOptions(
        null,
        teacher.config().sensor(sensor).imageSize(),
        seed,
        steps,
        scratch.batch,
        scratch.optimiser,
        Pairing.ACROSS,
        new Losses(1, 0, 0, 0, 10, 0.1, 1, 0.3, 0),
        scratch.augmentation,
        scratch.checkpointEvery,
        teacher.weightsSha256());
  }

  /** What docs/results/sensors.md measured, from scratch on a CPU. */
  public static SensorOptions scratch(long seed, int steps) {
    return new SensorOptions(
        SensorPreset.CONVOLUTIONAL,
        SensorPreset.CONVOLUTIONAL.imageSize(),
        seed,
        steps,
        64,
        new Optimiser(1e-3, 50, 0.02, 1, 0.99),
        Pairing.ACROSS,
        new Losses(1, 1, 1, 0, 0, 0.1, 1, 0.3, 0),
        new Augmentation(0.6, true, 0.2, 0.1),
        250);
  }

  /** The same for tiles of another side. */
  public SensorOptions withImageSize(int side) {
    return new SensorOptions(
        preset,
        side,
        seed,
        steps,
        batch,
        optimiser,
        pairing,
        losses,
        augmentation,
        checkpointEvery,
        teacher);
  }

  /**
   * Learning rate at a step.
   *
   * @param step from 0
   */
  double learningRate(int step) {
    return optimiser.learningRate(step, steps);
  }

  /** The weights of the five losses at a step. */
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

  private static void atLeast(String name, int value, int minimum) {
    if (value < minimum) {
      throw new IllegalArgumentException(name + " must be at least " + minimum + ", got " + value);
    }
  }

  private static void share(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(name + " must lie in [0, 1], got " + value);
    }
  }
}
