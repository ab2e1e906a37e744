/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

/**
 * A part of an image, in pixels.
 *
 * @param x of its left column, at least 0
 * @param y of its top row, at least 0
 * @param width at least 1
 * @param height at least 1
 */
public record Window(int x, int y, int width, int height) {
  public Window {
    if (x < 0 || y < 0 || width < 1 || height < 1) {
      throw new IllegalArgumentException(
          "a window is a place and a size in pixels, got x "
              + x
              + ", y "
              + y
              + ", "
              + width
              + " x "
              + height);
    }
  }

  /**
   * Returns about the same part of the same image at another size, with at least a pixel.
   *
   * @param fromWidth of the image that this is a part of
   * @param fromHeight likewise
   * @param toWidth of the other image
   * @param toHeight likewise
   */
  public Window scaled(int fromWidth, int fromHeight, int toWidth, int toHeight) {
    if (fromWidth == toWidth && fromHeight == toHeight) {
      return this;
    }
    int left = scaled(x, fromWidth, toWidth);
    int top = scaled(y, fromHeight, toHeight);
    int right = Math.max(left + 1, scaled(x + width, fromWidth, toWidth));
    int bottom = Math.max(top + 1, scaled(y + height, fromHeight, toHeight));
    return new Window(left, top, right - left, bottom - top);
  }

  /** Rounds, so that windows that touch still do. */
  private static int scaled(int place, int from, int to) {
    return (int) Math.min(to, Math.round((double) place * to / from));
  }
}
