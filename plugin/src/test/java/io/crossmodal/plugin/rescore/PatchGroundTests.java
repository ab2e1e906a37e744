/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import static org.hamcrest.Matchers.containsString;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.opensearch.geometry.Geometry;
import org.opensearch.geometry.LinearRing;
import org.opensearch.geometry.Point;
import org.opensearch.geometry.Polygon;
import org.opensearch.geometry.Rectangle;
import org.opensearch.test.OpenSearchTestCase;

/** Footprints divided into patches. */
public class PatchGroundTests extends OpenSearchTestCase {
  private static final double TOLERANCE = 2e-7;

  private static Polygon polygon(double[]... corners) {
    double[] x = new double[corners.length + 1];
    double[] y = new double[corners.length + 1];
    for (int i = 0; i <= corners.length; i++) {
      x[i] = corners[i % corners.length][0];
      y[i] = corners[i % corners.length][1];
    }
    return new Polygon(new LinearRing(x, y));
  }

  /** The corners of each patch, row by row: upper left, lower left, lower right, upper right. */
  @SuppressWarnings("unchecked")
  private static List<List<List<Double>>> rings(Geometry geometry, int grid) throws Exception {
    Map<String, Object> collection =
        PatchGround.of(geometry, "footprint")
            .features(grid, List.of(new float[grid * grid], new float[grid * grid]));
    assertEquals("FeatureCollection", collection.get("type"));
    List<List<List<Double>>> rings = new ArrayList<>();
    for (Map<String, Object> feature : (List<Map<String, Object>>) collection.get("features")) {
      assertEquals("Feature", feature.get("type"));
      Map<String, Object> properties = (Map<String, Object>) feature.get("properties");
      assertEquals(rings.size(), properties.get("patch"));
      assertEquals(2, ((List<?>) properties.get("weights")).size());
      Map<String, Object> shape = (Map<String, Object>) feature.get("geometry");
      assertEquals("Polygon", shape.get("type"));
      List<List<Double>> ring = ((List<List<List<Double>>>) shape.get("coordinates")).get(0);
      assertEquals(5, ring.size());
      assertEquals("closed", ring.get(0), ring.get(4));
      rings.add(ring);
    }
    assertEquals((long) grid * grid, rings.size());
    return rings;
  }

  public void testARectangleFromAnyCornerInAnyDirection() throws Exception {
    double west = randomDoubleBetween(-170, 169, true);
    double south = randomDoubleBetween(-80, 79, true);
    double[][] corners = {
      {west, south + 1}, {west, south}, {west + 2, south}, {west + 2, south + 1}
    };
    List<double[]> turned = new ArrayList<>(Arrays.asList(corners));
    Collections.rotate(turned, randomInt(3));
    if (randomBoolean()) {
      Collections.reverse(turned);
    }
    int grid = randomIntBetween(1, 7);
    for (Geometry geometry :
        List.of(
            polygon(turned.toArray(new double[0][])),
            new Rectangle(west, west + 2, south + 1, south))) {
      List<List<List<Double>>> rings = rings(geometry, grid);
      for (int patch = 0; patch < rings.size(); patch++) {
        double left = west + 2.0 * (patch % grid) / grid;
        int row = patch / grid;
        double top = south + 1 - (double) row / grid;
        double[][] expected = {
          {left, top},
          {left, top - 1.0 / grid},
          {left + 2.0 / grid, top - 1.0 / grid},
          {left + 2.0 / grid, top}
        };
        for (int i = 0; i < 4; i++) {
          assertEquals(expected[i][0], rings.get(patch).get(i).get(0), TOLERANCE);
          assertEquals(expected[i][1], rings.get(patch).get(i).get(1), TOLERANCE);
        }
      }
    }
  }

  public void testAQuadrilateralThatLeansIsTiledWithoutGaps() throws Exception {
    int grid = 4;
    double[][] corners = {{10, 50}, {10.1, 49}, {11.5, 49.1}, {11.3, 50.2}};
    List<List<List<Double>>> rings = rings(polygon(corners), grid);
    int[] outer = {0, grid * (grid - 1), grid * grid - 1, grid - 1};
    for (int i = 0; i < 4; i++) {
      assertEquals(corners[i][0], rings.get(outer[i]).get(i).get(0), TOLERANCE);
      assertEquals(corners[i][1], rings.get(outer[i]).get(i).get(1), TOLERANCE);
    }
    for (int patch = 0; patch < rings.size(); patch++) {
      if (patch % grid < grid - 1) {
        assertEquals(rings.get(patch).get(3), rings.get(patch + 1).get(0));
        assertEquals(rings.get(patch).get(2), rings.get(patch + 1).get(1));
      }
      if (patch + grid < rings.size()) {
        assertEquals(rings.get(patch).get(1), rings.get(patch + grid).get(0));
      }
    }
  }

  public void testFootprintsThatDoNotSayWherePatchesLie() {
    refused(new Point(1, 2), "is no quadrilateral, so that the picture's corners are not known");
    refused(polygon(new double[][] {{0, 0}, {1, 0}, {0, 1}}), "a polygon of 3 corners");
    refused(polygon(new double[][] {{0, 0}, {1, 0}, {2, 1}, {1, 2}, {0, 1}}), "of 5 corners");
    refused(
        polygon(new double[][] {{179, 1}, {179, 0}, {-179, 0}, {-179, 1}}),
        "lies over the date line");
    refused(new Rectangle(179, -179, 1, 0), "lies over the date line");
    // Longitudes that go on instead.
    refused(
        polygon(new double[][] {{179, 1}, {179, 0}, {181, 0}, {181, 1}}),
        "lies over the date line");
    refused(
        polygon(new double[][] {{-181, 1}, {-181, 0}, {-179, 0}, {-179, 1}}),
        "lies over the date line");
    refused(polygon(new double[][] {{0, 0}, {1, 1}, {2, 2}, {1, 1}}), "has no area");
  }

  private static void refused(Geometry geometry, String message) {
    assertThat(
        expectThrows(
                PatchGround.UnknownException.class, () -> PatchGround.of(geometry, "footprint"))
            .getMessage(),
        containsString(message));
  }
}
