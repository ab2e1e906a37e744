/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.ImageChange;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.evaluate.Paper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code evaluate}: what the bi-encoder, the fusion encoder and both reach on one split. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = "Measures retrieval in both directions, strict and duplicate-aware.")
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private DatasetArguments data;

  @Option(names = "--bundle", required = true, description = "the model's bundle")
  private Path bundle;

  @Option(names = "--sensor", description = "that the pictures are of; default: the bundle's first")
  private String sensor;

  @Option(names = "--split", defaultValue = "TEST", description = "${COMPLETION-CANDIDATES}")
  private Split split;

  @Mixin private DepthArguments depth;

  @Option(
      names = "--lambda",
      description = "weight of the bi-encoder's logit instead of the bundle's; 0 as in the paper")
  private Double lambda;

  @Option(
      names = "--paper",
      description = "the paper's figures for a data set beside ours: ${COMPLETION-CANDIDATES}")
  private Paper paper;

  @Option(
      names = "--two-fold",
      description =
          "choose lambda on one half of the pictures and measure it on the other, both ways,"
              + " instead of the bundle's; not with --lambda, --full")
  private boolean twoFold;

  @Option(
      names = "--max-sim",
      defaultValue = "0",
      description =
          "order so many of the filter's best by text-to-patch MaxSim too, before fusion; 0: not;"
              + " not with --two-fold")
  private int maxSim;

  @Option(
      names = "--prompts",
      description = "put captions into the bundle's prompts, as the texts of queries are")
  private boolean prompts;

  @Option(names = "--json", description = "file to write the table to, as JSON")
  private Path json;

  @Option(
      names = "--limit",
      defaultValue = "1000000",
      description =
          "images at most, the first of the split; in labelled folders these are of the first"
              + " classes alone")
  private int limit;

  @Option(
      names = "--change",
      description = "evaluate on changed pictures: ${COMPLETION-CANDIDATES}")
  private ImageChange change;

  @Option(
      names = "--magnitude",
      defaultValue = "7",
      description = "of --change, 0 to 10; the paper's views are made with 7")
  private double magnitude;

  /** Depths of re-ranking by the fusion encoder: the options that all commands share. */
  static final class DepthArguments {
    @Option(
        names = "--k",
        defaultValue = "16,32,64,128,256",
        split = ",",
        description = "candidates that are re-ranked; may be repeated")
    private List<Integer> ks;

    @Option(
        names = "--full",
        description = "score every pair too, and count what the bi-encoder misses; quadratic")
    private boolean full;

    /** Returns the depths, or refuses them. */
    Depths depths() {
      return new Depths(ks, full);
    }
  }

  /** Changes an image, in every run alike. */
  private RgbImage changed(int number, RgbImage picture) {
    return change.apply(picture, magnitude, new SplittableRandom(number));
  }

  @Override
  public Integer call() throws Exception {
    if (limit < 1) {
      throw new IllegalArgumentException("limit must be at least 1, got " + limit);
    }
    if (!(magnitude >= 0 && magnitude <= ImageChange.MAX_MAGNITUDE)) {
      throw new IllegalArgumentException("magnitude must lie in [0, 10], got " + magnitude);
    }
    Depths depths = depth.depths();
    if (twoFold && (lambda != null || depths.full())) {
      throw new IllegalArgumentException(
          "--two-fold chooses lambda for candidates: leave --lambda and --full out");
    }
    if (maxSim < 0 || maxSim > 0 && twoFold) {
      throw new IllegalArgumentException(
          "--max-sim must be at least 0, and does not go with --two-fold, got " + maxSim);
    }
    CaptionedDataset dataset = data.read();
    List<CaptionedImage> all = data.images(dataset, split);
    List<CaptionedImage> images = all.subList(0, Math.min(limit, all.size()));
    EvaluationTable table;
    try (BundleModel model = BundleModel.withText(bundle)) {
      if (!model.bundle().manifest().config().hasFusion()
          && (twoFold || lambda != null || depths.full() || maxSim > 0)) {
        throw new IllegalArgumentException(
            bundle
                + " has no fusion encoder, its towers alone are measured: leave --lambda,"
                + " --two-fold, --max-sim and --full out");
      }
      table = table(model, dataset, images, depths, notes(images.size(), all.size()));
    }
    if (paper != null) {
      table = table.with(paper);
    }
    System.out.print(table.markdown());
    if (json != null) {
      Files.writeString(json, table.json() + "\n");
    }
    return 0;
  }

  /** Says what is not as usual. */
  private List<String> notes(int images, int all) {
    List<String> notes = new ArrayList<>();
    if (images < all) {
      notes.add(
          String.format(
              Locale.ROOT,
              "The first %d of the split's %d images alone, in the data set's order: no sample of"
                  + " the split where that order has a meaning, as in labelled folders.",
              images,
              all));
    }
    if (change != null) {
      notes.add("Pictures were changed before: " + change + ", magnitude " + magnitude + ".");
    }
    if (prompts) {
      notes.add("Captions were put into the model's prompts, in both directions.");
    }
    return notes;
  }

  private EvaluationTable table(
      BundleModel model,
      CaptionedDataset dataset,
      List<CaptionedImage> images,
      Depths depths,
      List<String> notes) {
    Calibration own = model.bundle().manifest().calibration();
    Calibration calibration =
        lambda == null ? own : new Calibration(lambda, own.scale(), own.bias());
    EncodedSplit.Change before = change == null ? EncodedSplit.Change.NONE : this::changed;
    EncodedSplit encoded = model.encode(data, dataset, images, sensor, before, () -> {});
    Evaluator evaluator =
        new Evaluator(model.model(), prompts ? encoded.prompted(model.model()) : encoded);
    EvaluationTable table =
        table(model, evaluator, dataset, split, depths, twoFold ? null : calibration, notes);
    return maxSim == 0 ? table : table.with(evaluator.byMaxSim(maxSim, depths, calibration));
  }

  /**
   * Evaluates under a progress bar.
   *
   * @param calibration null where each half of the split chooses lambda for the other
   */
  static EvaluationTable table(
      BundleModel model,
      Evaluator evaluator,
      CaptionedDataset dataset,
      Split split,
      Depths depths,
      Calibration calibration,
      List<String> notes) {
    List<EvaluationTable.Row> rows;
    try (ProgressBar bar = new ProgressBar("fuse", evaluator.pairs(depths))) {
      rows =
          calibration == null
              ? evaluator.twoFold(depths, bar::stepTo)
              : evaluator.evaluate(depths, calibration, bar::stepTo);
    }
    List<String> said = new ArrayList<>(notes);
    if (split != Split.TRAIN) {
      said.add(dataset.shared(split).sentence(split));
    }
    return new EvaluationTable(
        model.bundle().manifest().id(),
        dataset.name(),
        split,
        evaluator.images(),
        evaluator.texts(),
        calibration,
        rows,
        said);
  }
}
