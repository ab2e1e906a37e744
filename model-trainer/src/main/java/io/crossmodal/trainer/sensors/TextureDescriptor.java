/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.image.BandImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The baseline without learning: of a tile's grey levels a histogram, local binary patterns (Ojala
 * et al. 2002, the uniform ones) and, on a grid, orientations of gradients without their sign
 * (Dalal and Triggs 2005), each part of unit length. Bands are standardised and averaged to one
 * grey, so that tiles of any sensors can be compared.
 */
final class TextureDescriptor implements SensorEvaluation.Encoder {
  private static final int LEVELS = 16;
  private static final int PATTERNS = 10;
  private static final int GRID = 4;
  private static final int ORIENTATIONS = 8;

  private final int side;

  TextureDescriptor(int side) {
    this.side = side;
  }

  @Override
  public String name() {
    return "histogram and texture";
  }

  @Override
  public int side() {
    return side;
  }

  @Override
  public List<TileFeatures> encode(boolean second, List<BandImage> tiles) {
    List<TileFeatures> features = new ArrayList<>();
    for (BandImage tile : tiles) {
      features.add(new TileFeatures(describe(grey(tile), tile.width()), new float[0][]));
    }
    return features;
  }

  /** Returns the mean of the bands' z-scores within the tile. */
  private static float[] grey(BandImage tile) {
    int area = tile.width() * tile.height();
    float[] grey = new float[area];
    for (int band = 0; band < tile.bands(); band++) {
      double sum = 0;
      double squares = 0;
      for (int i = 0; i < area; i++) {
        float value = tile.values()[band * area + i];
        if (Float.isFinite(value)) {
          sum += value;
          squares += (double) value * value;
        }
      }
      double mean = sum / area;
      double deviation = Math.sqrt(Math.max(1e-12, squares / area - mean * mean));
      for (int i = 0; i < area; i++) {
        float value = tile.values()[band * area + i];
        if (Float.isFinite(value)) {
          grey[i] += (float) ((value - mean) / deviation / tile.bands());
        }
      }
    }
    return grey;
  }

  private static float[] describe(float[] grey, int side) {
    float[] levels = new float[LEVELS];
    float[] patterns = new float[PATTERNS];
    float[] gradients = new float[GRID * GRID * ORIENTATIONS];
    for (float value : grey) {
      // Grey is standardised: nearly all of it lies in [-3, 3].
      int level = (int) ((value + 3) / 6 * LEVELS);
      levels[Math.max(0, Math.min(LEVELS - 1, level))]++;
    }
    for (int y = 1; y < side - 1; y++) {
      for (int x = 1; x < side - 1; x++) {
        patterns[pattern(grey, side, x, y)]++;
        float dx = grey[y * side + x + 1] - grey[y * side + x - 1];
        float dy = grey[(y + 1) * side + x] - grey[(y - 1) * side + x];
        double angle = Math.atan2(dy, dx) / Math.PI;
        int orientation = (int) ((angle < 0 ? angle + 1 : angle) * ORIENTATIONS) % ORIENTATIONS;
        int cell = y * GRID / side * GRID + x * GRID / side;
        gradients[cell * ORIENTATIONS + orientation] += (float) Math.hypot(dx, dy);
      }
    }
    float[] all = Arrays.copyOf(TileFeatures.unit(levels), LEVELS + PATTERNS + gradients.length);
    System.arraycopy(TileFeatures.unit(patterns), 0, all, LEVELS, PATTERNS);
    System.arraycopy(TileFeatures.unit(gradients), 0, all, LEVELS + PATTERNS, gradients.length);
    return TileFeatures.unit(all);
  }

  /** Neighbours above the centre where they change at most twice around it, else the last bin. */
  private static int pattern(float[] grey, int side, int x, int y) {
    int[] around = {-side - 1, -side, -side + 1, 1, side + 1, side, side - 1, -1};
    float centre = grey[y * side + x];
    int above = 0;
    int changes = 0;
    boolean before = grey[y * side + x + around[7]] >= centre;
    for (int offset : around) {
      boolean now = grey[y * side + x + offset] >= centre;
      above += now ? 1 : 0;
      changes += now == before ? 0 : 1;
      before = now;
    }
    return changes <= 2 ? above : PATTERNS - 1;
  }
}
