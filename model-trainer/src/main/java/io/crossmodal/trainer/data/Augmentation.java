/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.RgbImage;
import java.util.SplittableRandom;

/** Augmentation of a training image. Which one is right depends on what the captions say. */
public enum Augmentation {
  /** Nothing. */
  NONE,
  /** Small shifts, brightness and contrast: safe where captions name places and colours. */
  JITTER,
  /**
   * Crops of 60 to 100 % of the area, flips, quarter turns, brightness, contrast and a little of
   * each colour: for aerial photographs whose captions name neither left nor right.
   */
  AERIAL,
  /** The paper's RandAugment(2, 7), section 4.2: two of the nine changes, at magnitude 7. */
  RANDAUGMENT;

  private static final double JITTER_SHIFT = 0.04;
  private static final double JITTER_LIGHT = 0.12;
  private static final double AERIAL_SMALLEST_CROP = 0.6;
  private static final double AERIAL_CONTRAST = 0.25;
  private static final double AERIAL_LIGHT = 0.12;
  private static final double AERIAL_COLOUR = 0.06;
  private static final int RANDAUGMENT_CHANGES = 2;
  private static final double RANDAUGMENT_MAGNITUDE = 7;

  /** Returns the side to keep an image at that is shown to the model at {@code side}. */
  public int sourceSide(int side) {
    // A crop needs pixels to spare, or it would be blurred where the whole image is not.
    return this == AERIAL ? side + side / 4 : side;
  }

  /**
   * Returns a changed copy of a square image.
   *
   * @param side of the copy, in pixels
   * @param sampled whether it is {@linkplain RgbImage#sample looked up} in the image, as the sensor
   *     will do it, or resized
   */
  public RgbImage apply(RgbImage image, int side, boolean sampled, SplittableRandom random) {
    if (this == AERIAL) {
      return aerial(image, side, sampled, random);
    }
    RgbImage sized = sampled ? image.sample(side) : image.resize(side);
    return switch (this) {
      case JITTER -> jitter(sized, random);
      case RANDAUGMENT -> randAugment(sized, random);
      default -> sized;
    };
  }

  /** Shifts a copy, repeating edges where a shift uncovers them. */
  private static RgbImage jitter(RgbImage image, SplittableRandom random) {
    int side = image.width();
    int reach = (int) Math.round(JITTER_SHIFT * side);
    int dx = random.nextInt(-reach, reach + 1);
    int dy = random.nextInt(-reach, reach + 1);
    double contrast = 1 + random.nextDouble(-JITTER_LIGHT, JITTER_LIGHT);
    double brightness = 255 * random.nextDouble(-JITTER_LIGHT, JITTER_LIGHT) / 2;
    byte[] in = image.rgb();
    byte[] out = new byte[in.length];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int sx = clamp(x + dx, side - 1);
        int sy = clamp(y + dy, side - 1);
        for (int c = 0; c < 3; c++) {
          double value = (in[3 * (sy * side + sx) + c] & 0xff) - 128.0;
          out[3 * (y * side + x) + c] =
              (byte) clamp((int) Math.round(value * contrast + 128 + brightness), 255);
        }
      }
    }
    return new RgbImage(side, side, out);
  }

  private static RgbImage aerial(
      RgbImage image, int side, boolean sampled, SplittableRandom random) {
    double area = random.nextDouble(AERIAL_SMALLEST_CROP, 1);
    int crop = (int) Math.round(image.width() * Math.sqrt(area));
    int left = random.nextInt(image.width() - crop + 1);
    int top = random.nextInt(image.width() - crop + 1);
    int turn = random.nextInt(8);
    float contrast = (float) (1 + random.nextDouble(-AERIAL_CONTRAST, AERIAL_CONTRAST));
    float brightness = (float) (128 * random.nextDouble(-AERIAL_LIGHT, AERIAL_LIGHT));
    float[] gain = new float[3];
    float[] shift = new float[3];
    for (int c = 0; c < 3; c++) {
      gain[c] = contrast * (float) (1 + random.nextDouble(-AERIAL_COLOUR, AERIAL_COLOUR));
      shift[c] = 128 + brightness - 128 * gain[c];
    }
    RgbImage cropped =
        sampled ? image.sample(left, top, crop, side) : crop(image, left, top, crop).resize(side);
    byte[] in = cropped.rgb();
    byte[] out = new byte[in.length];
    for (int y = 0; y < side; y++) {
      for (int x = 0; x < side; x++) {
        int u = (turn & 1) == 0 ? x : side - 1 - x;
        int v = (turn & 2) == 0 ? y : side - 1 - y;
        int from = 3 * ((turn & 4) == 0 ? v * side + u : u * side + v);
        for (int c = 0; c < 3; c++) {
          float value = (in[from + c] & 0xff) * gain[c] + shift[c];
          out[3 * (y * side + x) + c] = (byte) clamp(Math.round(value), 255);
        }
      }
    }
    return new RgbImage(side, side, out);
  }

  private static RgbImage crop(RgbImage image, int left, int top, int side) {
    byte[] out = new byte[3 * side * side];
    for (int y = 0; y < side; y++) {
      int from = 3 * ((top + y) * image.width() + left);
      System.arraycopy(image.rgb(), from, out, 3 * y * side, 3 * side);
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
