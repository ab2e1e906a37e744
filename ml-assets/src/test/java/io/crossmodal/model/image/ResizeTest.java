/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import io.crossmodal.model.Seeds;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ResizeTest {
  private static final long SEED = Seeds.next();

  private final SplittableRandom random = new SplittableRandom(SEED);

  private RgbImage random(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) random.nextInt(256);
    }
    return new RgbImage(width, height, rgb);
  }

  /** Height of a triangle of the given half width at a distance from its middle. */
  private static double triangle(double distance, double half) {
    return Math.max(0, 1 - Math.abs(distance) / half);
  }

  /** The two-dimensional weighted mean over every source pixel, not separated. */
  private static double direct(RgbImage image, int side, int x, int y, int c) {
    double stepX = (double) image.width() / side;
    double stepY = (double) image.height() / side;
    double sum = 0;
    double weights = 0;
    for (int v = 0; v < image.height(); v++) {
      double wy = triangle(v + 0.5 - (y + 0.5) * stepY, Math.max(1, stepY));
      for (int u = 0; u < image.width(); u++) {
        double w = wy * triangle(u + 0.5 - (x + 0.5) * stepX, Math.max(1, stepX));
        sum += w * (image.rgb()[3 * (v * image.width() + u) + c] & 0xff);
        weights += w;
      }
    }
    return sum / weights;
  }

  @Test
  void equalsTheTriangleFilterWrittenDirectly() {
    for (int run = 0; run < 40; run++) {
      RgbImage image = random(random.nextInt(1, 40), random.nextInt(1, 40));
      int side = random.nextInt(1, 30);
      RgbImage resized = image.resize(side);
      assertEquals(side, resized.width());
      assertEquals(side, resized.height());
      for (int i = 0; i < resized.rgb().length; i++) {
        int pixel = i / 3;
        double expected = direct(image, side, pixel % side, pixel / side, i % 3);
        assertEquals(
            expected,
            resized.rgb()[i] & 0xff,
            0.501,
            image.width() + " x " + image.height() + " to " + side + ", value " + i);
      }
    }
  }

  @Test
  void constantsStayConstant() {
    for (int run = 0; run < 20; run++) {
      int width = random.nextInt(1, 400);
      int height = random.nextInt(1, 400);
      byte value = (byte) random.nextInt(256);
      byte[] rgb = new byte[3 * width * height];
      Arrays.fill(rgb, value);
      byte[] expected = new byte[3 * 50 * 50];
      Arrays.fill(expected, value);
      assertArrayEquals(expected, new RgbImage(width, height, rgb).resize(50).rgb());
    }
  }

  @Test
  void theSameSizeIsLeftAlone() {
    RgbImage image = random(7, 7);
    assertSame(image, image.resize(7));
  }

  @Test
  void everyTargetPixelReadsItsWeightsFromWithinTheSource() {
    for (int from = 1; from < 60; from++) {
      for (int to = 1; to < 60; to++) {
        float[][] weights = TriangleFilter.weights(from, to);
        for (int i = 0; i < to; i++) {
          int first = TriangleFilter.first(from, to, i);
          assertEquals(true, first >= 0 && first + weights[i].length <= from);
          double sum = 0;
          for (float w : weights[i]) {
            sum += w;
          }
          assertEquals(1, sum, 1e-6);
        }
      }
    }
  }
}
