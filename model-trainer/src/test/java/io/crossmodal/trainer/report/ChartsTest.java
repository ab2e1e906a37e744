/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class ChartsTest {
  @BeforeAll
  static void fonts() {
    FontAssumption.check();
  }

  /** MVJRC's loss is a cosine with a minus sign. */
  @Test
  void aCurveBelowZeroIsDrawn() throws Exception {
    SortedMap<Integer, Double> falling = new TreeMap<>();
    for (int i = 1; i <= 7; i++) {
      falling.put(50 * i, -0.1 * i);
    }
    String svg = Charts.svg("Losses", "nats", Map.of("mvjrc", falling));
    // What lies outside the plot is cut away, and drawn all the same.
    Matcher line = Pattern.compile("<line[^>]*clip-path[^>]* y2=\"([-\\d.]+)\"").matcher(svg);
    int lines = 0;
    while (line.find()) {
      lines++;
      double y = Double.parseDouble(line.group(1));
      assertTrue(y > 0 && y < 340, line.group());
    }
    assertEquals(6, lines, svg);
  }

  @Test
  void anSvgHasItsSizeAndNeedsNothingElse() throws Exception {
    String svg =
        Charts.svg(
            "Losses <all>",
            "nats",
            Map.of(
                "itc",
                new TreeMap<>(Map.of(50, 4.0, 100, 2.0)),
                "itm",
                new TreeMap<>(Map.of(50, 0.6))));
    DocumentBuilder builder = DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder();
    // Its DTD lies on the network, where a test does not go.
    builder.setEntityResolver((id, uri) -> new InputSource(new ByteArrayInputStream(new byte[0])));
    Document document =
        builder.parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
    assertEquals("760", document.getDocumentElement().getAttribute("width"));
    assertEquals("340", document.getDocumentElement().getAttribute("height"));
    // Words are drawn as outlines: the reader's fonts do not matter.
    int paths = document.getElementsByTagName("path").getLength();
    assertTrue(paths > 20, paths + " paths");
    assertEquals(0, document.getElementsByTagName("image").getLength());
  }
}
