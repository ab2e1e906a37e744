/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** Lines through points over two axes, as a file of SVG that needs nothing else. */
final class Chart {
  private static final int WIDTH = 720;
  private static final int HEIGHT = 380;
  private static final int LEFT = 70;
  private static final int RIGHT = 190;
  private static final int TOP = 40;
  private static final int BOTTOM = 50;
  private static final int TICKS = 5;
  // Okabe and Ito's, which most people can tell apart.
  private static final List<String> COLOURS =
      List.of("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000");

  private final String title;
  private final String across;
  private final String up;
  private final Map<String, List<Point>> lines = new LinkedHashMap<>();
  private boolean acrossDecades;
  private boolean upDecades;

  private record Point(double x, double y) {}

  /**
   * @param across name of the horizontal axis
   * @param up name of the vertical axis
   */
  Chart(String title, String across, String up) {
    this.title = title;
    this.across = across;
    this.up = up;
  }

  /** Has the horizontal axis logarithmic; before any point. */
  Chart acrossDecades() {
    acrossDecades = true;
    return this;
  }

  /** Has the vertical axis logarithmic; before any point. */
  Chart upDecades() {
    upDecades = true;
    return this;
  }

  private static double scaled(double value, boolean decades) {
    if (decades && !(value > 0)) {
      throw new IllegalArgumentException("a logarithmic axis has no place for " + value);
    }
    return decades ? Math.log10(value) : value;
  }

  /** Adds a point to a line; lines go through their points in the order of x. */
  void point(String line, double x, double y) {
    List<Point> points = lines.computeIfAbsent(line, name -> new ArrayList<>());
    points.add(new Point(scaled(x, acrossDecades), scaled(y, upDecades)));
    points.sort((a, b) -> Double.compare(a.x, b.x));
  }

  /** An axis from its least value to its greatest, rounded to its ticks. */
  private record Axis(double least, double step, int from, int to, boolean decades) {
    private static Axis of(double least, double most, int from, int to, boolean decades) {
      double span = most > least ? most - least : Math.max(1e-9, Math.abs(most));
      double unit = Math.pow(10, Math.floor(Math.log10(span / TICKS)));
      double step = unit;
      for (double times : new double[] {1, 2, 5, 10}) {
        step = times * unit;
        if (span / step <= TICKS) {
          break;
        }
      }
      return new Axis(Math.floor(least / step) * step, step, from, to, decades);
    }

    private double at(double value) {
      return from + (value - least) / (step * (TICKS + 1)) * (to - from);
    }

    private String label(int tick) {
      double value = least + tick * step;
      if (decades) {
        double number = Math.pow(10, value);
        return String.format(Locale.ROOT, number < 10 ? "%.2g" : "%,.0f", number);
      }
      int digits = Math.max(0, (int) -Math.floor(Math.log10(step) + 1e-9));
      return String.format(Locale.ROOT, "%." + digits + "f", value);
    }
  }

  /** Returns whether there is nothing to draw. */
  boolean isEmpty() {
    return lines.isEmpty();
  }

  /** Returns the document. */
  String svg() {
    Axis x = axis(Point::x, LEFT, WIDTH - RIGHT, acrossDecades);
    Axis y = axis(Point::y, HEIGHT - BOTTOM, TOP, upDecades);
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
                + " viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">%n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>%n",
            WIDTH,
            HEIGHT,
            WIDTH,
            HEIGHT));
    text(svg, LEFT, TOP - 16, "start", title);
    for (int tick = 0; tick <= TICKS + 1; tick++) {
      double across = x.at(x.least + tick * x.step);
      double upwards = y.at(y.least + tick * y.step);
      line(svg, across, TOP, across, HEIGHT - BOTTOM);
      line(svg, LEFT, upwards, WIDTH - RIGHT, upwards);
      text(svg, across, HEIGHT - BOTTOM + 18, "middle", x.label(tick));
      text(svg, LEFT - 8, upwards + 4, "end", y.label(tick));
    }
    text(svg, (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12, "middle", this.across);
    svg.append(
        String.format(
            Locale.ROOT,
            "<text transform=\"translate(16 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>%n",
            (TOP + HEIGHT - BOTTOM) / 2,
            up));
    int number = 0;
    for (Map.Entry<String, List<Point>> one : lines.entrySet()) {
      String colour = COLOURS.get(number % COLOURS.size());
      StringBuilder path = new StringBuilder();
      for (Point point : one.getValue()) {
        path.append(String.format(Locale.ROOT, "%.1f,%.1f ", x.at(point.x), y.at(point.y)));
        svg.append(
            String.format(
                Locale.ROOT,
                "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>%n",
                x.at(point.x),
                y.at(point.y),
                colour));
      }
      svg.append(
          String.format(
              Locale.ROOT,
              "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>%n",
              path.toString().strip(),
              colour));
      double row = TOP + 10 + 18 * number++;
      svg.append(
          String.format(
              Locale.ROOT,
              "<circle cx=\"%d\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>%n",
              WIDTH - RIGHT + 16,
              row,
              colour));
      text(svg, WIDTH - RIGHT + 26, row + 4, "start", one.getKey());
    }
    return svg.append("</svg>\n").toString();
  }

  private Axis axis(ToDoubleFunction<Point> of, int from, int to, boolean decades) {
    double[] values =
        lines.values().stream().flatMap(List::stream).mapToDouble(of).sorted().toArray();
    return Axis.of(values[0], values[values.length - 1], from, to, decades);
  }

  private static void line(StringBuilder svg, double x1, double y1, double x2, double y2) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"#dddddd\"/>%n",
            x1,
            y1,
            x2,
            y2));
  }

  private static void text(StringBuilder svg, double x, double y, String anchor, String words) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>%n",
            x,
            y,
            anchor,
            words.replace("&", "&amp;").replace("<", "&lt;")));
  }
}
