/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.GsonBuilder;
import io.crossmodal.trainer.data.TextFiles;
import java.util.List;

/**
 * The test results that the MTGFE paper prints (tables 2, 3 and 4), per data set, and what speaks
 * against them, from {@code paper.json}. All are strict; "text retrieval" there is image to text
 * here.
 */
public enum Paper {
  RSICD,
  RSITMD,
  UCM,
  SYDNEY;

  /**
   * Figures of the paper for a data set.
   *
   * @param rows its figures; mR as it is printed there, whether it is the mean or not
   * @param notes where the paper contradicts itself or cannot be compared, a sentence each
   */
  public record Results(List<EvaluationTable.Row> rows, List<String> notes) {
    public Results {
      rows = List.copyOf(rows);
      notes = List.copyOf(notes);
    }
  }

  /** Returns what the paper says of this data set. */
  public Results results() {
    return new GsonBuilder()
        .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
        .create()
        .fromJson(TextFiles.resource(Paper.class, "paper.json").get(name()), Results.class);
  }
}
