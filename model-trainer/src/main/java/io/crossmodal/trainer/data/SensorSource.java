/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Content of a data set's files of one sensor, before their statistics are known.
 *
 * @param name of the sensor
 * @param bands to take, in this order; red, green and blue for ordinary pictures
 * @param values what the files' numbers are; null for ordinary pictures, which become 0 to 1
 */
public record SensorSource(String name, List<Band> bands, BandInput.Values values) {
  /** Sentinel-1 in dB, as BigEarthNet has it. */
  public static final SensorSource S1 = spelledOut("s1=VV,VH@decibel");

  /** Sentinel-2's bands of 10 and 20 metres. */
  public static final SensorSource S2 =
      spelledOut("s2=B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12@as_stored");

  /** Ordinary pictures, JPEG or PNG, under the name that models have for them. */
  public static final SensorSource RGB = pictures("rgb");

  /** What a name alone stands for. */
  private static final List<SensorSource> KNOWN = List.of(RGB, S1, S2);

  /**
   * A band of a file.
   *
   * @param name such as {@code VV}
   * @param index its place in the file, from 1; 0 where the file holds the wanted bands alone, in
   *     their order
   */
  public record Band(String name, int index) {}

  public SensorSource {
    Objects.requireNonNull(name, "name");
    bands = List.copyOf(bands);
    if (bands.isEmpty()
        || bands.stream().map(b -> b.index() > 0).distinct().count() != 1
        || bands.stream().anyMatch(band -> band.index() < 0)) {
      throw new IllegalArgumentException(
          "sensor "
              + name
              + " needs bands, with an index from 1 for all of them or none: "
              + bands);
    }
  }

  /** Returns a source of ordinary pictures. */
  private static SensorSource pictures(String name) {
    return new SensorSource(
        name, List.of(new Band("red", 0), new Band("green", 0), new Band("blue", 0)), null);
  }

  /** Returns files that hold what a model's sensor takes. */
  public static SensorSource of(SensorConfig sensor) {
    return sensor.bands() == null
        ? pictures(sensor.name())
        : new SensorSource(
            sensor.name(),
            sensor.bands().names().stream().map(band -> new Band(band, 0)).toList(),
            sensor.bands().values());
  }

  /** Returns whether the files are ordinary pictures. */
  public boolean isPicture() {
    return values == null;
  }

  /**
   * Reads {@code name=band,band@values}, such as {@code s1=VV,VH@decibel} or, of files with more
   * bands, {@code s2=B02:2,B03:3,B04:4@as_stored}; or {@code rgb}, {@code s1}, {@code s2} alone.
   *
   * @throws IllegalArgumentException saying what is accepted
   */
  public static SensorSource parse(String text) {
    for (SensorSource known : KNOWN) {
      if (known.name().equals(text)) {
        return known;
      }
    }
    return spelledOut(text);
  }

  private static SensorSource spelledOut(String text) {
    String[] parts = text.split("[=@]", -1);
    String accepted =
        "a sensor is rgb, s1, s2 or NAME=BAND[:INDEX],...@VALUES with values of "
            + Arrays.toString(BandInput.Values.values()).toLowerCase(Locale.ROOT)
            + ", got ["
            + text
            + "]";
    if (parts.length != 3) {
      throw new IllegalArgumentException(accepted);
    }
    try {
      List<Band> bands =
          Arrays.stream(parts[1].split(",", -1))
              .map(band -> band.split(":", 2))
              .map(b -> new Band(b[0], b.length == 1 ? 0 : Integer.parseInt(b[1])))
              .toList();
      return new SensorSource(
          parts[0], bands, BandInput.Values.valueOf(parts[2].toUpperCase(Locale.ROOT)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(accepted + ": " + e.getMessage(), e);
    }
  }

  /** Returns the bands as a bundle names them; null for ordinary pictures. */
  public BandInput input() {
    return isPicture() ? null : new BandInput(bands.stream().map(Band::name).toList(), values);
  }

  /** Returns the places of the bands in a file, from 0; empty where the file holds them alone. */
  int[] indices() {
    return bands.stream().mapToInt(Band::index).filter(i -> i > 0).map(i -> i - 1).toArray();
  }
}
