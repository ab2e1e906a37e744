/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

/**
 * matplotlib's "inferno" (Smith and van der Walt 2015, CC0): lightness grows evenly with the value,
 * so that equal steps look equal, in print and to the colour-blind too.
 */
final class ColourMap {
  /** Ten of its colours, evenly spaced; between them it is all but linear. */
  private static final int[] INFERNO = {
    0x000004, 0x1b0c42, 0x4b0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9a06, 0xf7d03c,
    0xfcffa4
  };

  private ColourMap() {}

  /**
   * The colour of a value.
   *
   * @param value in [0, 1]
   * @param channel 0 red, 1 green, 2 blue
   * @return in [0, 255]
   */
  static double channel(double value, int channel) {
    double place = Math.min(1, Math.max(0, value)) * (INFERNO.length - 1);
    int below = Math.min((int) place, INFERNO.length - 2);
    int shift = 16 - 8 * channel;
    double from = INFERNO[below] >> shift & 0xff;
    double to = INFERNO[below + 1] >> shift & 0xff;
    return from + (place - below) * (to - from);
  }
}
