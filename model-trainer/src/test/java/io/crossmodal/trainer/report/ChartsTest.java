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
import java.util.TreeMap;
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
