/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Decoding of the files of a sensor that is no ordinary camera into numbers.
 *
 * @param names of the bands in the order of a file's bands, such as {@code VV} or {@code B8A}; for
 *     messages and for data sets with a file a band
 * @param values what stands in a file
 */
public record BandInput(List<String> names, Values values) {
  /** Meaning of a file's numbers; {@link SensorConfig}'s mean and deviation count behind it. */
  public enum Values {
    /** Taken as they are: reflectances, colours. */
    AS_STORED,
    /** Taken as they are: backscatter in dB, or grey levels that rise with it. */
    DECIBEL,
    /** Backscatter as a power, above 0, which becomes 10 log10 of it. */
    POWER_TO_DECIBEL;

    /** Returns whether they are a radar's, on a scale on which speckle adds. */
    public boolean radar() {
      return this != AS_STORED;
    }
  }

  private static final int MAX_NAME = 100;

  public BandInput {
    names = List.copyOf(Objects.requireNonNull(names, "names"));
    Objects.requireNonNull(values, "values");
    if (names.stream().anyMatch(name -> name.length() > MAX_NAME)) {
      throw new IllegalArgumentException("a band's name has at most " + MAX_NAME + " characters");
    }
    if (names.isEmpty() || names.stream().distinct().count() < names.size()) {
      throw new IllegalArgumentException("bands need distinct names, got " + names);
    }
  }

  void requireChannels(String sensor, int channels) {
    if (names.size() != channels) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor %s has %d channels and names %d bands, %s",
              sensor,
              channels,
              names.size(),
              names));
    }
  }
}
