/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import java.awt.Dimension;
import java.io.IOException;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.apache.batik.svggen.SVGGraphics2D;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;
import org.w3c.dom.Document;

/** Curves over training steps, as SVG. */
final class Charts {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 340;
  private static final String SVG = "http://www.w3.org/2000/svg";

  private Charts() {}

  /**
   * Returns a chart with a curve per name.
   *
   * @param curves by name, values by step; at least one, none empty
   * @return an SVG document
   * @throws IOException when this machine has no font to measure the words with
   */
  static String svg(String title, String unit, Map<String, SortedMap<Integer, Double>> curves)
      throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle("step")
            .yAxisTitle(unit)
            .build();
    chart.getStyler().setBaseFont(Pictures.sans(12));
    // A loss that is a negative cosine, as MVJRC, would else be cut away.
    chart
        .getStyler()
        .setYAxisMin(
            curves.values().stream()
                .flatMap(curve -> curve.values().stream())
                .reduce(0.0, Math::min));
    curves.forEach(
        (name, curve) -> {
          List<double[]> columns = TrainingLog.columns(curve);
          chart
              .addSeries(name, columns.get(0), columns.get(1))
              .setMarker(curve.size() > 1 ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
        });
    SVGGraphics2D graphics = new SVGGraphics2D(document());
    graphics.setSVGCanvasSize(new Dimension(WIDTH, HEIGHT)); // or a browser shows 300 x 150 of it
    try {
      chart.paint(graphics, WIDTH, HEIGHT);
      StringWriter svg = new StringWriter();
      graphics.stream(svg, true);
      return svg.toString();
    } finally {
      graphics.dispose();
    }
  }

  private static Document document() {
    try {
      return DocumentBuilderFactory.newDefaultNSInstance()
          .newDocumentBuilder()
          .getDOMImplementation()
          .createDocument(SVG, "svg", null);
    } catch (ParserConfigurationException e) {
      throw new IllegalStateException("the JDK's own XML parser is missing", e);
    }
  }
}
