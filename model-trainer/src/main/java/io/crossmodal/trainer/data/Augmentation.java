/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.RgbImage;
import java.util.SplittableRandom;

/** What happens to a training image. Which one is right depends on what the captions say. */
public enum Augmentation {
  /** Nothing. */
  NONE(0, 0, false),
  /** Small shifts, brightness and contrast: safe where captions name places and colours. */
  JITTER(0.04, 0.12, false),
  /**
   * Stronger, with flips and quarter turns: for aerial photographs whose captions name neither left
   * nor right.
   */
  AERIAL(0.1, 0.25, true),
  /** The paper's RandAugment(2, 7), section 4.2: two of the nine changes, at magnitude 7. */
  RANDAUGMENT(0, 0, false);

  private static final int RANDAUGMENT_CHANGES = 2;
  private static final double RANDAUGMENT_MAGNITUDE = 7;

  private final double shift;
  private final double light;
  private final boolean turns;

  Augmentation(double shift, double light, boolean turns) {
    this.shift = shift;
    this.light = light;
    this.turns = turns;
  }

  /** A changed copy of a square image; edges are repeated where a shift uncovers them. */
  public RgbImage apply(RgbImage image, SplittableRandom random) {
    if (this == NONE) {
      return image;
    }
    if (this == RANDAUGMENT) {
      return randAugment(image, random);
    }
    int side = image.width();
    int reach = (int) Math.round(shift * side);
    int dx = random.nextInt(-reach, reach + 1);
    int dy = random.nextInt(-reach, reach + 1);
    int turn = turns ? random.nextInt(8) : 0;
    double contrast = 1 + random.nextDouble(-light, light);
    double brightness = 255 * random.nextDouble(-light, light) / 2;
    byte[] in = image.rgb();
    byte[] out = new byte[in.length];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int u = (turn & 1) == 0 ? x : side - 1 - x;
        int v = (turn & 2) == 0 ? y : side - 1 - y;
        int sx = clamp(((turn & 4) == 0 ? u : v) + dx, side - 1);
        int sy = clamp(((turn & 4) == 0 ? v : u) + dy, side - 1);
        for (int c = 0; c < 3; c++) {
          double value = (in[3 * (sy * side + sx) + c] & 0xff) - 128.0;
          out[3 * (y * side + x) + c] =
              (byte) clamp((int) Math.round(value * contrast + 128 + brightness), 255);
        }
      }
    }
    return new RgbImage(side, side, out);
  }

  private static RgbImage randAugment(RgbImage image, SplittableRandom random) {
    ImageChange[] changes = ImageChange.values();
    RgbImage changed = image;
    for (int i = 0; i < RANDAUGMENT_CHANGES; i++) {
      changed =
          changes[random.nextInt(changes.length)].apply(changed, RANDAUGMENT_MAGNITUDE, random);
    }
    return changed;
  }

  private static int clamp(int value, int max) {
    return Math.max(0, Math.min(max, value));
  }
}
