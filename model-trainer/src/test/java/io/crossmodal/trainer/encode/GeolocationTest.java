/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.trainer.data.Georeference;
import java.util.List;
import org.junit.jupiter.api.Test;

class GeolocationTest {
  private static Geolocation ground(int epsg, int width, int height, List<Double> affine) {
    return new Geolocation(new Georeference(epsg, width, height, affine));
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
    for (int epsg : new int[] {32634, 3857}) {
      for (double far : new double[] {1e8, 1e12, 1e200}) {
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
    assertEquals(4, zone33.footprint().size());
    assertTrue(zone33.footprint().get(0).latitude() > zone33.footprint().get(1).latitude());
    assertTrue(zone33.footprint().get(3).longitude() > zone33.footprint().get(0).longitude());
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
                    ground(2056, 1, 1, List.of(600000.0, 10.0, 0.0, 4900000.0, 0.0, -10.0))
                        .centre())
            .getMessage();
    assertTrue(unknown.contains("2056") && unknown.contains("warp"), unknown);
  }
}
