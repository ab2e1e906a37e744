/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

/** Smooth seeded noise: hashed lattice values, blended; -1 to 1. */
final class ValueNoise {

  private final long seed;

  ValueNoise(long seed) {
    this.seed = seed;
  }

  /** One octave; the lattice has pitch 1. */
  double at(double x, double y) {
    double floorX = Math.floor(x);
    double floorY = Math.floor(y);
    int ix = (int) floorX;
    int iy = (int) floorY;
    double fx = fade(x - floorX);
    double fy = fade(y - floorY);
    double top = lattice(ix, iy) * (1 - fx) + lattice(ix + 1, iy) * fx;
    double bottom = lattice(ix, iy + 1) * (1 - fx) + lattice(ix + 1, iy + 1) * fx;
    return top * (1 - fy) + bottom * fy;
  }

  /** Several octaves, each of twice the frequency and half the strength. */
  double fractal(double x, double y, int octaves) {
    double sum = 0;
    double strength = 0.5;
    double frequency = 1;
    for (int i = 0; i < octaves; i++) {
      sum += strength * at(x * frequency + 17.3 * i, y * frequency - 9.1 * i);
      strength /= 2;
      frequency *= 2;
    }
    return sum;
  }

  private double lattice(int x, int y) {
    long hash = SceneRandom.mix(seed + x * 0x632BE59BD9B4E019L + y * 0x9E3779B97F4A7C15L);
    return (hash >> 11) * 0x1.0p-52;
  }

  private static double fade(double t) {
    return t * t * (3 - 2 * t);
  }
}
