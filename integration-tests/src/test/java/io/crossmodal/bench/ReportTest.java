/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/** What benchmarks write: ratios to another run, and charts. */
class ReportTest {
  @TempDir Path folder;

  private static Report report(double first, double second) {
    Report report = new Report("search");
    report.table("kNN", "documents | index | recall | p50 ms");
    report.row(10_000, "ours", "0.9917", first);
    report.row(100_000, "ours", "0.9953", second);
    return report;
  }

  @Test
  void ratiosAreOfTheRowsOfTheSameNames() throws Exception {
    Path before = folder.resolve("before.json");
    Files.writeString(before, report(10, 200).json());
    Report now = report(5, 300);
    now.row(1_000_000, "ours", "0.9900", 7.0);
    now.table("whole", "documents | p95 ms");
    now.row(10_000, 3.0);
    assertEquals(
        """

        kNN: over %1$s

        | documents | index | recall | p50 ms |
        |---|---|---|---|
        | 10000 | ours | 1.00 | 0.50 |
        | 100000 | ours | 1.00 | 1.50 |
        | 1000000 | ours |  |  |

        whole: over %1$s

        | documents | p95 ms |
        |---|---|
        | 10000 |  |
        """
            .replace("%1$s", before.toString()),
        now.ratios(before));
  }

  @Test
  void anotherBenchmarkIsRefused() throws Exception {
    Path before = folder.resolve("fuse.json");
    Files.writeString(before, new Report("fuse").json());
    String message =
        assertThrows(IllegalArgumentException.class, () -> report(1, 1).ratios(before))
            .getMessage();
    assertTrue(message.contains("is of the benchmark [fuse], this is [search]"), message);
  }

  private static Element svg(Chart chart) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(chart.svg().getBytes(StandardCharsets.UTF_8)))
        .getDocumentElement();
  }

  /** Whole decades are equally far from each other, and larger values stand higher. */
  @Test
  void aChartIsWellFormedAndItsDecadesAreEven() throws Exception {
    Chart chart = new Chart("a < b & c", "documents", "ms").acrossDecades().upDecades();
    chart.point("ours", 10_000, 1);
    chart.point("ours", 1_000_000, 100);
    chart.point("ours", 100_000, 10);
    chart.point("theirs", 10_000, 2);
    NodeList lines = svg(chart).getElementsByTagName("polyline");
    assertEquals(2, lines.getLength());
    String[] points = ((Element) lines.item(0)).getAttribute("points").split(" ");
    assertEquals(3, points.length);
    double[] x = new double[3];
    double[] y = new double[3];
    for (int i = 0; i < 3; i++) {
      x[i] = Double.parseDouble(points[i].split(",", -1)[0]);
      y[i] = Double.parseDouble(points[i].split(",", -1)[1]);
    }
    assertEquals(x[1] - x[0], x[2] - x[1], 0.11);
    assertEquals(y[1] - y[0], y[2] - y[1], 0.11);
    assertTrue(x[1] > x[0] && y[1] < y[0], String.join(" ", points));
    assertTrue(chart.svg().contains(">100,000<"), chart.svg());
    assertThrows(IllegalArgumentException.class, () -> chart.point("ours", 0, 1));
  }
}
