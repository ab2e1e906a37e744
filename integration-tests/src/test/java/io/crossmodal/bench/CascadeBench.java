/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Which stage should choose what is fused: the dot product alone, then the MLP filter or MaxSim of
 * words and patches over everything; quality against what a query costs, over k. {@code
 * -Dbench.model=FILE} measures another bundle than the shipped one.
 */
final class CascadeBench {
  /** The seed of the shipped model's training scenes: its test split shares no scene with them. */
  private static final long SEED = 1;

  private CascadeBench() {}

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    int captions = Integer.getInteger("bench.captions", 5);
    List<Integer> ks =
        Arrays.stream(System.getProperty("bench.ks", "16,32,64,128,256,1000").split(","))
            .map(Integer::valueOf)
            .filter(k -> k <= scenes)
            .toList();
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images =
        TokensBench.ofFewerCaptions(Scenes.generate(work, scenes, SEED), captions);
    Path scratch = Files.createTempDirectory(work, "cascade-");
    try (FusionModel model = FusionModel.load(TokensBench.bundle(), scratch)) {
      EncodedSplit split =
          EncodedSplit.encode(model, images, 0, EncodedSplit.Change.NONE, done -> {});
      Depths depths = new Depths(ks, false);
      Evaluator evaluator = new Evaluator(model, split);
      List<EvaluationTable.Row> rows =
          new ArrayList<>(
              evaluator.evaluate(depths, model.bundle().manifest().calibration(), pairs -> {}));
      rows.addAll(
          evaluator.byMaxSim(images.size(), depths, model.bundle().manifest().calibration()));
      publish(model, split, captions, ks, rows);
    } finally {
      Files.delete(scratch);
    }
  }

  private static void publish(
      FusionModel model,
      EncodedSplit split,
      int captions,
      List<Integer> ks,
      List<EvaluationTable.Row> rows)
      throws Exception {
    ModelConfig config = model.bundle().manifest().config();
    int images = split.images().size();
    double n = split.texts().stream().mapToInt(text -> text.tokens().count()).average().orElse(0);
    Report report = new Report("cascade");
    report.table(
        images + " scenes, " + captions + " captions each, " + model.bundle().manifest().id(),
        "stage | k | MFLOP a query | t2i R@1 | duplicate-aware mR | ms of fusion, t2i");
    Chart chart =
        new Chart("Quality against cost, k = " + ks, "MFLOP a query", "mR").acrossDecades();
    int perStage = ks.size() + 1;
    List<String> stages = new ArrayList<>(List.of("dot product"));
    if (config.preRanker()) {
      stages.add("MLP filter");
    }
    stages.add("MaxSim");
    for (int i = 0; i < rows.size(); i++) {
      EvaluationTable.Row row = rows.get(i);
      String stage = stages.get(i / perStage);
      int k = i % perStage == 0 ? 0 : ks.get(i % perStage - 1);
      double flop = images * before(config, stage, n) + (k == 0 ? 0 : fusion(config, k, n));
      report.row(
          stage,
          k,
          flop / 1e6,
          row.textToImage().aware().r1(),
          row.meanRecallAware(),
          k == 0 ? "" : row.textToImage().fusionMillis());
      chart.point(stage, flop / 1e6, row.meanRecallAware());
    }
    report.chart("quality", chart);
    report.publish();
  }

  /** Floating-point operations by which a stage compares a text with one image. */
  private static double before(ModelConfig config, String stage, double n) {
    double h = config.hidden();
    double d = config.embeddingDimension();
    double patches = config.imageTokens(config.sensors().get(0)) - 1;
    return switch (stage) {
      case "MLP filter" -> 2 * d + 2 * (2 * h * h + h * h + 2 * h);
      // Patches as an index stores them: the filter's projection is a part of every comparison.
      case "MaxSim" -> 2 * d + 2 * patches * d * (h + n - 1);
      default -> 2 * d;
    };
  }

  private static double fusion(ModelConfig config, int k, double n) {
    return FuseBench.flop(config, k, n, config.imageTokens(config.sensors().get(0)));
  }
}
