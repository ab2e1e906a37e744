/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.RgbImage;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ImageChangeTest {
  private static final int SIDE = 33;

  /** Directions are drawn from it; the expectations hold for either. */
  private static SplittableRandom random() {
    return new SplittableRandom(7);
  }

  /** A picture whose grey value at (x, y) is 3 x + 2 y + 40. */
  private static RgbImage slope() {
    byte[] rgb = new byte[3 * SIDE * SIDE];
    for (int i = 0; i < rgb.length; i++) {
      int pixel = i / 3;
      rgb[i] = (byte) (3 * (pixel % SIDE) + 2 * (pixel / SIDE) + 40);
    }
    return new RgbImage(SIDE, SIDE, rgb);
  }

  private static int grey(RgbImage image, int x, int y) {
    return image.rgb()[3 * (y * SIDE + x)] & 0xff;
  }

  private static RgbImage apply(ImageChange change, double magnitude) {
    return change.apply(slope(), magnitude, random());
  }

  @ParameterizedTest
  @EnumSource(ImageChange.class)
  void changesACopyInItsSize(ImageChange change) {
    byte[] noise = new byte[3 * SIDE * SIDE];
    random().nextBytes(noise);
    RgbImage original = new RgbImage(SIDE, SIDE, noise);
    byte[] before = original.rgb().clone();
    RgbImage changed = change.apply(original, 7, random());
    assertArrayEquals(before, original.rgb());
    assertEquals(SIDE, changed.width());
    assertEquals(SIDE, changed.height());
    // Full-range noise has no contrast to gain.
    boolean same = change == ImageChange.IDENTITY || change == ImageChange.AUTO_CONTRAST;
    assertEquals(same, Arrays.equals(before, changed.rgb()));
  }

  @Test
  void brightnessAndSharpnessAreTheUsualFactors() {
    RgbImage brighter = apply(ImageChange.BRIGHTNESS, 7); // 0.1 + 0.7 * 1.8
    assertEquals(Math.round(1.36 * grey(slope(), 5, 9)), grey(brighter, 5, 9));
    // On a plane the smoothed picture is the picture.
    RgbImage plane = apply(ImageChange.SHARPNESS, 7);
    assertEquals(grey(slope(), 5, 9), grey(plane, 5, 9));
    byte[] dot = new byte[3 * SIDE * SIDE];
    int centre = 3 * (16 * SIDE + 16);
    dot[centre] = 100;
    RgbImage sharper = ImageChange.SHARPNESS.apply(new RgbImage(SIDE, SIDE, dot), 7, random());
    double smooth = 500 / 13.0;
    assertEquals(Math.round(smooth + 1.36 * (100 - smooth)), sharper.rgb()[centre] & 0xff);
  }

  @Test
  void contrastAndHistogramFillTheRange() {
    RgbImage stretched = apply(ImageChange.AUTO_CONTRAST, 7);
    assertEquals(0, grey(stretched, 0, 0));
    assertEquals(255, grey(stretched, SIDE - 1, SIDE - 1));
    RgbImage equal = apply(ImageChange.EQUALIZE, 7);
    int below = 0;
    for (int i = 0; i < equal.rgb().length; i += 3) {
      below += (equal.rgb()[i] & 0xff) < 128 ? 1 : 0;
    }
    assertEquals(0.5, below / (double) (SIDE * SIDE), 0.03);
    byte[] flat = new byte[3 * SIDE * SIDE];
    Arrays.fill(flat, (byte) 77);
    RgbImage grey = new RgbImage(SIDE, SIDE, flat);
    for (ImageChange change : Set.of(ImageChange.AUTO_CONTRAST, ImageChange.EQUALIZE)) {
      assertArrayEquals(flat, change.apply(grey, 7, random()).rgb(), change.name());
    }
  }

  @Test
  void geometryTurnsAboutTheCentreAndShiftsByItsMagnitude() {
    int middle = grey(slope(), 16, 16);
    assertEquals(middle, grey(apply(ImageChange.ROTATE, 7), 16, 16));
    assertEquals(middle, grey(apply(ImageChange.SHEAR_Y, 7), 16, 16));
    // A turn by 21 degrees: 5 pixels to the right of the centre.
    double angle = Math.toRadians(21);
    double rise = Math.abs(5 * 2 * Math.sin(angle));
    double found = grey(apply(ImageChange.ROTATE, 7), 21, 16) - (middle + 15 * Math.cos(angle));
    assertEquals(rise, Math.abs(found), 1);
    assertEquals(
        5 * 0.21 * 2, Math.abs(grey(apply(ImageChange.SHEAR_Y, 7), 21, 16) - middle - 15), 1);
    double shift = 0.7 * 10 / 224 * SIDE;
    assertEquals(
        3 * shift, Math.abs(grey(apply(ImageChange.TRANSLATE_X, 7), 16, 16) - middle), 0.51);
    assertEquals(
        2 * shift, Math.abs(grey(apply(ImageChange.TRANSLATE_Y, 7), 16, 16) - middle), 0.51);
    assertArrayEquals(slope().rgb(), apply(ImageChange.ROTATE, 0).rgb());
  }

  @Test
  void whatAShiftUncoversIsGrey() {
    Set<Integer> edges = new HashSet<>();
    byte[] white = new byte[3 * SIDE * SIDE];
    Arrays.fill(white, (byte) 255);
    for (int seed = 0; seed < 20; seed++) {
      RgbImage shifted =
          ImageChange.TRANSLATE_X.apply(
              new RgbImage(SIDE, SIDE, white), 10, new SplittableRandom(seed));
      edges.add(grey(shifted, 0, 16) - grey(shifted, SIDE - 1, 16));
    }
    assertEquals(Set.of(-127, 127), edges, "to both sides");
  }

  @Test
  void randAugmentMakesDifferentViews() {
    Set<Integer> views = new HashSet<>();
    SplittableRandom random = random();
    for (int i = 0; i < 60; i++) {
      views.add(
          Arrays.hashCode(Augmentation.RANDAUGMENT.apply(slope(), SIDE, false, random).rgb()));
    }
    assertTrue(views.size() > 25, views.size() + " views");
    RgbImage image = slope();
    byte[] once = Augmentation.RANDAUGMENT.apply(image, image.width(), false, random()).rgb();
    assertArrayEquals(
        once, Augmentation.RANDAUGMENT.apply(image, image.width(), false, random()).rgb());
  }
}
