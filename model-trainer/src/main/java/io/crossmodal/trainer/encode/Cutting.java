/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.raster.Rasters;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * How scenes are cut to chips.
 *
 * @param chip side of a chip, in pixels or metres
 * @param stride from a chip to the next, in the same unit
 * @param metres whether both are metres on the ground
 * @param resolution metres of the pixels that chips are cut at; empty: the file's own
 * @param mostNoData share of a chip's pixels that may be without data, 0 to 1
 * @param clouds what is cloud, and how much of it a chip may show; empty: that is not looked at
 * @param reader of scenes
 */
public record Cutting(
    double chip,
    double stride,
    boolean metres,
    OptionalDouble resolution,
    double mostNoData,
    Optional<Clouds> clouds,
    Rasters.Choice reader) {
  private static final int LEAST = 16;

  public Cutting {
    if (!(chip > 0 && chip < 1e9) || (!metres && chip < LEAST)) {
      throw new IllegalArgumentException(
          "a chip has at least " + LEAST + " pixels a side, or metres above 0, got " + chip);
    }
    if (!(stride > 0 && stride < 1e9) || (!metres && stride < 1)) {
      throw new IllegalArgumentException(
          "a stride is at least a pixel, or metres above 0, got " + stride);
    }
    if (resolution.isPresent() && !(resolution.getAsDouble() > 0)) {
      throw new IllegalArgumentException(
          "a resolution is metres a pixel, above 0, got " + resolution.getAsDouble());
    }
    if (!(mostNoData >= 0 && mostNoData <= 1)) {
      throw new IllegalArgumentException(
          "the share without data is 0 to 1, such as 0.5, got " + mostNoData);
    }
  }

  /** Cuts scenes whatever clouds they show, by any reader. */
  public Cutting(
      double chip, double stride, boolean metres, OptionalDouble resolution, double mostNoData) {
    this(chip, stride, metres, resolution, mostNoData, Optional.empty(), Rasters.Choice.AUTO);
  }

  /** Returns what a chip that shows too little depends on, as words. */
  String skipping() {
    return mostNoData + clouds.map(of -> " " + of).orElse("");
  }

  /** Returns what documents depend on, as words: all but the reader. */
  String asked() {
    return String.join(
        " ",
        String.valueOf(chip),
        String.valueOf(stride),
        String.valueOf(metres),
        String.valueOf(resolution),
        skipping());
  }

  /** Returns whether it needs to know how large a pixel is on the ground. */
  boolean needsGround() {
    return metres || resolution.isPresent();
  }

  /**
   * Windows that a scene is cut to, in pixels of its file, row by row; those of the last column and
   * row end where the scene ends.
   *
   * @param width of the scene
   * @param height of the scene
   * @param wide columns of a chip
   * @param high rows of a chip
   * @param across columns from a chip to the next
   * @param down rows from a chip to the next
   * @param scale pixels of the file along a pixel that chips are cut at
   */
  record Grid(int width, int height, int wide, int high, double across, double down, double scale) {
    private static final int MOST = 1_000_000;

    Grid {
      wide = Math.min(wide, width);
      high = Math.min(high, height);
      if (Math.min(wide, high) < LEAST) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "chips of %d x %d pixels of a scene of %d x %d; a chip needs %d a side: choose"
                    + " larger ones",
                wide,
                high,
                width,
                height,
                LEAST));
      }
      long count = (long) count(width, wide, across) * count(height, high, down);
      if (count > MOST) {
        throw new IllegalArgumentException(
            count + " chips of one scene, at most " + MOST + ": choose a larger chip or stride");
      }
    }

    private static int count(int whole, int part, double stride) {
      return 1 + (int) Math.ceil((whole - part) / stride);
    }

    int columns() {
      return count(width, wide, across);
    }

    int size() {
      return columns() * count(height, high, down);
    }

    Window window(int number) {
      int x = place(number % columns(), across, width - wide);
      int y = place(number / columns(), down, height - high);
      return new Window(x, y, wide, high);
    }

    private static int place(int number, double stride, int last) {
      return (int) Math.min(last, Math.round(number * stride));
    }
  }

  /**
   * Returns the windows of a scene.
   *
   * @param pixel extent of its pixels on the ground, where that is known
   * @throws IllegalArgumentException when it must be known and is not, or chips are too small or
   *     too many
   */
  Grid grid(int width, int height, Optional<Geolocation.Pixel> pixel) {
    if (pixel.isEmpty() && needsGround()) {
      throw new IllegalArgumentException(
          "no georeference, so its pixels have no metres: "
              + (metres ? "--chip-metres needs" : "--resolution needs")
              + " one; --chip alone counts pixels");
    }
    double scaleX = 1;
    double scaleY = 1;
    double unitX = 1;
    double unitY = 1;
    if (resolution.isPresent()) {
      scaleX = resolution.getAsDouble() / pixel.orElseThrow().x();
      scaleY = resolution.getAsDouble() / pixel.orElseThrow().y();
      unitX = scaleX;
      unitY = scaleY;
    }
    if (metres) {
      unitX = 1 / pixel.orElseThrow().x();
      unitY = 1 / pixel.orElseThrow().y();
    }
    return new Grid(
        width,
        height,
        (int) Math.min(Integer.MAX_VALUE, Math.round(chip * unitX)),
        (int) Math.min(Integer.MAX_VALUE, Math.round(chip * unitY)),
        Math.max(1, stride * unitX),
        Math.max(1, stride * unitY),
        Math.min(scaleX, scaleY));
  }
}
