/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/**
 * A report as one HTML file that needs no other: pictures are data URIs, there is no script.
 *
 * <p>It is HTML5 in XML's syntax, so that the JDK's own writer escapes it and any XML parser reads
 * it back.
 */
final class HtmlReport {
  private static final String STYLE =
      """
      body { font-family: sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
      table { border-collapse: collapse; margin: 1em 0; }
      th, td { border-bottom: 1px solid #ccc; padding: 0.25em 0.5em; text-align: right; }
      th:first-child, td:first-child { text-align: left; white-space: nowrap; }
      .wide { overflow-x: auto; font-size: 85%; }
      .hits img { border: 4px solid #ddd; margin-right: 4px; }
      .hits img.right { border-color: #18864b; }
      .sheet { max-width: 100%; }
      """;

  private final XMLStreamWriter out;

  private HtmlReport(XMLStreamWriter out) {
    this.out = out;
  }

  /** Returns the whole file. */
  static String html(RunReport report) {
    StringWriter text = new StringWriter();
    try {
      XMLStreamWriter out = XMLOutputFactory.newDefaultFactory().createXMLStreamWriter(text);
      new HtmlReport(out).write(report);
      out.close();
    } catch (XMLStreamException e) {
      throw new IllegalStateException("writing to memory", e);
    }
    return text.append('\n').toString();
  }

  private void write(RunReport report) throws XMLStreamException {
    out.writeDTD("<!DOCTYPE html>");
    out.writeCharacters("\n");
    out.writeStartElement("html");
    out.writeAttribute("lang", "en");
    out.writeStartElement("head");
    out.writeEmptyElement("meta");
    out.writeAttribute("charset", "utf-8");
    element("title", report.title());
    element("style", STYLE);
    out.writeEndElement();
    out.writeStartElement("body");
    element("h1", report.title());
    element("h2", "Options");
    options(report.options());
    element("h2", "Training");
    if (report.charts().isEmpty()) {
      element("p", "The run has logged nothing yet.");
    }
    for (RunReport.Chart chart : report.charts()) {
      out.writeStartElement("p");
      image("svg+xml", chart.svg().getBytes(StandardCharsets.UTF_8), chart.title(), "chart");
      out.writeEndElement();
    }
    if (report.retrieval().isPresent()) {
      retrieval(report.retrieval().get());
    }
    out.writeEndElement();
    out.writeEndElement();
    out.writeEndDocument();
  }

  private void options(Map<String, String> options) throws XMLStreamException {
    out.writeStartElement("table");
    out.writeAttribute("id", "options");
    for (Map.Entry<String, String> option : options.entrySet()) {
      row("td", List.of(option.getKey(), option.getValue()));
    }
    out.writeEndElement();
  }

  private void retrieval(RunReport.Found found) throws XMLStreamException {
    element("h2", "Retrieval");
    EvaluationTable table = found.table();
    element("p", table.title());
    out.writeStartElement("div");
    out.writeAttribute("class", "wide");
    out.writeStartElement("table");
    out.writeAttribute("id", "evaluation");
    row("th", EvaluationTable.HEADS);
    for (List<String> cells : table.cells()) {
      row("td", cells);
    }
    out.writeEndElement();
    out.writeEndElement();
    out.writeStartElement("ul");
    for (String line : EvaluationTable.legend()) {
      element("li", line);
    }
    for (String line : table.notes()) {
      element("li", line);
    }
    out.writeEndElement();
    element("h2", "Examples");
    element(
        "p",
        "The first pictures for captions drawn at random; those that have the caption among their"
            + " own are framed in green.");
    for (RunReport.Example example : found.examples()) {
      element("h3", example.caption());
      hits("filter", example.byBiEncoder());
      hits("filter's " + found.k() + ", then fusion", example.byFusion());
    }
    element("h2", "Where words look");
    element(
        "p",
        "Weights of the last cross-attention layer but one, mean over heads, on the picture that"
            + " the caption was written for. Each word is scaled to its own largest weight.");
    for (RunReport.Sheet sheet : found.sheets()) {
      element("h3", sheet.caption());
      image("png", sheet.png(), sheet.name(), "sheet");
    }
  }

  private void hits(String way, List<RunReport.Hit> hits) throws XMLStreamException {
    element("p", way);
    out.writeStartElement("div");
    out.writeAttribute("class", "hits");
    for (RunReport.Hit hit : hits) {
      image("jpeg", hit.jpeg(), hit.name(), hit.right() ? "right" : "wrong");
    }
    out.writeEndElement();
  }

  private void row(String cell, List<String> cells) throws XMLStreamException {
    out.writeStartElement("tr");
    for (String text : cells) {
      element(cell, text);
    }
    out.writeEndElement();
    out.writeCharacters("\n");
  }

  private void image(String type, byte[] file, String name, String kind) throws XMLStreamException {
    out.writeEmptyElement("img");
    out.writeAttribute("class", kind);
    out.writeAttribute("alt", printable(name));
    out.writeAttribute("title", printable(name));
    out.writeAttribute(
        "src", "data:image/" + type + ";base64," + Base64.getEncoder().encodeToString(file));
    out.writeCharacters("\n");
  }

  private void element(String name, String text) throws XMLStreamException {
    out.writeStartElement(name);
    out.writeCharacters(printable(text));
    out.writeEndElement();
  }

  /**
   * Returns a text without control characters: captions come from files, and these have no place in
   * HTML, escaped or not.
   */
  private static String printable(String text) {
    StringBuilder printable = new StringBuilder(text.length());
    text.codePoints()
        .map(
            c -> {
              boolean control = c < ' ' && c != '\n' && c != '\t';
              boolean none = (c >= 0xd800 && c <= 0xdfff) || (c & 0xfffe) == 0xfffe;
              return control || none ? 0xfffd : c;
            })
        .forEach(printable::appendCodePoint);
    return printable.toString();
  }

  /**
   * Everything that a report shows, computed; how it looks is {@link HtmlReport}'s affair.
   *
   * @param title what the report is of
   * @param options the run's options by name
   * @param charts SVG documents
   * @param retrieval what the model reaches and examples of it, where a data set was given
   */
  record RunReport(
      String title, Map<String, String> options, List<Chart> charts, Optional<Found> retrieval) {

    /**
     * A chart.
     *
     * @param title what it shows
     * @param svg a whole document
     */
    record Chart(String title, String svg) {}

    /**
     * Findings in a split.
     *
     * @param table the evaluation
     * @param k candidates that fusion re-ranked in the examples
     * @param examples captions with their first pictures
     * @param sheets heat maps of some of those captions
     */
    record Found(EvaluationTable table, int k, List<Example> examples, List<Sheet> sheets) {}

    /**
     * A caption's first pictures.
     *
     * @param caption the query
     * @param byBiEncoder best first
     * @param byFusion best first, the bi-encoder's candidates re-ranked
     */
    record Example(String caption, List<Hit> byBiEncoder, List<Hit> byFusion) {}

    /**
     * A picture that was found.
     *
     * @param name as the data set names it
     * @param jpeg the bytes of a JPEG file
     * @param right whether the caption, letter by letter, is one of its own
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
    record Hit(String name, byte[] jpeg, boolean right) {}

    /**
     * The heat maps of a caption on the picture that it was written for.
     *
     * @param caption the words
     * @param name of the picture
     * @param png the bytes of a PNG file
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
    record Sheet(String caption, String name, byte[] png) {}
  }
}
