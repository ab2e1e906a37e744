/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.FusionModel;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.ImageChange;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.evaluate.Retrieval;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code evaluate}: R@1, R@5, R@10 and mR of a bundle on one split. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = "Measures retrieval in both directions, strict and duplicate-aware.")
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private DatasetArguments data;

  @Option(names = "--bundle", required = true, description = "the model's bundle")
  private Path bundle;

  @Option(names = "--split", defaultValue = "TEST", description = "${COMPLETION-CANDIDATES}")
  private Split split;

  @Option(names = "--k", defaultValue = "128", description = "candidates that are re-ranked")
  private int k;

  @Option(names = "--limit", defaultValue = "1000000", description = "images at most")
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

  /** Every run changes an image alike. */
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
    CaptionedDataset dataset = data.read();
    List<CaptionedImage> all = dataset.split(split);
    List<CaptionedImage> images = all.subList(0, Math.min(limit, all.size()));
    if (images.isEmpty()) {
      throw new IllegalArgumentException(
          data.path()
              + " has no image in its split "
              + split.label()
              + "; name another with --split");
    }
    Path scratch = Files.createTempDirectory("crossmodal-");
    try (FusionModel model = FusionModel.load(ModelBundle.read(bundle), scratch)) {
      Evaluator evaluator;
      try (ProgressBar bar = new ProgressBar("encode", images.size())) {
        EncodedSplit.Change before = change == null ? EncodedSplit.Change.NONE : this::changed;
        evaluator =
            new Evaluator(
                model,
                EncodedSplit.encode(model, images, dataset.problemsLeft(), before, bar::stepTo));
      }
      data.report(dataset, evaluator.problems());
      List<Evaluator.Row> rows;
      try (ProgressBar bar = new ProgressBar("fuse", evaluator.pairs(k))) {
        rows = evaluator.evaluate(k, model.bundle().manifest().calibration(), bar::stepTo);
      }
      System.out.printf(
          Locale.ROOT,
          "%d images, %d texts, %s%n",
          evaluator.images(),
          evaluator.texts(),
          model.bundle().manifest().calibration());
      System.out.println(
          "| | i2t R@1 | R@5 | R@10 | t2i R@1 | R@5 | R@10 | mR | aware: i2t R@1 | R@5 | R@10 |"
              + " t2i R@1 | R@5 | R@10 | mR |");
      System.out.println("|---".repeat(15) + "|");
      for (Evaluator.Row row : rows) {
        System.out.printf(
            Locale.ROOT,
            "| %s | %s | %s | %.2f | %s | %s | %.2f |%n",
            row.name(),
            cells(row.imageToText()),
            cells(row.textToImage()),
            row.meanRecall(),
            cells(row.imageToTextAware()),
            cells(row.textToImageAware()),
            row.meanRecallAware());
      }
    } finally {
      Files.deleteIfExists(scratch);
    }
    return 0;
  }

  private static String cells(Retrieval retrieval) {
    return String.format(
        Locale.ROOT, "%.2f | %.2f | %.2f", retrieval.r1(), retrieval.r5(), retrieval.r10());
  }
}
