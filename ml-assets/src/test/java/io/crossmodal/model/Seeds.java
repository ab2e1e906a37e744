/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

/** Seeds of randomised tests: printed, and repeated with {@code -Dcrossmodal.seed=}. */
public final class Seeds {
  private Seeds() {}

  public static long next() {
    long seed = Long.getLong("crossmodal.seed", System.nanoTime());
    System.out.println("reproduce with -Dcrossmodal.seed=" + seed);
    return seed;
  }
}
