/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.train.RunFolder;
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
 * Log of a training run.
 *
 * @param losses by name, the mean losses over the steps before a step
 * @param validation by name, what a validation found after a step
 * @param stepsPerSecond by step
 */
record TrainingLog(
    Map<String, SortedMap<Integer, Double>> losses,
    Map<String, SortedMap<Integer, Double>> validation,
    SortedMap<Integer, Double> stepsPerSecond) {

  /**
   * Reads {@code metrics.jsonl}. Losses are taken as they come: a task that was added to the
   * trainer has its curve. Steps that were taken twice, because a run was killed and resumed, count
   * as they were taken last.
   *
   * @param run folder; a run begins the file with its first line
   * @throws IOException when a line in it is no metrics line
   */
  static TrainingLog read(Path run) throws IOException {
    TrainingLog log =
        new TrainingLog(new LinkedHashMap<>(), new LinkedHashMap<>(), new TreeMap<>());
    RunFolder.metrics(run).forEach(log::add);
    return log;
  }

  private void add(int step, JsonObject line) {
    curves(losses, step, line.getAsJsonObject("losses"));
    curves(validation, step, line.getAsJsonObject("validation"));
    if (line.has("steps_per_second")) {
      stepsPerSecond.put(step, line.get("steps_per_second").getAsDouble());
    }
  }

  private static void curves(
      Map<String, SortedMap<Integer, Double>> curves, int step, JsonObject values) {
    if (values != null) {
      values
          .entrySet()
          .forEach(
              value ->
                  curves
                      .computeIfAbsent(value.getKey(), name -> new TreeMap<>())
                      .put(step, value.getValue().getAsDouble()));
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
