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
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Interval;
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
    line(card, "## Data%n");
    line(card, "- Licence of data and weights: %s", licence);
    line(
        card,
        "- Trained on %s, %.1f passes over its pairs, seed %d, trainer %s",
        manifest.training().dataSet(),
        manifest.training().epochs(),
        manifest.training().seed(),
        manifest.training().codeVersion());
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

  private static String text(Interval interval) {
    return interval == null ? "-" : interval.toString();
  }

  @FormatMethod
  private static void line(StringBuilder card, String format, Object... values) {
    card.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
