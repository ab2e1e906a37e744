/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Measures a training's averaged weights while it goes on, and keeps the best of them as {@code
 * best.zip} in its run folder. It changes nothing of the training: with it and without, a run takes
 * the same steps to the bit.
 *
 * <p>What it has seen stands in {@code metrics.jsonl}, from where a resumed run takes it.
 */
public final class Validation {
  private static final String BEST = "best.zip";

  /** Which weights a run ends with. */
  public enum Ships {
    /** Those of the best validation; the last where there was none. */
    BEST,
    /** Those of the last step. */
    LAST
  }

  /**
   * When it measures, and what follows.
   *
   * @param validateEvery steps; 0 for never, null for an epoch, or a twentieth of the run where
   *     that is more
   * @param patience validations in a row without a better one that end the run; 0 for no end
   * @param ships which weights the run ends with
   */
  public record Options(Integer validateEvery, int patience, Ships ships) {
    /** What old run folders mean. */
    public static final Options NEVER = new Options(0, 0, Ships.LAST);

    public Options {
      if (validateEvery != null) {
        OptionRecords.atLeast("validate_every", validateEvery, 0);
      }
      OptionRecords.atLeast("patience", patience, 0);
    }

    /**
     * Returns the pictures to measure on: those of the validation split, evenly fewer where there
     * are many; none where nothing is measured.
     */
    public List<CaptionedImage> pictures(CaptionedDataset dataset, int most) {
      List<CaptionedImage> all =
          validateEvery != null && validateEvery == 0 ? List.of() : dataset.split(Split.VAL);
      int count = Math.min(most, all.size());
      return IntStream.range(0, count)
          .mapToObj(i -> all.get((int) ((long) i * all.size() / count)))
          .toList();
    }

    /** Returns the steps between validations, 0 for none. */
    int every(int steps, double stepsAnEpoch) {
      return validateEvery != null
          ? validateEvery
          : (int) Math.max(1, Math.round(Math.max(stepsAnEpoch, steps / 20.0)));
    }
  }

  /** Measures a model on data that it is not trained on. */
  @FunctionalInterface
  public interface Measure {
    /** Returns figures by name; the first decides which model is the best, more is better. */
    Map<String, Double> of(FusionModel model) throws IOException;
  }

  /** A line of {@code metrics.jsonl}. */
  private record Line(int step, Map<String, Double> validation) {}

  private final RunFolder folder;
  private final Options options;
  private final int every;
  private final int steps;
  private final int judgedFrom;
  private final Supplier<ModelBundle> bundle;
  private final List<String> goldenTexts;
  private final Measure measure;

  private double best = Double.NEGATIVE_INFINITY;
  private int since;
  private int last;

  /**
   * Makes a validation.
   *
   * @param steps of the run
   * @param stepsAnEpoch where the options leave the interval open
   * @param judgedFrom steps before which nothing counts as the best, and no patience is lost
   * @param bundle the model with the averaged weights as they are
   * @param goldenTexts of its file; none for a model without text
   * @param measure null where there is no data to measure on
   */
  public Validation(
      RunFolder folder,
      Options options,
      int steps,
      double stepsAnEpoch,
      int judgedFrom,
      Supplier<ModelBundle> bundle,
      List<String> goldenTexts,
      Measure measure) {
    this.folder = folder;
    this.options = options;
    this.every = measure == null ? 0 : options.every(steps, stepsAnEpoch);
    this.steps = steps;
    this.judgedFrom = judgedFrom;
    this.bundle = bundle;
    this.goldenTexts = List.copyOf(goldenTexts);
    this.measure = measure;
  }

  private boolean due(int taken) {
    return every > 0 && taken > 0 && (taken % every == 0 || taken == steps);
  }

  /** Takes up what the lines of a run say that has taken so many steps, and makes up leeway. */
  Map<String, Double> resume(int taken) throws IOException, BundleException {
    folder
        .metrics()
        .subMap(0, taken + 1)
        .forEach(
            (step, line) -> {
              if (line.has("validation")) {
                JsonObject figures = line.getAsJsonObject("validation");
                JsonElement first = figures.entrySet().iterator().next().getValue();
                count(step, first.getAsDouble());
              }
            });
    // A run that was interrupted was not kept waiting for its validation.
    return last < taken ? reached(taken) : null;
  }

  /**
   * Measures where that is due.
   *
   * @return the figures, or null
   */
  Map<String, Double> reached(int taken) throws IOException, BundleException {
    if (!due(taken)) {
      return null;
    }
    ModelBundle now = bundle.get();
    Map<String, Double> figures;
    try (FusionModel model = FusionModel.load(now, folder.path())) {
      figures = measure.of(model);
    }
    if (count(taken, figures.values().iterator().next())) {
      BundleWriter.write(now, best(), goldenTexts);
    }
    folder.log(new Line(taken, figures));
    return figures;
  }

  /** Returns whether this is the best so far; of equal ones the later, which has learnt more. */
  private boolean count(int taken, double figure) {
    last = taken;
    if (taken < judgedFrom) {
      return false;
    }
    since = figure > best ? 0 : since + 1;
    best = Math.max(best, figure);
    return figure == best;
  }

  /** Returns whether patience is at its end. */
  boolean exhausted() {
    return options.patience() > 0 && since >= options.patience();
  }

  private Path best() {
    return folder.path().resolve(BEST);
  }

  /** Returns the model that the run ends with, once its steps are taken. */
  public ModelBundle shipped() throws IOException, BundleException {
    ModelBundle ended = bundle.get();
    return options.ships() == Ships.BEST && best > Double.NEGATIVE_INFINITY && Files.exists(best())
        ? ModelBundle.read(best()).withId(ended.manifest().id())
        : ended;
  }
}
