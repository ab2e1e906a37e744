/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import io.crossmodal.model.Precision;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.OptionRecords;
import io.crossmodal.trainer.train.Validation;
import java.util.Objects;

/**
 * Options of the training of a fusion encoder over frozen towers; a run resumes with exactly these.
 *
 * @param seed of fresh weights, queries, candidates and dropout
 * @param steps optimiser steps
 * @param queries texts that ask in a step, and as many pictures
 * @param candidates answers that a query orders, its own among them
 * @param pool first answers of the bi-encoder of which the others are drawn
 * @param similarCaptions similarity to a caption of a picture from which another caption is no
 *     wrong answer to it, above 0; 1 where all others are
 * @param start where cross-attention begins
 * @param layers of a new fusion encoder, which takes the place of the bundle's own; null: the
 *     bundle's own learns on, and towers without one get {@value #LAYERS}
 * @param width inside of a new one over CLIP's towers; null: {@value #WIDTH}, or that of the tokens
 *     where they are narrower
 * @param tokenWidth values that an image's token is stored as; null with a grid: as many as the
 *     tower makes; without: nothing is projected
 * @param tokenGrid tokens a side that patches are averaged to before they are stored; null: as many
 *     as the tower makes
 * @param keptRate factor of the learning rate of weights that start as the bundle has them
 * @param precision FP32, or BF16 for linear layers in bfloat16 over weights of fp32
 * @param optimiser how a step changes the weights
 * @param dropout share of the values of text tokens that is dropped
 * @param layerDropout share of what attention and feed-forward add that is dropped
 * @param augmentation what happens to all views of a picture but the first
 * @param featureViews views of each picture that the towers see, once; null: 8 of towers whose
 *     first part is kept, 1 of the others, whose every view costs a whole encoding
 * @param checkpointEvery steps between checkpoints
 * @param validation when the model is measured meanwhile
 */
public record FusionOptions(
    long seed,
    int steps,
    int queries,
    int candidates,
    int pool,
    double similarCaptions,
    Start start,
    Integer layers,
    Integer width,
    Integer tokenWidth,
    Integer tokenGrid,
    double keptRate,
    Precision precision,
    Optimiser optimiser,
    double dropout,
    double layerDropout,
    Augmentation augmentation,
    Integer featureViews,
    int checkpointEvery,
    Validation.Options validation) {

  /** Layers of a new fusion encoder where nobody says how many. */
  static final int LAYERS = 3;

  /** Width of one over CLIP's towers, so that it learns within minutes and scores fast. */
  static final int WIDTH = 256;

  private static final int CUT_VIEWS = 8;

  /** Where cross-attention begins. */
  public enum Start {
    /**
     * With what the bi-encoder has aligned: its text projection makes queries, keys and values are
     * the tokens of the picture, and what comes out begins near 0.
     */
    ALIGNED,
    /** As the bundle has it. */
    KEPT
  }

  public FusionOptions {
    Objects.requireNonNull(start, "start");
    Objects.requireNonNull(optimiser, "optimiser");
    Objects.requireNonNull(augmentation, "augmentation");
    OptionRecords.atLeast("steps", steps, 1);
    OptionRecords.atLeast("queries", queries, 1);
    OptionRecords.atLeast("candidates", candidates, 2);
    OptionRecords.atLeast("pool", pool, candidates - 1);
    if (featureViews != null) {
      OptionRecords.atLeast("feature_views", featureViews, 1);
    }
    if (layers != null) {
      OptionRecords.atLeast("layers", layers, 2);
    }
    if (width != null) {
      OptionRecords.atLeast("width", width, 1);
    }
    if (tokenWidth != null) {
      OptionRecords.atLeast("token_width", tokenWidth, 1);
    }
    if (tokenGrid != null) {
      OptionRecords.atLeast("token_grid", tokenGrid, 1);
    }
    OptionRecords.atLeast("checkpoint_every", checkpointEvery, 1);
    OptionRecords.share("dropout", dropout);
    OptionRecords.share("layer_dropout", layerDropout);
    if (!(similarCaptions > 0 && similarCaptions <= 1)) {
      throw new IllegalArgumentException(
          "similar_captions must lie in (0, 1], got " + similarCaptions);
    }
    if (!(keptRate > 0) || Double.isInfinite(keptRate)) {
      throw new IllegalArgumentException("kept_rate must be above 0, got " + keptRate);
    }
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      throw new IllegalArgumentException(
          "precision must be FP32 or BF16, in which models are trained, got " + precision);
    }
  }

  /** Returns whether tokens are projected, or averaged, before they are stored from now on. */
  boolean projects() {
    return tokenWidth != null || tokenGrid != null;
  }

  /**
   * Returns how many views of each picture the towers see.
   *
   * @param cut whether features are those of a tower's first part
   */
  int views(boolean cut) {
    return featureViews != null ? featureViews : cut ? CUT_VIEWS : 1;
  }

  /** Returns the options that nobody has changed. */
  public static FusionOptions defaults() {
    return OptionRecords.of(
        FusionOptions.class, OptionRecords.recipe(FusionOptions.class, "DEFAULTS"));
  }
}
