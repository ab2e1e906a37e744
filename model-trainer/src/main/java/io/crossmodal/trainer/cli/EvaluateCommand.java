/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.evaluate.Paper;
import io.crossmodal.trainer.evaluate.Row;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code evaluate}: what the filter, the fusion encoder and both reach on one split. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description = "Measures retrieval in both directions, strict and duplicate-aware.")
final class EvaluateCommand implements Callable<Integer> {
  @Option(names = "--data", required = true, description = "Karpathy JSON of the data set")
  private Path data;

  @Option(names = "--bundle", required = true, description = "the model's bundle")
  private Path bundle;

  @Option(names = "--split", defaultValue = "TEST", description = "${COMPLETION-CANDIDATES}")
  private Split split;

  @Option(
      names = "--k",
      defaultValue = "16,32,64,128,256",
      split = ",",
      description = "candidates that are re-ranked; may be repeated")
  private List<Integer> ks;

  @Option(
      names = "--full",
      description = "score every pair too, and count what the filter misses; quadratic")
  private boolean full;

  @Option(
      names = "--lambda",
      description = "weight of the filter's logit instead of the bundle's; 0 as in the paper")
  private Double lambda;

  @Option(
      names = "--paper",
      description = "the paper's figures for a data set beside ours: ${COMPLETION-CANDIDATES}")
  private Paper paper;

  @Option(names = "--json", description = "file to write the table to, as JSON")
  private Path json;

  @Option(names = "--limit", defaultValue = "1000000", description = "images at most")
  private int limit;

  @Override
  public Integer call() throws Exception {
    if (limit < 1) {
      throw new IllegalArgumentException("limit must be at least 1, got " + limit);
    }
    Depths depths = new Depths(ks, full);
    CaptionedDataset dataset = KarpathyReader.read(data);
    List<CaptionedImage> all = dataset.split(split);
    List<CaptionedImage> images = all.subList(0, Math.min(limit, all.size()));
    if (images.isEmpty()) {
      throw new IllegalArgumentException(
          data + " has no image in its split " + split.label() + "; name another with --split");
    }
    Path scratch = Files.createTempDirectory("crossmodal-");
    EvaluationTable table;
    try (FusionModel model = FusionModel.load(ModelBundle.read(bundle), scratch)) {
      table = table(model, dataset.name(), images, depths);
    } finally {
      Files.deleteIfExists(scratch);
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

  private EvaluationTable table(
      FusionModel model, String dataSet, List<CaptionedImage> images, Depths depths)
      throws IOException {
    Calibration own = model.bundle().manifest().calibration();
    Calibration calibration =
        lambda == null ? own : new Calibration(lambda, own.scale(), own.bias());
    Evaluator evaluator;
    try (ProgressBar bar = new ProgressBar("encode", images.size())) {
      evaluator = new Evaluator(model, images, bar::stepTo);
    }
    List<Row> rows;
    try (ProgressBar bar = new ProgressBar("fuse", evaluator.pairs(depths))) {
      rows = evaluator.evaluate(depths, calibration, bar::stepTo);
    }
    return new EvaluationTable(
        model.bundle().manifest().id(),
        dataSet,
        split,
        evaluator.images(),
        evaluator.texts(),
        calibration,
        rows,
        List.of());
  }
}
