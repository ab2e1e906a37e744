/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.GsonBuilder;
import io.crossmodal.model.Calibration;
import io.crossmodal.trainer.data.Split;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * An evaluation as people and programs read it.
 *
 * @param model id of the bundle
 * @param dataSet the data set's own name
 * @param split the part of it that was searched
 * @param images pictures searched, and asked with
 * @param texts captions searched, and asked with
 * @param calibration what pairs were ranked by; null where each half of the split chose it for the
 *     other
 * @param rows a row per way to search, the paper's own behind them
 * @param notes what must be known to read the rows, a sentence each
 */
public record EvaluationTable(
    String model,
    String dataSet,
    Split split,
    int images,
    int texts,
    Calibration calibration,
    List<Row> rows,
    List<String> notes) {

  /** The heads of {@link #cells}. */
  public static final List<String> HEADS =
      List.of(
          "",
          "i2t R@1",
          "R@5",
          "R@10",
          "t2i R@1",
          "R@5",
          "R@10",
          "mR",
          "aware: i2t R@1",
          "R@5",
          "R@10",
          "t2i R@1",
          "R@5",
          "R@10",
          "mR",
          "ms i2t",
          "ms t2i",
          "top 10 i2t",
          "top 10 t2i");

  private static final String NONE = "-";

  public EvaluationTable {
    rows = List.copyOf(rows);
    notes = List.copyOf(notes);
  }

  /** Returns what the columns mean, for whoever reads the table. */
  public static List<String> legend() {
    return List.of(
        "i2t: pictures ask for captions; t2i: captions ask for pictures; shares in percent.",
        "Equal scores keep the data set's order, so that of captions that are equal letter by"
            + " letter the earlier picture's comes first; only strict shares notice.",
        "aware: every picture that has the caption among its own counts as right.",
        "ms: median milliseconds of the fusion stage for a query; ~ is computed from the time of a"
            + " pair in the other direction.",
        "top 10: share of full fusion's first ten that are among the filter's first k.");
  }

  /** Returns this table with the paper's rows behind our own. */
  public EvaluationTable with(Paper paper) {
    List<Row> all = new ArrayList<>(rows);
    all.addAll(paper.results().rows());
    List<String> said = new ArrayList<>(notes);
    said.addAll(paper.results().notes());
    return new EvaluationTable(model, dataSet, split, images, texts, calibration, all, said);
  }

  /** Returns this table with more rows of ours. */
  public EvaluationTable with(List<Row> more) {
    List<Row> all = new ArrayList<>(rows);
    all.addAll(more);
    return new EvaluationTable(model, dataSet, split, images, texts, calibration, all, notes);
  }

  /** Says in one line what was evaluated. */
  public String title() {
    return String.format(
        Locale.ROOT,
        "%s on %s, split %s: %d images, %d texts, ranked by %s",
        model,
        dataSet,
        split.label(),
        images,
        texts,
        rankedBy());
  }

  private String rankedBy() {
    if (rows.stream().allMatch(row -> row.textToImage().fusionMillis() == null)) {
      return "the cosine of embeddings";
    }
    return calibration == null
        ? "ITM + filter, its weight chosen on the other half"
        : "ITM + " + calibration.lambda() + " filter";
  }

  /** Returns per row its name and {@link #HEADS}' figures. */
  public List<List<String>> cells() {
    return rows.stream().map(EvaluationTable::cells).toList();
  }

  private static List<String> cells(Row row) {
    List<String> cells = new ArrayList<>();
    cells.add(row.name());
    shares(cells, row.imageToText().strict());
    shares(cells, row.textToImage().strict());
    cells.add(figure(row.meanRecall()));
    shares(cells, row.imageToText().aware());
    shares(cells, row.textToImage().aware());
    cells.add(figure(row.meanRecallAware()));
    cells.add(millis(row.imageToText()));
    cells.add(millis(row.textToImage()));
    cells.add(figure(row.imageToText().topTenFound()));
    cells.add(figure(row.textToImage().topTenFound()));
    return cells;
  }

  private static void shares(List<String> cells, Retrieval retrieval) {
    cells.add(figure(retrieval == null ? null : retrieval.r1()));
    cells.add(figure(retrieval == null ? null : retrieval.r5()));
    cells.add(figure(retrieval == null ? null : retrieval.r10()));
  }

  private static String millis(Row.Direction direction) {
    return (direction.computed() ? "~" : "") + figure(direction.fusionMillis());
  }

  private static String figure(Double value) {
    return value == null ? NONE : String.format(Locale.ROOT, "%.2f", value);
  }

  /** Returns the table in Markdown, with its title, legend and notes. */
  public String markdown() {
    StringBuilder out = new StringBuilder(title()).append("\n\n");
    line(out, HEADS);
    line(out, HEADS.stream().map(head -> head.isEmpty() ? "---" : "---:").toList());
    cells().forEach(cells -> line(out, cells));
    out.append('\n');
    legend().forEach(line -> out.append("- ").append(line).append('\n'));
    notes.forEach(line -> out.append("- ").append(line).append('\n'));
    return out.toString();
  }

  private static void line(StringBuilder out, List<String> cells) {
    out.append(cells.stream().collect(Collectors.joining(" | ", "| ", " |\n")));
  }

  /** Returns everything as JSON, names in lower case with underscores. */
  public String json() {
    return new GsonBuilder()
        .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
        .setPrettyPrinting()
        .create()
        .toJson(this);
  }

  /**
   * Figures of one way to search, in both directions.
   *
   * @param name the way
   * @param imageToText pictures as queries
   * @param textToImage captions as queries
   * @param meanRecall mR: the mean of the six strict shares
   * @param meanRecallAware the same, duplicate-aware; null where it is not known
   * @param interval of mR; null where only the figures are known
   * @param intervalAware the same, duplicate-aware
   */
  public record Row(
      String name,
      Direction imageToText,
      Direction textToImage,
      double meanRecall,
      Double meanRecallAware,
      Interval interval,
      Interval intervalAware) {

    /**
     * One direction.
     *
     * @param strict an image's own captions alone are right
     * @param aware every image that has the caption is right; null where it is not known
     * @param fusionMillis median milliseconds of the fusion stage for a query; null where there is
     *     no such stage
     * @param computed whether {@code fusionMillis} was computed from the time of a pair in the
     *     other direction, not taken
     * @param topTenFound share, in percent, of full fusion's first ten that are among the
     *     candidates; null where full fusion was not run
     */
    public record Direction(
        Retrieval strict,
        Retrieval aware,
        Double fusionMillis,
        boolean computed,
        Double topTenFound) {}

    static Row of(String name, Direction imageToText, Direction textToImage) {
      return new Row(
          name,
          imageToText,
          textToImage,
          Retrieval.meanRecall(imageToText.strict(), textToImage.strict()),
          Retrieval.meanRecall(imageToText.aware(), textToImage.aware()),
          null,
          null);
    }

    /** Returns this row with its intervals. */
    Row within(Interval strict, Interval aware) {
      return new Row(name, imageToText, textToImage, meanRecall, meanRecallAware, strict, aware);
    }
  }

  /**
   * R@1, R@5, R@10 in percent: the share of queries with a right answer among the first K.
   *
   * @param r1 R@1
   * @param r5 R@5
   * @param r10 R@10
   * @param queries how many queries the shares are of; 0 where a source does not say
   */
  public record Retrieval(double r1, double r5, double r10, int queries) {

    /**
     * Counts ranks within the cut-offs.
     *
     * @param ranks per query the rank, from 1, of its best right answer
     */
    public static Retrieval of(int[] ranks) {
      return new Retrieval(share(ranks, 1), share(ranks, 5), share(ranks, 10), ranks.length);
    }

    private static double share(int[] ranks, int k) {
      int hits = 0;
      for (int rank : ranks) {
        if (rank <= k) {
          hits++;
        }
      }
      return ranks.length == 0 ? 0 : 100.0 * hits / ranks.length;
    }

    /** Returns the mean of the six shares of both directions: mR. */
    public static double meanRecall(Retrieval imageToText, Retrieval textToImage) {
      return (imageToText.r1
              + imageToText.r5
              + imageToText.r10
              + textToImage.r1
              + textToImage.r5
              + textToImage.r10)
          / 6;
    }
  }
}
