/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import com.google.errorprone.annotations.FormatMethod;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Interval;
import io.crossmodal.trainer.sensors.SensorEvaluation;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a model is, was trained on, reaches and is not for, in Markdown (Mitchell et al. 2019). */
public final class ModelCard {
  /** File name in a run folder. */
  public static final String FILE = "MODEL_CARD.md";

  private ModelCard() {}

  /**
   * Writes a card.
   *
   * @param manifest of the model
   * @param dataset that it was trained and measured on
   * @param table what it reaches, calibrated as it ships
   * @param licence of data and weights, in the user's words
   */
  public static String markdown(
      ModelManifest manifest, CaptionedDataset dataset, EvaluationTable table, String licence) {
    StringBuilder card = new StringBuilder();
    ModelConfig config = manifest.config();
    line(card, "# %s%n", manifest.id());
    line(
        card,
        "Finds pictures by words and words by pictures. Weights %s.%n",
        manifest.weightsSha256());
    data(card, manifest, licence);
    for (Split split : Split.values()) {
      line(
          card,
          "- %s: %d pictures, %d captions%s",
          split.label(),
          dataset.split(split).size(),
          dataset.shared(split).captions(),
          split == Split.TRAIN || dataset.split(split).isEmpty()
              ? ""
              : "; " + dataset.shared(split).sentence(split));
    }
    line(card, "%n## Figures%n");
    line(
        card,
        "Split %s of %s: %d pictures, %d captions; mR is the mean of R@1, R@5 and R@10 in both"
            + " directions, in percent, with the 95 %% interval of a bootstrap over pictures."
            + " Aware: every picture that has the caption among its own is right. Pairs are ranked"
            + " by match + %s filter, as the model ships%s.%n",
        table.split().label(),
        table.dataSet(),
        table.images(),
        table.texts(),
        table.calibration().lambda(),
        table.split() == Split.VAL
            ? "; this weight was chosen on this very split, which flatters what is re-ranked"
            : "");
    line(card, "| | mR | 95 %% | mR aware | 95 %% |%n|---|---:|---:|---:|---:|");
    for (EvaluationTable.Row row : table.rows()) {
      line(
          card,
          "| %s | %.2f | %s | %s | %s |",
          row.name(),
          row.meanRecall(),
          text(row.interval()),
          row.meanRecallAware() == null
              ? "-"
              : String.format(Locale.ROOT, "%.2f", row.meanRecallAware()),
          text(row.intervalAware()));
    }
    line(card, "%n## Intended use%n");
    line(
        card,
        "Search in archives of pictures like the training's, seen by %s. A probability is that of"
            + " a caption's first candidates out of an archive of %d pictures: in a larger one a"
            + " pair of the same score is less likely to be right.%n",
        config.sensors().stream().map(SensorConfig::name).collect(Collectors.joining(", ")),
        table.images());
    line(card, "## Limits%n");
    line(
        card,
        "- It knows what the training captions speak of, in their language and manner; texts are"
            + " cut at %d word pieces.",
        config.text().maxTokens());
    line(
        card,
        "- A rank is no measurement: do not count objects, judge damage or identify persons by it"
            + " without somebody looking.");
    line(card, "- Captions that it shares with training make its figures better than they are.");
    return card.toString();
  }

  /**
   * Writes the card of a model whose sensors find each other.
   *
   * @param manifest of the model
   * @param dataset whose test pairs it was measured on
   * @param rows what it and what stands beside it reach
   * @param licence of data and weights, in the user's words
   */
  public static String ofSensors(
      ModelManifest manifest,
      PairDataset dataset,
      List<SensorEvaluation.Row> rows,
      String licence) {
    StringBuilder card = new StringBuilder();
    String sensors =
        manifest.config().sensors().stream()
            .map(
                sensor ->
                    sensor.bands() == null
                        ? sensor.name()
                        : sensor.name() + " (" + String.join(", ", sensor.bands().names()) + ")")
            .collect(Collectors.joining(", "));
    line(card, "# %s%n", manifest.id());
    line(
        card,
        "Pictures of the same place find each other across sensors: %s. Trained without labels."
            + " Weights %s.%n",
        sensors,
        manifest.weightsSha256());
    data(card, manifest, licence);
    int pairs = dataset.split(Split.TEST).size();
    for (Split split : Split.values()) {
      line(card, "- %s: %d pairs", split.label(), dataset.split(split).size());
    }
    line(card, "%n## Figures%n");
    line(
        card,
        "%d test pairs of %s: does a picture find its partner among the first 1, 5, 10 of the other"
            + " sensor's %d, in percent, with 95 %% intervals (Wilson 1927) that take the pairs as"
            + " independent; by chance R@10 is %.1f.%n",
        pairs,
        dataset.name(),
        pairs,
        1000.0 / pairs);
    line(card, "| | | R@1 | R@5 | R@10 |%n|---|---|---:|---:|---:|");
    for (SensorEvaluation.Row row : rows) {
      if (!Double.isNaN(row.recall1())) {
        line(
            card,
            "| %s | %s | %s | %s | %s |",
            row.model(),
            row.direction(),
            share(row.recall1(), pairs),
            share(row.recall5(), pairs),
            share(row.recall10(), pairs));
      }
    }
    line(card, "%n## Intended use%n");
    line(
        card,
        "Search in archives of these sensors for the place that a picture shows, about %d pixels"
            + " a side as in training. It knows no text.%n",
        manifest.config().sensors().get(0).imageSize());
    line(card, "## Limits%n");
    line(
        card,
        "- Countries, seasons, resolutions, processing levels and calibrations that are not in the"
            + " training's pictures were not measured.");
    line(
        card,
        "- A near picture is no proof of the same place, and none of change or damage: let somebody"
            + " look.");
    return card.toString();
  }

  private static void data(StringBuilder card, ModelManifest manifest, String licence) {
    line(card, "## Data%n");
    line(card, "- Licence of data and weights: %s", licence);
    line(
        card,
        "- Trained on %s, %.1f passes over its pairs, seed %d, trainer %s",
        manifest.training().dataSet(),
        manifest.training().epochs(),
        manifest.training().seed(),
        manifest.training().codeVersion());
  }

  /** Returns a share of so many in percent with its interval. */
  static String share(double percent, int of) {
    double z = 1.96;
    double p = percent / 100;
    double centre = (p + z * z / (2 * of)) / (1 + z * z / of);
    double half = z * Math.sqrt(p * (1 - p) / of + z * z / (4.0 * of * of)) / (1 + z * z / of);
    return String.format(
        Locale.ROOT,
        "%.1f (%.1f to %.1f)",
        percent,
        100 * Math.max(0, centre - half),
        100 * Math.min(1, centre + half));
  }

  private static String text(Interval interval) {
    return interval == null ? "-" : interval.toString();
  }

  @FormatMethod
  private static void line(StringBuilder card, String format, Object... values) {
    card.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
