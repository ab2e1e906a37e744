/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.data.Augmentation;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Options of the training of a model. Written into the run folder; a run resumes with exactly
 * these.
 *
 * @param preset shape of the model, whose vocabulary comes from the training captions; null where
 *     {@code initial} gives both
 * @param seed of initialisation, order, negatives, masks and augmentation
 * @param steps optimiser steps in all
 * @param batch B, images that meet each other in the losses
 * @param accumulate batches whose gradients are averaged into one step
 * @param lengthGroup batches whose pairs are dealt out by the length of their captions, so that
 *     little of a batch is padding; 1 leaves each batch to chance
 * @param precision FP32; or BF16, mixed precision, in which linear layers and convolutions compute
 *     in bfloat16 over weights of fp32, fast where the processor or GPU has instructions for it
 * @param optimiser how a step changes the weights
 * @param tasks which losses, with which weights
 * @param momentum ALBEF's additions to ITC
 * @param stages what a run leaves for later
 * @param regularisation what keeps the model from learning its images by heart
 * @param minWordCount a word that the training captions hold less often becomes [UNK]
 * @param checkpointEvery steps between checkpoints
 * @param validation when the model is measured meanwhile
 * @param parts which parameters learn more slowly, or not at all
 * @param initial SHA-256 of the starting weights; null where they are random
 * @param tokens what of an image's tokens the model stores; null where starting weights say so
 */
