/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import java.util.List;

/**
 * The test results that the MTGFE paper prints (tables 2, 3 and 4), per data set, and what speaks
 * against them. All are strict; "text retrieval" there is image to text here.
 */
@SuppressWarnings("ImmutableEnumChecker") // the lists are List.of
public enum Paper {
  RSICD(
      List.of(
          row(
              "paper: MTGFE, tables 2 and 4",
              found(15.28, 37.05, 51.6, 472.10),
              found(8.67, 27.56, 43.92, 94.41),
              30.68),
          row(
              "paper: filter, then MTGFE, k = 128, table 4",
              found(13.82, 36.32, 50.41, 24.70),
              found(8.27, 27.17, 42.8, 14.27),
              29.8)),
      List.of(
          "The paper's times are of a whole search on its GPUs, the filter's part included; ours"
              + " are of the fusion stage alone.",
          "On RSICD's validation split the paper reaches"
              + " 16.91/44.24/57.86 and 20.20/39.93/53.53, mR 38.78 (section 4.3).")),
  RSITMD(
      List.of(
          row(
              "paper: MTGFE, table 2",
              found(17.92, 40.93, 53.32),
              found(16.59, 48.5, 67.43),
              40.78),
          row("paper: ITM, table 3", found(15.71, 35.62, 50.44), found(13.41, 44.78, 65.66), 37.6),
          row(
              "paper: ITM + MLM, table 3",
              found(16.37, 38.05, 52.88),
              found(16.46, 47.92, 67.43),
              39.85),
          row(
              "paper: ITM + MVJRC, table 3",
              found(12.39, 33.19, 49.56),
              found(10.66, 40.35, 61.64),
              34.63)),
      List.of(
          "The full model's image-to-text R@5 is 40.93 in table 2 and 31.19 in table 3; its mR of"
              + " 40.78 in both fits 40.93.",
          "The mR of ITM alone is 38.89 in section 4.4.2 and 37.60 in table 3; recomputed 37.60.")),
  UCM(
      List.of(
          row("paper: MTGFE, table 2", found(47.14, 78.1, 90.95), found(40.19, 74.95, 94.67), 71)),
      List.of(
          "Captions shared by images cap the strict text-to-image R@1 of UCM's test split at 38.29;"
              + " the paper prints 40.19, so its protocol is another one.")),
  SYDNEY(
      List.of(
          row(
              "paper: MTGFE, table 2",
              found(44.83, 68.97, 86.21),
              found(38.28, 69.31, 83.1),
              61.52)),
      List.of(
          "The mR of 61.52 is not the mean of the six shares printed beside it, which is 65.12.",
          "Section 4.3 puts the image-retrieval R@1 11.8 above the best baseline; table 2 gives"
              + " 38.28 - 27.10 = 11.18."));

  private final List<EvaluationTable.Row> rows;
  private final List<String> notes;

  Paper(List<EvaluationTable.Row> rows, List<String> notes) {
    this.rows = rows;
    this.notes = notes;
  }

  private static EvaluationTable.Row row(
      String name,
      EvaluationTable.Row.Direction imageToText,
      EvaluationTable.Row.Direction textToImage,
      double meanRecall) {
    return new EvaluationTable.Row(name, imageToText, textToImage, meanRecall, null);
  }

  private static EvaluationTable.Row.Direction found(double r1, double r5, double r10) {
    return found(r1, r5, r10, null);
  }

  private static EvaluationTable.Row.Direction found(
      double r1, double r5, double r10, Double millis) {
    return new EvaluationTable.Row.Direction(
        new EvaluationTable.Retrieval(r1, r5, r10, 0), null, millis, false, null);
  }

  /** Returns the paper's rows; mR as it is printed there, whether it is the mean or not. */
  public List<EvaluationTable.Row> rows() {
    return rows;
  }

  /** Returns where the paper contradicts itself or cannot be compared, a sentence each. */
  public List<String> notes() {
    return notes;
  }
}
