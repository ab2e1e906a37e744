/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.evaluate.Evaluator.Search;
import io.crossmodal.trainer.report.HtmlReport.RunReport;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SplittableRandom;

/** Computes a report of a run folder and writes it there as {@code report.html}. */
public final class ReportMaker {
  private static final String FILE = "report.html";
  private static final int EXAMPLES = 10;
  private static final int SHEETS = 5;
  private static final int FIRST = 5;
  private static final int THUMBNAIL = 112;

  private final Path run;

  /**
   * Makes a maker for one run.
   *
   * @param run a folder with {@code options.json} and, once it has logged, {@code metrics.jsonl}
   */
  public ReportMaker(Path run) {
    this.run = run;
  }

  /**
   * Writes a report without retrieval.
   *
   * @return the file
   * @throws IOException when the folder holds no run
   */
  public Path write() throws IOException {
    return write(Optional.empty());
  }

  /**
   * Writes a report with an evaluation and examples.
   *
   * @param model the run's model
   * @param evaluator with the split encoded
   * @param table its evaluation
   * @param depths as it was evaluated; the examples take the largest k
   * @param seed of the choice of examples
   * @return the file
   * @throws IOException when the folder holds no run
   */
  public Path write(
      FusionModel model, Evaluator evaluator, EvaluationTable table, Depths depths, long seed)
      throws IOException {
    int k = Math.min(evaluator.images(), depths.largest());
    List<Search> searches =
        evaluator.search(choose(evaluator.texts(), seed), k, FIRST, table.calibration());
    SensorConfig sensor = model.bundle().manifest().config().sensors().get(0);
    List<RunReport.Example> examples = new ArrayList<>();
    for (Search search : searches) {
      examples.add(
          new RunReport.Example(
              evaluator.caption(search.text()),
              hits(evaluator, sensor, search.text(), search.byBiEncoder()),
              hits(evaluator, sensor, search.text(), search.byFusion())));
    }
    return write(
        Optional.of(
            new RunReport.Found(
                table,
                k,
                examples,
                sheets(model, evaluator, searches.subList(0, Math.min(SHEETS, searches.size()))))));
  }

  private Path write(Optional<RunReport.Found> found) throws IOException {
    String title = "Run " + run.toAbsolutePath().normalize().getFileName();
    Map<String, String> options = TrainingLog.options(run.resolve("options.json"));
    Path file = run.resolve(FILE);
    Files.writeString(
        file,
        HtmlReport.html(new RunReport(title, options, charts(), found)),
        StandardCharsets.UTF_8);
    return file;
  }

  private List<RunReport.Chart> charts() throws IOException {
    TrainingLog log = TrainingLog.read(run);
    List<RunReport.Chart> charts = new ArrayList<>();
    if (!log.losses().isEmpty()) {
      charts.add(
          chart(
              "Losses, means since the point before", "nats; mvjrc: minus a cosine", log.losses()));
    }
    if (!log.validation().isEmpty()) {
      charts.add(
          chart("Validation of the averaged weights, filter alone", "percent", log.validation()));
    }
    if (!log.stepsPerSecond().isEmpty()) {
      charts.add(chart("Speed", "steps/s", Map.of("steps/s", log.stepsPerSecond())));
    }
    return charts;
  }

  private static RunReport.Chart chart(
      String title, String unit, Map<String, SortedMap<Integer, Double>> curves)
      throws IOException {
    Map<String, SortedMap<Integer, Double>> drawn = new LinkedHashMap<>(curves);
    // A task that was left out counts 0 all along.
    drawn.values().removeIf(curve -> curve.values().stream().allMatch(value -> value == 0));
    return new RunReport.Chart(title, Charts.svg(title, unit, drawn.isEmpty() ? curves : drawn));
  }

  /** Returns distinct numbers below {@code texts}, the same for the same seed. */
  private static List<Integer> choose(int texts, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    return random.ints(0, texts).distinct().limit(Math.min(EXAMPLES, texts)).boxed().toList();
  }

  private static List<RunReport.Hit> hits(
      Evaluator evaluator, SensorConfig sensor, int text, List<Integer> images) throws IOException {
    List<RunReport.Hit> hits = new ArrayList<>();
    for (int i : images) {
      CaptionedImage image = evaluator.image(i);
      hits.add(
          new RunReport.Hit(
              image.filename(),
              Pictures.jpeg(Pictures.decode(Files.readAllBytes(image.file()), sensor, THUMBNAIL)),
              evaluator.right(i, text)));
    }
    return hits;
  }

  private static List<RunReport.Sheet> sheets(
      FusionModel model, Evaluator evaluator, List<Search> searches) throws IOException {
    List<byte[]> pictures = new ArrayList<>();
    List<String> captions = new ArrayList<>();
    for (Search search : searches) {
      pictures.add(Files.readAllBytes(evaluator.owner(search.text()).file()));
      captions.add(evaluator.caption(search.text()));
    }
    List<BufferedImage> drawn = HeatMaps.sheets(model, pictures, captions);
    List<RunReport.Sheet> sheets = new ArrayList<>();
    for (int i = 0; i < drawn.size(); i++) {
      String name = evaluator.owner(searches.get(i).text()).filename();
      sheets.add(new RunReport.Sheet(captions.get(i), name, HeatMaps.png(drawn.get(i))));
    }
    return sheets;
  }
}
