/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** A report read back. */
public final class Html {
  private final Document document;

  public Html(String html) throws Exception {
    document =
        DocumentBuilderFactory.newDefaultInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(html)));
  }

  /** All elements of a name, in order. */
  public List<Element> all(String name) {
    List<Element> elements = new ArrayList<>();
    NodeList found = document.getElementsByTagName(name);
    for (int i = 0; i < found.getLength(); i++) {
      elements.add((Element) found.item(i));
    }
    return elements;
  }

  /** Their texts. */
  public List<String> texts(String name) {
    return all(name).stream().map(Element::getTextContent).toList();
  }

  /** How many pictures are of a kind. */
  public long pictures(String kind) {
    return all("img").stream().filter(image -> image.getAttribute("class").equals(kind)).count();
  }

  /** Rows of a table. */
  public long rows(String table) {
    return all("tr").stream()
        .filter(row -> ((Element) row.getParentNode()).getAttribute("id").equals(table))
        .count();
  }
}