public record TrainingOptions(
    ModelConfig.Preset preset,
    long seed,
    int steps,
    int batch,
    int accumulate,
    int lengthGroup,
    Precision precision,
    Optimiser optimiser,
    Tasks tasks,
    Momentum momentum,
    Stages stages,
    Regularisation regularisation,
    int minWordCount,
    int checkpointEvery,
    Validation.Options validation,
    Parts parts,
    String initial,
    Tokens tokens) {

  /**
   * What of an image's tokens a new model stores and fuses.
   *
   * @param tokenWidth values of a token; null: as many as its tower makes
   * @param tokenGrid tokens a side that patches are averaged to; null: as many as its tower makes
   */
  public record Tokens(Integer tokenWidth, Integer tokenGrid) {
    /** Returns a model of that shape that stores these. */
    ModelConfig applyTo(ModelConfig shape) {
      if (tokenWidth == null && tokenGrid == null) {
        return shape;
      }
      int width = tokenWidth == null ? shape.hidden() : tokenWidth;
      return shape.withTokenProjection(new TokenProjection(width, tokenGrid));
    }
  }

  /**
   * Parts of the model that start from learnt weights, by prefixes of their parameters' names.
   *
   * @param rate factors of the learning rate, above 0, of type Double; the longest prefix counts
   * @param freeze prefixes of parameters that do not learn, of type String
   * @param fixedStatistics whether batch norms take their statistics as they are
   * @param featureViews views of each picture that a frozen first part of the image tower sees
   *     once, before the first step, of which every step draws one; 0 where a step runs the whole
   *     tower
   */
  public record Parts(Map<?, ?> rate, List<?> freeze, boolean fixedStatistics, int featureViews) {
    /** Everything learns at one rate. */
    public static final Parts NONE = new Parts(Map.of(), List.of(), false, 0);

    public Parts {
      rate = rate == null ? Map.of() : Collections.unmodifiableMap(new TreeMap<>(rate));
      freeze = freeze == null ? List.of() : List.copyOf(freeze);
      OptionRecords.atLeast("feature_views", featureViews, 0);
      rate.forEach(
          (prefix, factor) -> {
            if (!(factor instanceof Double f && f > 0 && Double.isFinite(f))) {
              throw new IllegalArgumentException(
                  "rate of "
                      + prefix
                      + " must be a factor above 0, got "
                      + factor
                      + "; for 0 give freeze");
            }
          });
    }

    /** Returns whether a parameter does not learn. */
    boolean frozen(String parameter) {
      return freeze.stream().anyMatch(prefix -> parameter.startsWith((String) prefix));
    }

    /** Returns the factor of the learning rate of a parameter. */
    double factor(String parameter) {
      return rate.entrySet().stream()
          .filter(entry -> parameter.startsWith((String) entry.getKey()))
          .max(Comparator.comparingInt(entry -> ((String) entry.getKey()).length()))
          .map(entry -> (Double) entry.getValue())
          .orElse(1.0);
    }

    /**
     * Refuses prefixes that no parameter has, and frozen parts whose statistics would move.
     *
     * @param state the module's tensors
     */
    void check(StateDict state) {
      for (Object prefix : Stream.concat(rate.keySet().stream(), freeze.stream()).toList()) {
        if (state.names().stream().noneMatch(name -> name.startsWith((String) prefix))) {
          throw new IllegalArgumentException(
              String.format(
                  Locale.ROOT,
                  "no parameter's name begins with [%s]; there are %s",
                  prefix,
                  state.names().stream()
                      .map(name -> name.replaceFirst("^((?:[^.]+\\.){2}[^.]+)\\..*", "$1"))
                      .distinct()
                      .toList()));
        }
      }
      state
          .tensors()
          .forEach(
              (name, tensor) -> {
                if (!tensor.trainable() && frozen(name) && !fixedStatistics) {
                  throw new IllegalArgumentException(
                      "freeze covers statistics that move, "
                          + name
                          + "; give fixed_statistics besides");
                }
              });
    }
  }

  /**
   * Regularisation of a step: what it changes about its images and captions, and hides of them.
   *
   * @param augmentation what happens to a training image
   * @param dropout share of the text embeddings and of the image features that is dropped
   * @param layerDropout share of what attention and feed-forward add, in fusion layers and in those
   *     of BERT that learn
   * @param wordDropout share of word pieces that the model sees as [UNK]
   */
  public record Regularisation(
      Augmentation augmentation, double dropout, double layerDropout, double wordDropout) {
    public Regularisation {
      OptionRecords.share("layer_dropout", layerDropout);
      Objects.requireNonNull(augmentation, "augmentation");
      OptionRecords.share("dropout", dropout);
      OptionRecords.share("word_dropout", wordDropout);
    }
  }

  /**
   * The losses; a weight of 0 leaves a task out.
   *
   * @param itc image-text contrast, which makes the bi-encoder's embeddings
   * @param itm image-text matching, equation (7)
   * @param mlm masked language modelling, equation (3)
   * @param mvjrc multi-view joint representations contrast, equation (6)
   * @param hardNegatives share of ITM negatives drawn from softmax(ITC) rather than uniformly
   * @param maskProbability share of word pieces masked for MLM (the paper: 0.15)
   * @param similarCaptions {@linkplain CaptionSimilarity similarity} to a caption of an image from
   *     which another caption is no negative of that image in ITC and ITM, above 0; 1 where all
   *     others are
   */
  public record Tasks(
      double itc,
      double itm,
      double mlm,
      double mvjrc,
      double hardNegatives,
      double maskProbability,
      double similarCaptions) {
    public Tasks {
      for (double weight : new double[] {itc, itm, mlm, mvjrc}) {
        if (!(weight >= 0) || Double.isInfinite(weight)) {
          throw new IllegalArgumentException("a task's weight must be at least 0, got " + weight);
        }
      }
      if (itc + itm + mlm + mvjrc == 0) {
        throw new IllegalArgumentException(
            "at least one of itc, itm, mlm and mvjrc must be above 0");
      }
      OptionRecords.share("hard_negatives", hardNegatives);
      OptionRecords.share("mask_probability", maskProbability);
      if (!(similarCaptions > 0 && similarCaptions <= 1)) {
        throw new IllegalArgumentException(
            "similar_captions must lie in (0, 1], got " + similarCaptions);
      }
    }

    /** Returns how many views of each image a step takes in. */
    int views() {
      return mvjrc > 0 ? 2 : 1;
    }
  }

  /**
   * ALBEF's additions to ITC (Li et al. 2021, section 3.2). The momentum encoder is the moving
   * average of the weights that is exported, so its decay is {@link Optimiser#averaging}.
   *
   * @param queue keys of earlier batches that images and texts are contrasted with too, a multiple
   *     of the batch; ALBEF's 65,536 would hold every remote-sensing data set several times over
   * @param softTargets alpha, weight of the momentum encoder's own judgement in the targets (ALBEF:
   *     0.4)
   */
  public record Momentum(int queue, double softTargets) {
    /** The other half of the batch is all that counts. */
    public static final Momentum NONE = new Momentum(0, 0);

    public Momentum {
      OptionRecords.atLeast("queue", queue, 0);
      OptionRecords.share("soft_targets", softTargets);
    }

    /** Returns whether there is a momentum encoder. */
    boolean active() {
      return queue > 0 || softTargets > 0;
    }
  }

  /**
   * A run may begin with what is cheap: the bi-encoder alone, on small images.
   *
   * @param filterAlone share of the steps, from the first, in which ITC is the only task
   * @param secondPeak the schedule of the learning rate starts again when the other tasks join, to
   *     this share of its peak; above 0
   * @param smallImages share of the steps, from the first, whose images are {@code smallSide} wide
   * @param smallSide in pixels; 0 where {@code smallImages} is
   */
  public record Stages(double filterAlone, double secondPeak, double smallImages, int smallSide) {
    /** All tasks on whole images from the first step. */
    public static final Stages NONE = new Stages(0, 1, 0, 0);

    public Stages {
      OptionRecords.share("filter_alone", filterAlone);
      OptionRecords.share("small_images", smallImages);
      if (!(secondPeak > 0) || Double.isInfinite(secondPeak)) {
        throw new IllegalArgumentException("second_peak must be above 0, got " + secondPeak);
      }
      if (smallImages > 0) {
        OptionRecords.atLeast("small_side", smallSide, 1);
      }
    }
  }

  public TrainingOptions {
    if ((preset == null) == (initial == null)) {
      throw new IllegalArgumentException(
          "either preset or initial gives the model's shape, got " + preset + " and " + initial);
    }
    validation = validation == null ? Validation.Options.NEVER : validation;
    parts = parts == null ? Parts.NONE : parts;
    tokens = tokens == null ? new Tokens(null, null) : tokens;
    if (initial != null && !tokens.equals(new Tokens(null, null))) {
      throw new IllegalArgumentException(
          "token_width and token_grid are a new model's: starting weights have a shape, and"
              + " train-fusion has a finished model store fewer values");
    }
    Objects.requireNonNull(tasks, "tasks");
    Objects.requireNonNull(momentum, "momentum");
    Objects.requireNonNull(stages, "stages");
    Objects.requireNonNull(optimiser, "optimiser");
    Objects.requireNonNull(regularisation, "regularisation");
    OptionRecords.atLeast("steps", steps, 1);
    OptionRecords.atLeast("batch", batch, 2);
    OptionRecords.atLeast("accumulate", accumulate, 1);
    OptionRecords.atLeast("length_group", lengthGroup, 1);
    OptionRecords.atLeast("min_word_count", minWordCount, 1);
    OptionRecords.atLeast("checkpoint_every", checkpointEvery, 1);
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      throw new IllegalArgumentException(
          "precision must be FP32 or BF16, in which models are trained, got " + precision);
    }
    if (momentum.queue() % batch != 0) {
      throw new IllegalArgumentException(
          "queue must be a multiple of the batch of " + batch + ", got " + momentum.queue());
    }
    if (momentum.active() && (tasks.itc() == 0 || optimiser.averaging() == 0)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "queue and soft_targets belong to itc and to the moving average, both must be above"
                  + " 0, got %s and %s",
              tasks.itc(),
              optimiser.averaging()));
    }
    if (tasks.itm() > 0 && tasks.hardNegatives() > 0 && tasks.itc() == 0) {
      throw new IllegalArgumentException(
          "hard_negatives are drawn by itc, which is 0 and leaves the bi-encoder random; give"
              + " hard_negatives 0, got "
              + tasks.hardNegatives());
    }
    if (stages.filterAlone() > 0 && tasks.itc() == 0) {
      throw new IllegalArgumentException(
          "filter_alone needs itc, which trains the bi-encoder, above 0");
    }
    if (momentum.active() && tasks.similarCaptions() < 1) {
      throw new IllegalArgumentException(
          "similar_captions goes without queue and soft_targets: their keys have no captions; give"
              + " similar_captions 1");
    }
    if (stages.smallImages() > 0 && parts.featureViews() > 0) {
      throw new IllegalArgumentException(
          "small_images and feature_views exclude each other: features have one size");
    }
    if (tasks.mvjrc() > 0 && regularisation.augmentation() == Augmentation.NONE) {
      throw new IllegalArgumentException(
          "mvjrc contrasts two views of an image, augmentation NONE makes no other view; choose "
              + Augmentation.RANDAUGMENT);
    }
  }

  /** Returns the same options for a run from starting weights, which replace the preset. */
  TrainingOptions withInitial(String sha256) {
    Map<String, Object> changes = new HashMap<>();
    changes.put("preset", null);
    changes.put("initial", sha256);
    return OptionRecords.with(this, changes);
  }

  /**
   * Returns the learning rate at a step: linear warm-up, then half a cosine down to a hundredth of
   * the peak; again, to {@link Stages#secondPeak} of it, where tasks join.
   *
   * @param step from 0
   */
  double learningRate(int step) {
    int joining = joining();
    return step < joining || joining == 0
        ? optimiser.learningRate(step, joining == 0 ? steps : joining)
        : stages.secondPeak() * optimiser.learningRate(step - joining, steps - joining);
  }

  /** Returns the step from which every task takes part. */
  int joining() {
    return (int) Math.round(stages.filterAlone() * steps);
  }

  /**
   * Returns the step from which a validation may choose the model: where a fusion is trained, in
   * the second half of its training, for the bi-encoder's figures say nothing of it.
   */
  int judgedFrom() {
    boolean fuses = tasks.itm() + tasks.mlm() + tasks.mvjrc() > 0;
    return fuses ? joining() + (steps - joining()) / 2 : 0;
  }

  /**
   * Returns how many views of each image a step takes in.
   *
   * @param step from 0
   */
  int views(int step) {
    return step < joining() ? 1 : tasks.views();
  }

  /**
   * Returns the side of the images of a step.
   *
   * @param step from 0
   * @param whole side that the model serves
   */
  int side(int step, int whole) {
    return step < Math.round(stages.smallImages() * steps) ? stages.smallSide() : whole;
  }
}
