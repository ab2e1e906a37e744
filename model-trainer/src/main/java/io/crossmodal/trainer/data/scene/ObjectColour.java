/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import java.util.Locale;

/**
 * The colours that captions may name. {@link #NATURAL} objects have one look and no colour word.
 */
public enum ObjectColour {
  WHITE(240, 240, 236),
  GREY(138, 141, 146),
  RED(196, 42, 38),
  BLUE(40, 88, 200),
  GREEN(34, 120, 62),
  BROWN(118, 74, 38),
  YELLOW(240, 206, 40),
  ORANGE(228, 118, 36),
  /** The object's own look; never named. */
  NATURAL(0, 0, 0);

  private final int red;
  private final int green;
  private final int blue;

  ObjectColour(int red, int green, int blue) {
    this.red = red;
    this.green = green;
    this.blue = blue;
  }

  int red() {
    return red;
  }

  int green() {
    return green;
  }

  int blue() {
    return blue;
  }

  /** The English word, lower case. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
