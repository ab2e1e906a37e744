/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import java.util.SplittableRandom;

/**
 * Embeddings such as a trained filter makes: not spread evenly, for then no graph and no quantiser
 * would have anything to hold on to, but in clusters within clusters, near a surface of fewer
 * dimensions. A point is drawn in 64 dimensions, the centre of one of 100 groups plus that of one
 * of 1,000 clusters plus itself, each Gaussian; a fixed random map takes it to D dimensions; a
 * tenth of its length is added as even noise; it is scaled to unit length. Item {@code i} is the
 * same in every run.
 */
final class Vectors {
  private static final int LATENT = 64;
  private static final int GROUPS = 100;
  private static final int CLUSTERS = 1000;
  private static final double NOISE = 0.1;

  private final long seed;
  private final int dimension;
  private final float[] map;
  private final float[][] groups;
  private final float[][] clusters;

  Vectors(int dimension, long seed) {
    this.seed = seed;
    this.dimension = dimension;
    SplittableRandom random = new SplittableRandom(seed);
    this.map = gaussian(random, dimension * LATENT, 1);
    this.groups = new float[GROUPS][];
    for (int i = 0; i < GROUPS; i++) {
      groups[i] = gaussian(random, LATENT, 1);
    }
    this.clusters = new float[CLUSTERS][];
    for (int i = 0; i < CLUSTERS; i++) {
      clusters[i] = gaussian(random, LATENT, 0.7);
    }
  }

  private static float[] gaussian(SplittableRandom random, int count, double scale) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (scale * random.nextGaussian());
    }
    return values;
  }

  /** Returns the embedding of item {@code i}; negative numbers are as good as others. */
  float[] get(int i) {
    // One generator an item, so that no item depends on those before it.
    SplittableRandom random = new SplittableRandom(seed + 0x9e3779b97f4a7c15L * (i + 1L));
    int cluster = random.nextInt(CLUSTERS);
    float[] latent = gaussian(random, LATENT, 0.5);
    for (int l = 0; l < LATENT; l++) {
      latent[l] += groups[cluster % GROUPS][l] + clusters[cluster][l];
    }
    float[] values = new float[dimension];
    double length = 0;
    for (int d = 0; d < dimension; d++) {
      float sum = 0;
      for (int l = 0; l < LATENT; l++) {
        sum += map[d * LATENT + l] * latent[l];
      }
      values[d] = sum;
      length += (double) sum * sum;
    }
    double noise = NOISE * Math.sqrt(length / dimension);
    double squares = 0;
    for (int d = 0; d < dimension; d++) {
      values[d] += (float) (noise * random.nextGaussian());
      squares += (double) values[d] * values[d];
    }
    float scale = (float) (1 / Math.sqrt(squares));
    for (int d = 0; d < dimension; d++) {
      values[d] *= scale;
    }
    return values;
  }
}
