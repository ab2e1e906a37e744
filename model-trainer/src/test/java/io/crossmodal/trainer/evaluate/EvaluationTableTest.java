/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.Calibration;
import io.crossmodal.trainer.data.Split;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EvaluationTableTest {
  private static EvaluationTable.Row.Direction direction(
      double r1, Double millis, boolean computed, Double top) {
    return new EvaluationTable.Row.Direction(
        new EvaluationTable.Retrieval(r1, r1 + 1, r1 + 2, 4),
        new EvaluationTable.Retrieval(r1 + 3, r1 + 4, r1 + 5, 4),
        millis,
        computed,
        top);
  }

  private static final EvaluationTable TABLE =
      new EvaluationTable(
          "tiny",
          "scenes",
          Split.TEST,
          4,
          20,
          new Calibration(0.75, 1, 0),
          List.of(
              EvaluationTable.Row.of(
                  "filter only", direction(1, null, false, null), direction(2, null, false, null)),
              EvaluationTable.Row.of(
                  "kNN, then fusion, k = 16",
                  direction(10, 3.5, true, 99.0),
                  direction(20, 1.25, false, 98.0))),
          List.of());

  @Test
  void markdownHasARowPerWayAndACellPerHead() {
    List<String> lines = TABLE.markdown().lines().toList();
    assertTrue(lines.get(0).contains("4 images, 20 texts"), lines.get(0));
    assertTrue(lines.get(0).contains("0.75"), lines.get(0));
    List<String> table = lines.stream().filter(line -> line.startsWith("|")).toList();
    assertEquals(4, table.size());
    for (String line : table) {
      assertEquals(20, line.chars().filter(c -> c == '|').count(), line);
    }
    assertTrue(
        table.get(3).startsWith("| kNN, then fusion, k = 16 | 10.00 | 11.00 | 12.00 | 20.00 "));
    assertTrue(table.get(3).endsWith("| ~3.50 | 1.25 | 99.00 | 98.00 |"), table.get(3));
    assertTrue(table.get(2).endsWith("| - | - | - | - |"), table.get(2));
  }

  @Test
  void jsonHoldsTheSameFigures() {
    JsonObject json = JsonParser.parseString(TABLE.json()).getAsJsonObject();
    assertEquals("tiny", json.get("model").getAsString());
    assertEquals(0.75, json.getAsJsonObject("calibration").get("lambda").getAsDouble());
    JsonArray rows = json.getAsJsonArray("rows");
    assertEquals(2, rows.size());
    JsonObject row = rows.get(1).getAsJsonObject();
    JsonObject imageToText = row.getAsJsonObject("image_to_text");
    assertEquals(11, imageToText.getAsJsonObject("strict").get("r5").getAsDouble());
    assertEquals(3.5, imageToText.get("fusion_millis").getAsDouble());
    assertEquals(16, row.get("mean_recall").getAsDouble());
    assertFalse(
        rows.get(0).getAsJsonObject().getAsJsonObject("image_to_text").has("fusion_millis"));
  }

  @ParameterizedTest
  @EnumSource
  void thePapersMeansAreThoseOfItsSharesOrTheNotesSayOtherwise(Paper paper) {
    for (EvaluationTable.Row row : paper.results().rows()) {
      double mean =
          EvaluationTable.Retrieval.meanRecall(
              row.imageToText().strict(), row.textToImage().strict());
      if (paper == Paper.SYDNEY) {
        assertEquals(65.12, mean, 0.005);
        assertTrue(paper.results().notes().get(0).contains("65.12"));
      } else {
        assertEquals(row.meanRecall(), mean, 0.0051, row.name());
      }
    }
    EvaluationTable both = TABLE.with(paper);
    assertEquals(2 + paper.results().rows().size(), both.rows().size());
    for (String note : paper.results().notes()) {
      assertTrue(both.markdown().contains(note), note);
    }
    assertEquals(
        both.rows().size(),
        JsonParser.parseString(both.json()).getAsJsonObject().getAsJsonArray("rows").size());
  }
}
