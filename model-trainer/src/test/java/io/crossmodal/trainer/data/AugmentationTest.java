/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.RgbImage;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class AugmentationTest {
  private static final int KEPT = 40;
  private static final int SHOWN = 32;

  /** A picture that is brighter to the right, and half as much further down. */
  private static RgbImage slope() {
    byte[] rgb = new byte[3 * KEPT * KEPT];
    for (int i = 0; i < rgb.length; i++) {
      int pixel = i / 3;
      rgb[i] = (byte) (60 + 2 * (pixel % KEPT) + pixel / KEPT);
    }
    return new RgbImage(KEPT, KEPT, rgb);
  }

  private static boolean sampled(int run) {
    return run % 2 == 0;
  }

  private static int grey(RgbImage image, int x, int y) {
    return image.rgb()[3 * (y * image.width() + x)] & 0xff;
  }

  @ParameterizedTest
  @EnumSource
  void showsTheSideThatIsAskedForAndRepeatsItself(Augmentation augmentation) {
    RgbImage image = slope();
    byte[] before = image.rgb().clone();
    for (int side : new int[] {16, SHOWN, KEPT}) {
      boolean sampled = sampled(side / 8);
      RgbImage shown = augmentation.apply(image, side, sampled, new SplittableRandom(side));
      assertEquals(side, shown.width());
      assertEquals(side, shown.height());
      assertArrayEquals(
          shown.rgb(), augmentation.apply(image, side, sampled, new SplittableRandom(side)).rgb());
    }
    assertArrayEquals(before, image.rgb(), "the kept image stays");
  }

  @Test
  void keepsMoreThanItShowsOnlyWhereItCrops() {
    assertEquals(KEPT, Augmentation.AERIAL.sourceSide(SHOWN));
    assertEquals(SHOWN, Augmentation.JITTER.sourceSide(SHOWN));
    RgbImage image = slope();
    assertSame(image, Augmentation.NONE.apply(image, KEPT, false, new SplittableRandom(1)));
  }

  @Test
  void aerialTurnsEveryWayAndCropsAtLeastSixtyPercent() {
    SplittableRandom random = new SplittableRandom(5);
    Set<String> turns = new HashSet<>();
    double least = Double.POSITIVE_INFINITY;
    double most = 0;
    for (int i = 0; i < 400; i++) {
      RgbImage shown = Augmentation.AERIAL.apply(slope(), SHOWN, sampled(i), random);
      double right = grey(shown, SHOWN - 1, SHOWN / 2) - grey(shown, 0, SHOWN / 2);
      double down = grey(shown, SHOWN / 2, SHOWN - 1) - grey(shown, SHOWN / 2, 0);
      turns.add((right > 0) + " " + (down > 0) + " " + (Math.abs(right) > Math.abs(down)));
      // The whole picture rises by 2 a pixel along its steeper axis.
      double rise = Math.max(Math.abs(right), Math.abs(down)) / (2.0 * KEPT);
      least = Math.min(least, rise);
      most = Math.max(most, rise);
    }
    assertEquals(8, turns.size(), turns.toString());
    // Contrast changes by up to a quarter and a colour by 6 % of that; a pixel is lost in rounding.
    assertTrue(least > Math.sqrt(0.6) * 0.75 * 0.94 - 0.05 && least < 0.7, "least " + least);
    assertTrue(most < 1.25 * 1.06 && most > 1, "most " + most);
  }

  @Test
  void aerialChangesLightAndColour() {
    byte[] grey = new byte[3 * KEPT * KEPT];
    java.util.Arrays.fill(grey, (byte) 160);
    RgbImage plain = new RgbImage(KEPT, KEPT, grey);
    Set<Integer> light = new HashSet<>();
    Set<Integer> tints = new HashSet<>();
    SplittableRandom random = new SplittableRandom(6);
    for (int i = 0; i < 100; i++) {
      byte[] rgb = Augmentation.AERIAL.apply(plain, SHOWN, sampled(i), random).rgb();
      for (int p = 3; p < rgb.length; p++) {
        assertEquals(rgb[p % 3], rgb[p], "one colour stays one colour");
      }
      light.add(rgb[0] & 0xff);
      // 15 grey levels of light, a contrast of 1.25 x 1.06 around 128.
      assertTrue(Math.abs((rgb[0] & 0xff) - 160) <= 16 + 11, "light " + (rgb[0] & 0xff));
      tints.add((rgb[0] & 0xff) - (rgb[2] & 0xff));
    }
    assertTrue(light.size() > 20, light.toString());
    assertTrue(tints.size() > 3, tints.toString());
  }
}
