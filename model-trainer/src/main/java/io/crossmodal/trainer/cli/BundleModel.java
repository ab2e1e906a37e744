/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import ai.djl.util.Utils;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.Evaluator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import me.tongfei.progressbar.ProgressBar;

/** A model that a command works with, and a folder for temporary files that is gone with it. */
final class BundleModel implements AutoCloseable {
  /** Of a query, for a calibration. */
  static final int CANDIDATES = 32;

  private final FusionModel model;
  private final Path scratch;

  /** Loads a bundle. */
  @FunctionalInterface
  interface Loader {
    FusionModel load(ModelBundle bundle, Path scratch) throws IOException, BundleException;
  }

  private BundleModel(FusionModel model, Path scratch) {
    this.model = model;
    this.scratch = scratch;
  }

  static BundleModel of(ModelBundle bundle) throws IOException, BundleException {
    return of(bundle, FusionModel::load);
  }

  /** Loads a bundle; what the loader throws is thrown, what it left behind is deleted. */
  static BundleModel of(ModelBundle bundle, Loader loader) throws IOException, BundleException {
    Path scratch = Files.createTempDirectory("crossmodal-");
    FusionModel model = null;
    try {
      model = loader.load(bundle, scratch);
      return new BundleModel(model, scratch);
    } finally {
      if (model == null) {
        Utils.deleteQuietly(scratch);
      }
    }
  }

  /**
   * Reads and loads a model of texts and pictures.
   *
   * @throws IllegalArgumentException when it has no texts
   */
  static BundleModel withText(Path file) throws IOException, BundleException {
    ModelBundle bundle = ModelBundle.read(file);
    if (!bundle.manifest().config().hasText()) {
      throw new IllegalArgumentException(
          file
              + " is a model of sensors alone, this command needs one of texts and pictures;"
              + " evaluate-sensors measures it");
    }
    return of(bundle);
  }

  /**
   * Reads and loads a model with a fusion encoder.
   *
   * @throws IllegalArgumentException when it has none
   */
  static BundleModel withFusion(Path file) throws IOException, BundleException {
    BundleModel model = withText(file);
    if (!model.bundle().manifest().config().hasFusion()) {
      model.close();
      throw new IllegalArgumentException(
          file
              + " is a model of two towers without a fusion encoder, this command needs one that"
              + " has it; import wrote it ready to be served, evaluate measures it, train-fusion"
              + " trains a fusion encoder over it");
    }
    return model;
  }

  FusionModel model() {
    return model;
  }

  ModelBundle bundle() {
    return model.bundle();
  }

  Path scratch() {
    return scratch;
  }

  /** Encodes pictures of the model's first sensor, as the other method does. */
  EncodedSplit encode(
      DatasetArguments data, CaptionedDataset dataset, List<CaptionedImage> images) {
    return encode(data, dataset, images, null, EncodedSplit.Change.NONE, () -> {});
  }

  /**
   * Encodes images and their captions under a progress bar, and says which had to be skipped.
   *
   * @param sensor null for the model's first
   * @param check called after each batch; what it throws ends the encoding
   */
  EncodedSplit encode(
      DatasetArguments data,
      CaptionedDataset dataset,
      List<CaptionedImage> images,
      String sensor,
      EncodedSplit.Change change,
      Runnable check) {
    String seenBy = sensor == null ? bundle().manifest().config().sensors().get(0).name() : sensor;
    EncodedSplit encoded;
    try (ProgressBar bar = new ProgressBar("encode", images.size())) {
      encoded =
          EncodedSplit.encode(
              model,
              seenBy,
              images,
              dataset.problemsLeft(),
              change,
              done -> {
                bar.stepTo(done);
                check.run();
              });
    }
    data.report(dataset, encoded.problems());
    return encoded;
  }

  /**
   * Returns what the model's pairs are ranked by when it ships: its own calibration, or where it
   * has none yet, the one that export would fit.
   *
   * @param check called meanwhile; what it throws ends the fitting
   */
  Calibration calibration(DatasetArguments data, CaptionedDataset dataset, Runnable check) {
    Calibration own = bundle().manifest().calibration();
    List<CaptionedImage> images = dataset.split(Split.VAL);
    if (!own.equals(Calibration.NONE)) {
      return own;
    }
    if (images.isEmpty()) {
      System.out.println("not calibrated, and no validation split to do it: lambda stays 1");
      return own;
    }
    return calibrate(
        new Evaluator(model, encode(data, dataset, images, null, EncodedSplit.Change.NONE, check)),
        CANDIDATES,
        check);
  }

  /** Fits a calibration under a progress bar. */
  static Calibration calibrate(Evaluator evaluator, int k, Runnable check) {
    try (ProgressBar bar = new ProgressBar("calibrate", -1)) {
      return evaluator.calibrate(
          k,
          pairs -> {
            bar.stepTo(pairs);
            check.run();
          });
    }
  }

  @Override
  public void close() {
    model.close();
    Utils.deleteQuietly(scratch);
  }
}
