/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import java.util.SplittableRandom;

/**
 * A way to look at a tile, the same for all sensors of a pair.
 *
 * @param share side of the crop over the tile's, in (0, 1]
 * @param left where the crop begins, over what it may, in [0, 1)
 * @param top likewise
 * @param turn one of the eight turns and flips of a square
 */
record SensorView(double share, double left, double top, int turn) {
  private static final int TRANSPOSED = 4;
  private static final int UPSIDE_DOWN = 2;
  private static final int MIRRORED = 1;

  static SensorView draw(SensorOptions.Augmentation augmentation, SplittableRandom random) {
    double least = augmentation.smallestCrop();
    double area = least < 1 ? random.nextDouble(least, 1) : 1;
    return new SensorView(
        Math.sqrt(area),
        random.nextDouble(),
        random.nextDouble(),
        augmentation.turns() ? random.nextInt(8) : 0);
  }

  /** The crop, turned, at a side of so many pixels. */
  BandImage place(BandImage tile, int side) {
    int crop = Math.max(1, (int) Math.round(share * tile.width()));
    int x0 = (int) (left * (tile.width() - crop + 1));
    int y0 = (int) (top * (tile.width() - crop + 1));
    BandImage seen = tile.crop(x0, y0, crop).resize(side);
    if (turn == 0) {
      return seen;
    }
    float[] out = new float[seen.values().length];
    for (int band = 0; band < seen.bands(); band++) {
      for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
          int u = (turn & MIRRORED) == 0 ? x : side - 1 - x;
          int v = (turn & UPSIDE_DOWN) == 0 ? y : side - 1 - y;
          out[(band * side + y) * side + x] =
              (turn & TRANSPOSED) == 0 ? seen.value(band, u, v) : seen.value(band, v, u);
        }
      }
    }
    return new BandImage(seen.bands(), side, side, out);
  }

  /** Adds speckle to radar's z-scores, changes the gain of optical ones; in place. */
  void change(
      float[] normal,
      SensorConfig sensor,
      SensorOptions.Augmentation augmentation,
      SplittableRandom random) {
    if (sensor.bands() != null && sensor.bands().values().radar()) {
      if (augmentation.speckle() > 0) {
        for (int i = 0; i < normal.length; i++) {
          normal[i] += (float) (augmentation.speckle() * random.nextGaussian());
        }
      }
    } else if (augmentation.light() > 0) {
      double gain = 1 + random.nextDouble(-augmentation.light(), augmentation.light());
      int area = normal.length / sensor.channels();
      for (int i = 0; i < normal.length; i++) {
        // The gain of the values themselves, of which these are z-scores.
        double offset = sensor.mean().get(i / area) / sensor.std().get(i / area);
        normal[i] = (float) (gain * (normal[i] + offset) - offset);
      }
    }
  }
}
