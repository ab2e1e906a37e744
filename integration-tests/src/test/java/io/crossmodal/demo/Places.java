/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Where and when the generated scenes were "seen", as invented as the scenes themselves: a grid of
 * places near Lake Constance, each of them seen on {@value #DATES} dates. The fields are those that
 * {@code encode} writes, and the place's name.
 */
public final class Places {
  /** Scenes of one place. */
  public static final int DATES = 4;

  private static final int COLUMNS = 10;
  private static final double WEST = 9.0;
  private static final double NORTH = 47.9;

  /** Sides of a footprint in degrees, about a kilometre each. */
  private static final double WIDTH = 0.014;

  private static final double HEIGHT = 0.01;
  private static final LocalDate FIRST = LocalDate.of(2021, 3, 1);

  private Places() {}

  /** Returns what a mapping says of the fields. */
  public static JsonObject mapping() {
    return json(
        Map.of(
            "site", Map.of("type", "keyword"),
            "acquired", Map.of("type", "date"),
            "footprint", Map.of("type", "geo_shape"),
            "centre", Map.of("type", "geo_point")));
  }

  /**
   * Returns the fields of a scene.
   *
   * @param scene number from 0; scenes that differ in little come one after the other
   */
  public static JsonObject of(int scene) {
    int site = scene / DATES;
    double west = WEST + (site % COLUMNS) * WIDTH;
    double north = NORTH - (site / COLUMNS) * HEIGHT;
    double east = west + WIDTH;
    double south = north - HEIGHT;
    List<List<Double>> ring =
        List.of(
            List.of(west, north),
            List.of(west, south),
            List.of(east, south),
            List.of(east, north),
            List.of(west, north));
    return json(
        Map.of(
            "site", String.format(Locale.ROOT, "site-%03d", site),
            "acquired", FIRST.plusYears(scene % DATES).plusDays(37L * site % 240).toString(),
            "footprint", Map.of("type", "polygon", "coordinates", List.of(ring)),
            "centre", Map.of("lat", (north + south) / 2, "lon", (west + east) / 2)));
  }

  private static JsonObject json(Map<String, Object> fields) {
    return new Gson().toJsonTree(fields).getAsJsonObject();
  }
}
