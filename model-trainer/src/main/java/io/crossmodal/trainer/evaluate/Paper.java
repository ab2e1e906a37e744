/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.GsonBuilder;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

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
   * What the paper says of a data set.
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
    try (Reader json =
        new InputStreamReader(
            Paper.class.getResourceAsStream("paper.json"), StandardCharsets.UTF_8)) {
      Map<String, Results> all =
          new GsonBuilder()
              .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
              .create()
              .fromJson(json, new TypeToken<Map<String, Results>>() {}.getType());
      return all.get(name());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
