/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which measured values are shown as black and as white: numbers, or percentiles of a scene.
 *
 * @param low a value, or a percentage of the values that lie below
 * @param high likewise, above {@code low}
 * @param percentiles whether the two are percentages, 0 to 100
 */
public record Stretch(double low, double high, boolean percentiles) {
  private static final String NUMBER = "(-?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?)";
  private static final Pattern VALUES = Pattern.compile(NUMBER + ":" + NUMBER);
  private static final Pattern PERCENTILES = Pattern.compile(NUMBER + "%:" + NUMBER + "%");
  private static final int LONGEST_TEXT = 100;

  /** Colours of 8 bits, as they are. */
  public static final Stretch BYTES = new Stretch(0, 255, false);

  /** A picture of so many columns and rows is looked at as a whole. */
  private static final int WHOLE = 1024;

  /** A larger one, without overviews, at so many places along each side, a square at each. */
  private static final int PLACES = 16;

  private static final int SQUARE = 64;

  /** Percent of the values that are drawn as black, and as white. */
  private static final int MOST_LOW = 2;

  public Stretch {
    if (!Double.isFinite(low) || !Double.isFinite(high) || low >= high) {
      throw new IllegalArgumentException(
          "a stretch goes from a lower to a higher number, got " + text(low) + ":" + text(high));
    }
    if (percentiles && (low < 0 || high > 100)) {
      throw new IllegalArgumentException(
          "a stretch by percentiles lies within 0%:100%, got "
              + text(low)
              + "%:"
              + text(high)
              + "%");
    }
  }

  /**
   * Reads a stretch such as {@code 0:3000} or {@code 2%:98%}.
   *
   * @throws IllegalArgumentException for any other text
   */
  public static Stretch of(String text) {
    Matcher percentiles = PERCENTILES.matcher(text);
    Matcher found = percentiles.matches() ? percentiles : VALUES.matcher(text);
    if (!found.matches()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the stretch [%s] is none: MIN:MAX are the values that are black and white, such as"
                  + " 0:3000; 2%%:98%% are percentiles of each scene",
              text.length() > LONGEST_TEXT ? text.substring(0, LONGEST_TEXT) + "..." : text));
    }
    return new Stretch(
        Double.parseDouble(found.group(1)),
        Double.parseDouble(found.group(2)),
        percentiles.matches());
  }

  /** Returns it as {@link #of} reads it. */
  @Override
  public String toString() {
    String unit = percentiles ? "%" : "";
    return text(low) + unit + ":" + text(high) + unit;
  }

  private static String text(double number) {
    return number == Math.rint(number) && Math.abs(number) < 1e15
        ? Long.toString((long) number)
        : Double.toString(number);
  }

  /**
   * Returns the values that percentiles of a scene stand for, all of its colours together, so that
   * a blue scene stays blue; of values themselves, these.
   *
   * @param bands that are shown, counted from 0
   * @throws ImageFormatException when there is nothing between them
   */
  public Stretch in(Raster scene, List<Integer> bands) {
    if (!percentiles) {
      return this;
    }
    float[] values = values(sample(scene), bands);
    if (values.length == 0) {
      throw new ImageFormatException(
          "no value where the percentiles " + this + " are looked for; name values, MIN:MAX");
    }
    Arrays.sort(values);
    double from = quantile(values, low);
    double to = quantile(values, high);
    if (from >= to) {
      throw new ImageFormatException(
          "the percentiles " + this + " are both " + text(from) + "; name values, MIN:MAX");
    }
    return new Stretch(from, to, false);
  }

  /**
   * Returns the range of most values of bands, to be drawn for people; one of some kind also where
   * all values are the same, or there are none.
   */
  public static Stretch ofMost(BandImage image, List<Integer> bands) {
    float[] values = values(List.of(image), bands);
    Arrays.sort(values);
    double from = values.length == 0 ? 0 : quantile(values, MOST_LOW);
    double to = values.length == 0 ? 1 : quantile(values, 100 - MOST_LOW);
    return new Stretch(from, to > from ? to : from + Math.max(1, Math.abs(from)), false);
  }

  private static double quantile(float[] sorted, double percent) {
    return sorted[(int) Math.round((sorted.length - 1) * percent / 100)];
  }

  private static List<BandImage> sample(Raster scene) {
    int level = 0;
    for (int i = 1; i < scene.levels(); i++) {
      boolean enough = Math.max(scene.width(), scene.height()) >> i >= WHOLE / 2;
      level = enough ? i : level;
    }
    int longer = Math.max(scene.width(), scene.height());
    List<BandImage> parts = new ArrayList<>();
    if (level > 0 || longer <= 4 * WHOLE) {
      Window whole = new Window(0, 0, scene.width(), scene.height());
      parts.add(scene.values(level, whole, WHOLE).bands());
    } else {
      int wide = Math.min(SQUARE, scene.width());
      int high = Math.min(SQUARE, scene.height());
      for (int i = 0; i < PLACES * PLACES; i++) {
        long x = (long) (scene.width() - wide) * (i % PLACES) / (PLACES - 1);
        long y = (long) (scene.height() - high) * (i / PLACES) / (PLACES - 1);
        parts.add(scene.values(0, new Window((int) x, (int) y, wide, high), SQUARE).bands());
      }
    }
    return parts;
  }

  private static float[] values(List<BandImage> parts, List<Integer> bands) {
    int count = parts.stream().mapToInt(part -> part.width() * part.height()).sum();
    float[] values = new float[count * bands.size()];
    int found = 0;
    for (BandImage part : parts) {
      int area = part.width() * part.height();
      for (int band : bands) {
        for (int i = band * area; i < (band + 1) * area; i++) {
          if (Float.isFinite(part.values()[i])) {
            values[found++] = part.values()[i];
          }
        }
      }
    }
    return Arrays.copyOf(values, found);
  }

  /**
   * Returns bands as colours; what has no data is black.
   *
   * @param bands red, green and blue, or one that is grey, counted from 0
   */
  public RgbImage apply(BandImage image, List<Integer> bands) {
    if (percentiles) {
      throw new IllegalStateException("percentiles " + this + " of no scene");
    }
    int area = image.width() * image.height();
    byte[] rgb = new byte[3 * area];
    for (int c = 0; c < 3; c++) {
      int from = bands.get(bands.size() == 1 ? 0 : c) * area;
      for (int i = 0; i < area; i++) {
        rgb[3 * i + c] = apply(image.values()[from + i]);
      }
    }
    return new RgbImage(image.width(), image.height(), rgb);
  }

  /** Returns a value as a colour of 0 to 255; NaN is black. */
  byte apply(float value) {
    double shown = (value - low) / (high - low) * 255;
    return (byte) Math.round(Math.max(0, Math.min(255, shown)));
  }
}
