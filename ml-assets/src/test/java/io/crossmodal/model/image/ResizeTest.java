/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.Seeds;
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

  /** Bilinear interpolation as a triangle of half width 1 over every pixel, edges repeated. */
  @Test
  void samplesEqualTheInterpolationWrittenDirectly() {
    for (int run = 0; run < 40; run++) {
      RgbImage image = random(random.nextInt(1, 40), random.nextInt(1, 40));
      int side = random.nextInt(1, 30);
      double extent = random.nextDouble(0.5, 50);
      double left = random.nextDouble(-5, 20);
      double top = random.nextDouble(-5, 20);
      RgbImage sampled = image.sample(left, top, extent, side);
      for (int i = 0; i < sampled.rgb().length; i++) {
        int pixel = i / 3;
        int across = pixel % side;
        int down = pixel / side;
        double u = left + (across + 0.5) * extent / side - 0.5;
        double v = top + (down + 0.5) * extent / side - 0.5;
        double expected = 0;
        for (int y = -60; y < 120; y++) {
          double wy = triangle(v - y, 1);
          for (int x = -60; wy > 0 && x < 120; x++) {
            int row = Math.max(0, Math.min(image.height() - 1, y));
            int column = Math.max(0, Math.min(image.width() - 1, x));
            int value = image.rgb()[3 * (row * image.width() + column) + i % 3] & 0xff;
            expected += wy * triangle(u - x, 1) * value;
          }
        }
        assertEquals(expected, sampled.rgb()[i] & 0xff, 0.501, "value " + i);
      }
    }
  }

  @Test
  void samplesKeepTheTextureThatAMeanLoses() {
    byte[] rgb = new byte[3 * 120 * 120];
    for (int i = 0; i < 120 * 120; i++) {
      Arrays.fill(rgb, 3 * i, 3 * i + 3, (byte) ((i % 120 + i / 120) % 2 == 0 ? 0 : 255));
    }
    RgbImage board = new RgbImage(120, 120, rgb);
    assertTrue(deviation(board.sample(64)) > 3 * deviation(board.resize(64)));
    assertSame(board, board.sample(120));
  }

  private static double deviation(RgbImage image) {
    double sum = 0;
    double squares = 0;
    for (byte value : image.rgb()) {
      sum += value & 0xff;
      squares += (value & 0xff) * (value & 0xff);
    }
    double mean = sum / image.rgb().length;
    return Math.sqrt(squares / image.rgb().length - mean * mean);
  }

  @Test
  void aSensorMaySampleWhatItServes() {
    SensorConfig sensor = SensorConfig.rgb(16).withSampledFrom(20);
    RgbImage picture = random(50, 30);
    RgbImage expected = picture.resize(20).sample(0, 0, 20, 16);
    assertArrayEquals(expected.rgb(), new ImagePreprocessor(sensor).sized(picture).rgb());
    assertArrayEquals(
        picture.resize(16).rgb(), new ImagePreprocessor(SensorConfig.rgb(16)).sized(picture).rgb());
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
