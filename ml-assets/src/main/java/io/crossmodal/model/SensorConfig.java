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
 * Input of one image tower.
 *
 * @param name lower-case identifier, such as {@code rgb}; part of the method name {@code
 *     encode_image_<name>}
 * @param imageSize S, side in pixels to which an image is resized
 * @param mean per channel, in the units of a decoded pixel (0 to 1 for ordinary pictures, those of
 *     the file for bands)
 * @param std per channel, above 0
 * @param bands for multi-band files; null for ordinary red, green, blue pictures
 * @param sampledFrom side in pixels, above S, to which a picture is brought before S x S points of
 *     it are looked up; null resizes it to S at once. Points keep fine texture, which averages lose
 * @param resize how an ordinary picture becomes S x S where the model was trained elsewhere; null:
 *     squashed by this library's own filter
 */
public record SensorConfig(
    String name,
    int imageSize,
    List<Double> mean,
    List<Double> std,
    BandInput bands,
    Integer sampledFrom,
    Resize resize) {
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_]{0,31}");

  /** Of the pictures that a tower takes, in pixels. */
  static final int MAX_SIDE = 2048;

  private static final int MAX_CHANNELS = 512;

  /** Of one picture: 128 MB. */
  private static final int MAX_VALUES = 1 << 25;

  /**
   * Resizing as Pillow does it, the library that most models were trained with: each axis by a
   * filter that is as much wider as the picture gets smaller, 8 bits between the two.
   */
  public record Resize(Filter filter, Fit fit) {
    /** Interpolation between pixels. */
    public enum Filter {
      /** Pillow's {@code BICUBIC}, a = -0.5: CLIP and its kin. */
      BICUBIC,
      /** Pillow's {@code BILINEAR}. */
      BILINEAR
    }

    /** What becomes of a picture that is not square. */
    public enum Fit {
      /** Its short side becomes S and its middle is seen, as torchvision and OpenCLIP do it. */
      CROP,
      /** All of it is seen, its aspect ratio given up. */
      SQUASH,
      /** All of it is seen: its long side becomes S, beside it lies the sensor's mean colour. */
      PAD
    }

    public Resize {
      Objects.requireNonNull(filter, "resize.filter, one of " + List.of(Filter.values()));
      Objects.requireNonNull(fit, "resize.fit, one of " + List.of(Fit.values()));
    }
  }

  public SensorConfig {
    if (!NAME.matcher(Objects.requireNonNull(name, "name")).matches()) {
      throw new IllegalArgumentException(
          "sensor name must match " + NAME.pattern() + ", got [" + name + "]");
    }
    Checks.within("image_size", imageSize, 1, MAX_SIDE);
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
    Checks.within("channels of sensor " + name, mean.size(), 1, MAX_CHANNELS);
    Checks.within(
        "values of an image of sensor " + name,
        (long) mean.size() * imageSize * imageSize,
        1,
        MAX_VALUES);
    if (mean.stream().anyMatch(m -> !Double.isFinite(m))) {
      throw new IllegalArgumentException("sensor " + name + ": mean must be finite, got " + mean);
    }
    if (std.stream().anyMatch(s -> !(s > 0))) {
      throw new IllegalArgumentException("sensor " + name + ": std must be above 0, got " + std);
    }
    if (sampledFrom != null) {
      Checks.within("sampled_from", sampledFrom, 1, 2 * MAX_SIDE);
    }
    if (bands != null) {
      bands.requireChannels(name, mean.size());
    }
    if (sampledFrom != null && (bands != null || sampledFrom <= imageSize)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor %s: sampled_from is for ordinary pictures and lies above the image size of"
                  + " %d, got %d%s",
              name,
              imageSize,
              sampledFrom,
              bands == null ? "" : " with bands"));
    }
    if (resize != null && (bands != null || sampledFrom != null)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor %s: resize is for ordinary pictures that are not looked up in larger ones,"
                  + " got it with %s",
              name,
              bands == null ? "sampled_from " + sampledFrom : "bands " + bands.names()));
    }
  }

  /** A sensor whose images are resized at once. */
  public SensorConfig(
      String name, int imageSize, List<Double> mean, List<Double> std, BandInput bands) {
    this(name, imageSize, mean, std, bands, null, null);
  }

  /** A sensor of ordinary pictures. */
  public SensorConfig(String name, int imageSize, List<Double> mean, List<Double> std) {
    this(name, imageSize, mean, std, null, null, null);
  }

  /** Ordinary pictures: three channels, ImageNet's means and deviations. */
  public static SensorConfig rgb(int imageSize) {
    return new SensorConfig(
        "rgb", imageSize, List.of(0.485, 0.456, 0.406), List.of(0.229, 0.224, 0.225));
  }

  /** Ordinary pictures as CLIP was trained on them, with OpenAI's means and deviations. */
  public static SensorConfig clip(int imageSize) {
    return new SensorConfig(
            "rgb",
            imageSize,
            List.of(0.48145466, 0.4578275, 0.40821073),
            List.of(0.26862954, 0.26130258, 0.27577711))
        .withResize(new Resize(Resize.Filter.BICUBIC, Resize.Fit.CROP));
  }

  /**
   * Sentinel-1: VV and VH in dB, with the means and deviations of BigEarthNet-MM (Sumbul et al.
   * 2021).
   */
  public static SensorConfig s1(int imageSize) {
    return new SensorConfig(
        "s1",
        imageSize,
        List.of(-12.620, -19.290),
        List.of(5.116, 5.464),
        new BandInput(List.of("VV", "VH"), BandInput.Values.DECIBEL));
  }

  /** Sentinel-2 at level 2A: the ten bands of 10 and 20 metres, statistics as {@link #s1}. */
  public static SensorConfig s2(int imageSize) {
    return new SensorConfig(
        "s2",
        imageSize,
        List.of(
            429.943, 614.217, 590.236, 950.684, 1792.463, 2075.468, 2218.946, 2266.460, 1594.427,
            1009.327),
        List.of(
            572.416, 582.879, 675.887, 729.898, 1096.015, 1273.454, 1365.456, 1356.138, 1079.191,
            818.868),
        new BandInput(
            List.of("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
            BandInput.Values.AS_STORED));
  }

  /** The same sensor at another size, to which images are resized at once. */
  public SensorConfig withImageSize(int side) {
    return new SensorConfig(name, side, mean, std, bands, null, resize);
  }

  /** The same sensor whose images are looked up in larger ones, {@code side} wide. */
  public SensorConfig withSampledFrom(int side) {
    return new SensorConfig(name, imageSize, mean, std, bands, side, resize);
  }

  /** The same sensor whose pictures become S x S in that way; null: in this library's own. */
  public SensorConfig withResize(Resize other) {
    return new SensorConfig(name, imageSize, mean, std, bands, sampledFrom, other);
  }

  /** Silent about what is not set: fingerprints of older bundles hash this text. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "SensorConfig[name=%s, imageSize=%d, mean=%s, std=%s%s%s%s]",
        name,
        imageSize,
        mean,
        std,
        bands == null ? "" : ", bands=" + bands,
        sampledFrom == null ? "" : ", sampledFrom=" + sampledFrom,
        resize == null ? "" : ", resize=" + resize);
  }

  /** C. */
  public int channels() {
    return mean.size();
  }
}
