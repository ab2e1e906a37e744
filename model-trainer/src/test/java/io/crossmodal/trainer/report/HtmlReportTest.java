/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Paper;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class HtmlReportTest {
  private static final String NASTY = "<b>&\"'</b> ]]> <script>";

  private static HtmlReport.RunReport.Hit hit(String name, boolean right) {
    return new HtmlReport.RunReport.Hit(name, new byte[] {1, 2, 3}, right);
  }

  @Test
  void holdsEverythingAndEscapesIt() throws Exception {
    EvaluationTable table =
        new EvaluationTable(
            "tiny",
            NASTY,
            Split.VAL,
            4,
            20,
            Calibration.NONE,
            Paper.RSITMD.results().rows(),
            List.of(NASTY));
    HtmlReport.RunReport.Example example =
        new HtmlReport.RunReport.Example(
            NASTY,
            List.of(hit("a.jpg", true), hit("b.jpg", false)),
            List.of(hit(NASTY, false), hit("a.jpg", true)));
    HtmlReport.RunReport.Found found =
        new HtmlReport.RunReport.Found(
            table,
            16,
            List.of(example),
            List.of(new HtmlReport.RunReport.Sheet(NASTY, "a.jpg", new byte[] {9})));
    String html =
        HtmlReport.html(
            new HtmlReport.RunReport(
                "Run " + NASTY,
                Map.of("seed", NASTY),
                List.of(new HtmlReport.RunReport.Chart("Losses", "<svg/>")),
                Optional.of(found)));
    assertTrue(html.startsWith("<!DOCTYPE html>\n<html"), html);
    assertFalse(html.contains("<b>"), html);
    assertFalse(html.contains("<script"), html);
    assertFalse(html.contains("http"), "no network");
    Html read = new Html(html);
    assertEquals(List.of("Run " + NASTY), read.texts("h1"));
    assertEquals(List.of(NASTY, NASTY), read.texts("h3"));
    assertEquals(2, read.pictures("right"));
    assertEquals(2, read.pictures("wrong"));
    assertEquals(1, read.pictures("sheet"));
    assertEquals(1, read.pictures("chart"));
    assertEquals(1, read.rows("options"));
    assertEquals(1 + Paper.RSITMD.results().rows().size(), read.rows("evaluation"));
    assertTrue(read.texts("li").contains(NASTY));
    assertTrue(read.all("img").stream().anyMatch(image -> image.getAttribute("alt").equals(NASTY)));
    String source = read.all("img").get(1).getAttribute("src");
    assertTrue(source.startsWith("data:image/jpeg;base64,"), source);
    assertArrayEquals(
        new byte[] {1, 2, 3},
        Base64.getDecoder().decode(source.substring(source.indexOf(',') + 1)));
  }

  @Test
  void controlCharactersDoNotBreakIt() throws Exception {
    String title = "a\u0000b\u001bc\ud800d\uffffe";
    Html read =
        new Html(
            HtmlReport.html(
                new HtmlReport.RunReport(title, Map.of(), List.of(), Optional.empty())));
    assertEquals(List.of("a\ufffdb\ufffdc\ufffdd\ufffde"), read.texts("h1"));
    assertTrue(read.texts("p").contains("The run has logged nothing yet."));
  }
}
