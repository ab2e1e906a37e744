/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a run wrote while it trained.
 *
 * @param losses by name, the mean losses over the steps before a step
 * @param stepsPerSecond by step
 */
record TrainingLog(
    Map<String, SortedMap<Integer, Double>> losses, SortedMap<Integer, Double> stepsPerSecond) {

  /**
   * Reads {@code metrics.jsonl}. Losses are taken as they come: a task that was added to the
   * trainer has its curve. Steps that were taken twice, because a run was killed and resumed, count
   * as they were taken last.
   *
   * @param file need not exist: a run begins it with its first line
   * @throws IOException when a line in it is no metrics line
   */
  static TrainingLog read(Path file) throws IOException {
    SortedMap<Integer, JsonObject> lines = new TreeMap<>();
    List<String> all = Files.exists(file) ? Files.readAllLines(file) : List.of();
    for (int i = 0; i < all.size(); i++) {
      try {
        JsonObject line = JsonParser.parseString(all.get(i)).getAsJsonObject();
        lines.put(line.get("step").getAsInt(), line);
      } catch (JsonParseException | IllegalStateException | NullPointerException e) {
        if (i < all.size() - 1) {
          throw new IOException(file + ", line " + (i + 1) + " is no metrics line", e);
        }
        // The last line of a run that was killed may be cut short.
      }
    }
    TrainingLog log = new TrainingLog(new LinkedHashMap<>(), new TreeMap<>());
    lines.forEach(log::add);
    return log;
  }

  private void add(int step, JsonObject line) {
    if (line.has("losses")) {
      for (Map.Entry<String, JsonElement> loss : line.getAsJsonObject("losses").entrySet()) {
        losses
            .computeIfAbsent(loss.getKey(), name -> new TreeMap<>())
            .put(step, loss.getValue().getAsDouble());
      }
    }
    if (line.has("steps_per_second")) {
      stepsPerSecond.put(step, line.get("steps_per_second").getAsDouble());
    }
  }

  /** Returns the options of a run as names with values, nested names joined by a dot. */
  static Map<String, String> options(Path file) throws IOException {
    Map<String, String> options = new LinkedHashMap<>();
    try {
      flatten("", JsonParser.parseString(Files.readString(file)), options);
    } catch (JsonParseException e) {
      throw new IOException(file + " is no JSON: " + e.getMessage(), e);
    }
    return options;
  }

  private static void flatten(String name, JsonElement value, Map<String, String> options) {
    if (!value.isJsonObject()) {
      options.put(name, value.isJsonPrimitive() ? value.getAsString() : value.toString());
      return;
    }
    value
        .getAsJsonObject()
        .entrySet()
        .forEach(
            entry ->
                flatten(
                    name.isEmpty() ? entry.getKey() : name + "." + entry.getKey(),
                    entry.getValue(),
                    options));
  }

  /** Returns steps and values of a curve. */
  static List<double[]> columns(SortedMap<Integer, Double> curve) {
    List<double[]> columns = new ArrayList<>();
    columns.add(doubles(curve.keySet()));
    columns.add(doubles(curve.values()));
    return columns;
  }

  private static double[] doubles(Collection<? extends Number> numbers) {
    return numbers.stream().mapToDouble(Number::doubleValue).toArray();
  }
}
