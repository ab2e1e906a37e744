/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.List;
import java.util.SplittableRandom;

/** A seeded source with the few draws that scenes need; the same numbers on every platform. */
final class SceneRandom {

  private final SplittableRandom random;

  /** Makes a stream of its own for each (seed, index, purpose). */
  SceneRandom(long seed, long index, long purpose) {
    random = new SplittableRandom(mix(mix(mix(seed) + index) + purpose));
  }

  /** Mixes by SplitMix64's finaliser: neighbouring inputs give unrelated outputs. */
  static long mix(long value) {
    long z = value + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  long nextLong() {
    return random.nextLong();
  }

  /** Returns a number from 0 to bound - 1. */
  int below(int bound) {
    return random.nextInt(bound);
  }

  double between(double low, double high) {
    return low + (high - low) * random.nextDouble();
  }

  boolean chance(double probability) {
    return random.nextDouble() < probability;
  }

  <T> T pick(List<T> from) {
    return from.get(random.nextInt(from.size()));
  }

  String pick(String... from) {
    return from[random.nextInt(from.length)];
  }

  /**
   * Returns one of the items, drawn in proportion to its weight; one weight for each, above 0 in
   * all.
   */
  <T> T weighted(List<T> from, int... weights) {
    if (from.size() != weights.length) {
      throw new IllegalArgumentException(
          from.size() + " items need as many weights, got " + weights.length);
    }
    int sum = 0;
    for (int weight : weights) {
      sum += weight;
    }
    int draw = random.nextInt(sum);
    int at = 0;
    while (draw >= weights[at]) {
      draw -= weights[at];
      at++;
    }
    return from.get(at);
  }

  void shuffle(List<?> list) {
    shuffleTyped(list);
  }

  private <T> void shuffleTyped(List<T> list) {
    for (int i = list.size() - 1; i > 0; i--) {
      T moved = list.set(random.nextInt(i + 1), list.get(i));
      list.set(i, moved);
    }
  }

  /** Smooth seeded noise: hashed lattice values, blended; -1 to 1. */
  static final class Noise {

    private final long seed;

    Noise(long seed) {
      this.seed = seed;
    }

    /** Returns one octave of noise; the lattice has pitch 1. */
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

    /** Returns several octaves of noise, each of twice the frequency and half the strength. */
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
}
