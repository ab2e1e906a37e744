/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * What one image tower takes in.
 *
 * @param name lower-case identifier, such as {@code rgb}; part of the method name {@code
 *     encode_image_<name>}
 * @param imageSize S, side in pixels to which an image is resized
 * @param mean per channel, in the units of a decoded pixel (0 to 1 for 8-bit pictures)
 * @param std per channel, above 0
 */
public record SensorConfig(String name, int imageSize, List<Double> mean, List<Double> std) {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,31}");

  public SensorConfig {
    if (!NAME.matcher(Objects.requireNonNull(name, "name")).matches()) {
      throw new IllegalArgumentException(
          "sensor name must match " + NAME.pattern() + ", got [" + name + "]");
    }
    Checks.atLeast("image_size", imageSize, 1);
    mean = List.copyOf(Objects.requireNonNull(mean, "mean"));
    std = List.copyOf(Objects.requireNonNull(std, "std"));
    if (mean.isEmpty() || mean.size() != std.size()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor %s needs one mean and one std a channel, got %d and %d",
              name,
              mean.size(),
              std.size()));
    }
    if (mean.stream().anyMatch(m -> !Double.isFinite(m))) {
      throw new IllegalArgumentException("sensor " + name + ": mean must be finite, got " + mean);
    }
    if (std.stream().anyMatch(s -> !(s > 0))) {
      throw new IllegalArgumentException("sensor " + name + ": std must be above 0, got " + std);
    }
  }

  /** Ordinary pictures: three channels, ImageNet's means and deviations. */
  public static SensorConfig rgb(int imageSize) {
    return new SensorConfig(
        "rgb", imageSize, List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225));
  }

  /** The same sensor at another size. */
  public SensorConfig withImageSize(int side) {
    return new SensorConfig(name, side, mean, std);
  }

  /** C. */
  public int channels() {
    return mean.size();
  }
}
