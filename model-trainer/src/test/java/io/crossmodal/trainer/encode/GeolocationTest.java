/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.trainer.data.Georeference;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GeolocationTest {
  private static Geolocation ground(int epsg, int width, int height, List<Double> affine) {
    return new Geolocation(new Georeference(epsg, width, height, affine), new CoordinateSystems());
  }

  /**
   * Forward UTM, north of the equator, by the series of Krüger as Karney 2011 gives it (equations 7
   * to 11 and 35, to the third order: millimetres within a zone).
   */
  private static double[] utm(Geolocation.Position position, double meridian) {
    double n = 1 / (2 * 298.257223563 - 1);
    double radius = 6378137 / (1 + n) * (1 + n * n / 4 + n * n * n * n / 64);
    double[] alpha = {
      n / 2 - 2 * n * n / 3 + 5 * n * n * n / 16,
      13 * n * n / 48 - 3 * n * n * n / 5,
      61 * n * n * n / 240
    };
    double e = 2 * Math.sqrt(n) / (1 + n);
    double phi = Math.toRadians(position.latitude());
    double lambda = Math.toRadians(position.longitude() - meridian);
    double t = Math.sinh(atanh(Math.sin(phi)) - e * atanh(e * Math.sin(phi)));
    double xi = Math.atan2(t, Math.cos(lambda));
    double eta = atanh(Math.sin(lambda) / Math.hypot(1, t));
    double x = eta;
    double y = xi;
    for (int j = 1; j <= 3; j++) {
      x += alpha[j - 1] * Math.cos(2 * j * xi) * Math.sinh(2 * j * eta);
      y += alpha[j - 1] * Math.sin(2 * j * xi) * Math.cosh(2 * j * eta);
    }
    return new double[] {500000 + 0.9996 * radius * x, 0.9996 * radius * y};
  }

  private static double atanh(double x) {
    return 0.5 * Math.log((1 + x) / (1 - x));
  }

  @Test
  void placesLieOnEarth() {
    Geolocation east = ground(4326, 2, 2, List.of(189.0, 1.0, 0.0, 11.0, 0.0, -1.0));
    assertEquals(new Geolocation.Position(10, -170), east.centre());
    // Rows and columns mixed up, a pole overshot, metres that no zone has.
    for (List<Double> odd :
        List.of(
            List.of(500.0, 1.0, 0.0, 11.0, 0.0, -1.0), List.of(9.0, 1.0, 0.0, 96.0, 0.0, -1.0))) {
      assertThrows(ImageFormatException.class, ground(4326, 2, 2, odd)::centre);
    }
    // Metres that no zone has: the library throws, or wraps them round the Earth.
    for (int epsg : new int[] {32634, 3857, 27700}) {
      for (double far : new double[] {1e8, 1e12, 1e200, 1e305}) {
        List<Double> affine = List.of(far, 1.0, 0.0, far, 0.0, -1.0);
        try {
          Geolocation.Position centre = ground(epsg, 2, 2, affine).centre();
          assertTrue(Math.abs(centre.latitude()) <= 90, centre.toString());
          assertTrue(Math.abs(centre.longitude()) <= 180, centre.toString());
        } catch (ImageFormatException e) {
          assertTrue(e.getMessage().contains("EPSG:" + epsg), e.getMessage());
        } catch (IllegalArgumentException e) {
          // The corners of the map fall together beyond the precision of a double.
          assertTrue(e.getMessage().contains("span"), e.getMessage());
        }
      }
    }
  }

  @Test
  void placesInDegrees() {
    Geolocation zone33 =
        ground(32633, 120, 120, List.of(404400.0, 10.0, 0.0, 5342400.0, 0.0, -10.0));
    // On the central meridian of its zone and on the equator the answer is known by definition.
    Geolocation.Position origin =
        ground(32634, 2, 2, List.of(499990.0, 10.0, 0.0, 10.0, 0.0, -10.0)).centre();
    assertEquals(0, origin.latitude(), 1e-9);
    assertEquals(21, origin.longitude(), 1e-9);
    Geolocation.Position south =
        ground(32734, 2, 2, List.of(499990.0, 10.0, 0.0, 10000010.0, 0.0, -10.0)).centre();
    assertEquals(0, south.latitude(), 1e-9);
    Geolocation.Position centre = zone33.centre();
    // Against a Transverse Mercator series that is computed here, forward, at that centre.
    double[] metres = utm(centre, 15);
    assertEquals(405000, metres[0], 0.01);
    assertEquals(5341800, metres[1], 0.01);
    List<Geolocation.Position> ring = zone33.footprint().get(0);
    assertEquals(4, ring.size());
    assertTrue(ring.get(0).latitude() > ring.get(1).latitude());
    assertTrue(ring.get(3).longitude() > ring.get(0).longitude());
    Geolocation.Position web =
        ground(3857, 2, 2, List.of(2226388.9815867, 1.0, 0.0, 1.0, 0.0, -1.0)).centre();
    assertEquals(20.0, web.longitude(), 1e-4);
    assertEquals(0.0, web.latitude(), 1e-4);
    Geolocation degrees = ground(4326, 512, 512, List.of(-0.78, 1e-4, 0.0, 38.1, 0.0, -1e-4));
    assertEquals(38.1 - 256e-4, degrees.centre().latitude(), 1e-9);
    assertEquals(-0.78 + 256e-4, degrees.centre().longitude(), 1e-9);
    String unknown =
        assertThrows(
                ImageFormatException.class,
                () ->
                    ground(29999, 1, 1, List.of(600000.0, 10.0, 0.0, 4900000.0, 0.0, -10.0))
                        .centre())
            .getMessage();
    assertTrue(unknown.contains("29999") && unknown.contains("warp"), unknown);
  }

  /** Within 20 m of what GDAL 3.6 with PROJ 9.1 says, by gdaltransform -t_srs OGC:CRS84. */
  private static void assertPlace(int epsg, double x, double y, double east, double north) {
    Geolocation.Position found =
        ground(epsg, 2, 2, List.of(x - 1e-3, 1e-3, 0.0, y + 1e-3, 0.0, -1e-3)).centre();
    double metre = 1 / 111_320.0;
    // Old datums are shifted by a grid there, and by seven parameters here.
    double tolerance = 20 * metre;
    assertEquals(north, found.latitude(), tolerance, "EPSG:" + epsg);
    assertEquals(
        east, found.longitude(), tolerance / Math.cos(Math.toRadians(north)), "EPSG:" + epsg);
  }

  /** Zones of UTM on other datums, national grids, feet, polar systems, degrees. */
  @ParameterizedTest
  @CsvSource({
    "26917, 512345, 4187654, -80.8597035, 37.8362307",
    "4269, -80.5, 37.5, -80.5000000, 37.5000000",
    "25832, 691608, 5334760, 11.5755577, 48.1372185",
    "3035, 4600000, 2900000, 13.8252761, 49.1478285",
    "2154, 652000, 6862000, 2.3458120, 48.8562481",
    "27700, 530000, 180000, -0.1283539, 51.5039908",
    "31467, 3500000, 5500000, 8.9989590, 49.6367083",
    "28992, 155000, 463000, 5.3872035, 52.1551723",
    "2056, 2600000, 1200000, 7.4386324, 46.9510828",
    "2193, 1750000, 5430000, 174.7907800, -41.2675073",
    "28355, 320000, 5810000, 144.9543776, -37.8396882",
    "5070, 1000000, 1500000, -84.7778189, 36.0192015",
    "2263, 987000, 211000, -73.9900754, 40.7458224",
    "3413, 500000, -800000, -12.9946168, 81.3072648",
    "3031, 1000000, 500000, 63.4349488, -79.7364209",
    "32661, 2100000, 1900000, 45.0000000, 88.7262574",
    "3067, 385000, 6672000, 24.9274577, 60.1686660",
    "3395, 1000000, 5000000, 8.9831528, 41.1067450",
    "3857, 1000000, 6000000, 8.9831528, 47.3537047",
    "2180, 637000, 487000, 21.0067041, 52.2319774",
    "3006, 674000, 6580000, 18.0579653, 59.3228732",
    "31983, 500000, 7500000, -45.0000000, -22.6068568",
    "32760, 300000, 8000000, 175.1101893, -18.0794547",
    "3978, 500000, 500000, -87.3809626, 53.2568846",
    "3577, 1500000, -3900000, 148.4962611, -34.8283783",
    "2443, -50000, 100000, 128.9593637, 33.9005153",
    "5179, 950000, 1950000, 126.9339656, 37.5479810",
    "22185, 5600000, 6100000, -58.9013495, -35.2417423",
    "3763, -87000, -102000, -9.1338309, 38.7452169",
    "4258, 11.5, 48.1, 11.5000000, 48.1000000",
    "4283, 149, -35, 149.0000000, -35.0000000",
    "23032, 500000, 5000000, 8.9989488, 45.1516991"
  })
  void systemsOfTheTable(int epsg, double x, double y, double east, double north) {
    assertPlace(epsg, x, y, east, north);
  }

  /** Younger than the table, and known to GDAL. */
  @ParameterizedTest
  @CsvSource({
    "7855, 320000, 5810000, 144.9543776, -37.8396882",
    "6339, 512345, 4187654, -122.8597035, 37.8362307",
    "9674, 300000, 500000, -123.4199883, 38.4959174",
    "6933, 1000000, 5000000, 10.3641678, 43.0491935"
  })
  void systemsOfGdal(int epsg, double x, double y, double east, double north) throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdalsrsinfo is not installed");
    assertPlace(epsg, x, y, east, north);
  }

  @Test
  void pixelsHaveMetres() {
    Geolocation feet = ground(2263, 100, 100, List.of(987000.0, 2.0, 0.0, 211000.0, 0.0, -2.0));
    assertEquals(2 * 0.3048006096, feet.pixel().x(), 1e-9);
    // Turned by 30 degrees, and still 10 m a side.
    double c = 10 * Math.cos(Math.toRadians(30));
    double d = 10 * Math.sin(Math.toRadians(30));
    Geolocation turned = ground(32633, 100, 100, List.of(500000.0, c, d, 5e6, d, -c));
    assertEquals(10, turned.pixel().x(), 1e-9);
    assertEquals(10, turned.pixel().y(), 1e-9);
    List<Geolocation.Position> ring = turned.footprint().get(0);
    // The left edge goes to the right as it goes down.
    assertTrue(ring.get(1).longitude() > ring.get(0).longitude(), ring.toString());
    Geolocation degrees = ground(4258, 100, 100, List.of(10.0, 1e-4, 0.0, 60.0, 0.0, -1e-4));
    assertEquals(11.1, degrees.pixel().y(), 0.1);
    assertEquals(5.6, degrees.pixel().x(), 0.1);
  }

  private static double area(List<Geolocation.Position> ring) {
    double area = 0;
    for (int i = 0; i < ring.size(); i++) {
      Geolocation.Position a = ring.get(i);
      Geolocation.Position b = ring.get((i + 1) % ring.size());
      area += (a.longitude() * b.latitude() - b.longitude() * a.latitude()) / 2;
    }
    return area;
  }

  private static void assertOnEarth(List<List<Geolocation.Position>> polygons) {
    for (List<Geolocation.Position> ring : polygons) {
      assertTrue(area(ring) > 0, "counter-clockwise: " + ring);
      for (Geolocation.Position at : ring) {
        assertTrue(Math.abs(at.longitude()) <= 180 && Math.abs(at.latitude()) <= 90, at.toString());
      }
    }
  }

  /** RFC 7946: cut at the antimeridian, a polygon on either side; together they are the whole. */
  @Test
  void footprintsAreCutAtTheAntimeridian() {
    for (double west : new double[] {179.7, -180.3, 359.7 - 180}) {
      List<List<Geolocation.Position>> halves =
          ground(4326, 100, 50, List.of(west, 0.01, 0.0, 10.0, 0.0, -0.01)).footprint();
      assertEquals(2, halves.size(), halves.toString());
      assertOnEarth(halves);
      assertEquals(0.5, area(halves.get(0)) + area(halves.get(1)), 1e-6);
      assertEquals(180, halves.get(0).stream().mapToDouble(p -> p.longitude()).max().orElse(0));
      assertEquals(-180, halves.get(1).stream().mapToDouble(p -> p.longitude()).min().orElse(0));
    }
    // Fiji, in zone 60: the zone ends at 180 degrees.
    List<List<Geolocation.Position>> fiji =
        ground(32760, 1000, 1000, List.of(815000.0, 10.0, 0.0, 8.1e6, 0.0, -10.0)).footprint();
    assertEquals(2, fiji.size(), fiji.toString());
    assertOnEarth(fiji);
    List<List<Geolocation.Position>> world =
        ground(4326, 360, 180, List.of(-180.0, 1.0, 0.0, 90.0, 0.0, -1.0)).footprint();
    assertEquals(1, world.size());
    assertEquals(360 * 180, area(world.get(0)), 1e-6);
  }

  /** A scene with the pole in it reaches from one side of the map to the other, up to the pole. */
  @Test
  void footprintsReachThePole() {
    for (int epsg : new int[] {3413, 3031}) {
      List<List<Geolocation.Position>> polygons =
          ground(epsg, 100, 100, List.of(-300e3, 5000.0, 0.0, 200e3, 0.0, -5000.0)).footprint();
      assertEquals(1, polygons.size());
      assertOnEarth(polygons);
      double pole = epsg == 3413 ? 90 : -90;
      List<Geolocation.Position> ring = polygons.get(0);
      assertTrue(ring.contains(new Geolocation.Position(pole, 180)), ring.toString());
      assertTrue(ring.contains(new Geolocation.Position(pole, -180)), ring.toString());
      // The nearest edge lies 200 km from the pole, 1.8 degrees; the farthest corner 424 km.
      double inner = 360 * 1.7;
      double outer = 360 * 4.2;
      assertTrue(area(ring) > inner && area(ring) < outer, "area " + area(ring));
    }
    // Beside the pole, over the antimeridian.
    List<List<Geolocation.Position>> beside =
        ground(32661, 100, 100, List.of(1.95e6, 1000.0, 0.0, 2.8e6, 0.0, -1000.0)).footprint();
    assertEquals(2, beside.size(), beside.toString());
    assertOnEarth(beside);
  }
}
