/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * A benchmark's tables, as Markdown and as JSON, and its charts, as SVG; beside another run's JSON
 * the ratios to it, such as to a run of the commit before.
 */
final class Report {
  private static final String DECIMAL = "-?\\d+[.]\\d+";

  private final String name;
  private final List<Table> tables = new ArrayList<>();
  private final Map<String, Chart> charts = new TreeMap<>();

  private record Table(String title, List<String> columns, List<List<Cell>> rows) {}

  /** What is not measured says which row it is. */
  private record Cell(String text, boolean measured) {}

  Report(String name) {
    this.name = name;
  }

  /**
   * Begins a table.
   *
   * @param columns their heads, as Markdown parts them: by " | "
   */
  void table(String title, String columns) {
    tables.add(new Table(title, List.of(columns.split(" \\| ")), new ArrayList<>()));
  }

  /** Adds a row to the last table; numbers with three significant digits or more. */
  void row(Object... cells) {
    List<Cell> row = new ArrayList<>();
    for (Object cell : cells) {
      String text = cell instanceof Double number ? print(number) : String.valueOf(cell);
      row.add(new Cell(text, cell instanceof Double || text.matches(DECIMAL)));
    }
    tables.get(tables.size() - 1).rows().add(row);
  }

  private static String print(double number) {
    double size = Math.abs(number);
    String format = size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, format, number);
  }

  /** Adds a chart, {@code NAME-chart.svg} beside the tables. */
  void chart(String chart, Chart drawing) {
    charts.put(chart, drawing);
  }

  /**
   * Prints the tables, and writes them where {@code -Dbench.out} names a folder; with the ratios to
   * the run whose JSON {@code -Dbench.against} names.
   */
  void publish() throws IOException {
    String against = System.getProperty("bench.against", "");
    String markdown = markdown() + (against.isEmpty() ? "" : ratios(Path.of(against)));
    System.out.println(markdown);
    String out = System.getProperty("bench.out", "");
    if (!out.isEmpty()) {
      Path folder = Files.createDirectories(Path.of(out));
      Files.writeString(folder.resolve(name + ".md"), markdown);
      Files.writeString(folder.resolve(name + ".json"), json());
      for (Map.Entry<String, Chart> chart : charts.entrySet()) {
        if (!chart.getValue().isEmpty()) {
          Files.writeString(
              folder.resolve(name + "-" + chart.getKey() + ".svg"), chart.getValue().svg());
        }
      }
    }
  }

  private String markdown() {
    StringBuilder text =
        new StringBuilder("\n")
            .append(Runtime.getRuntime().availableProcessors())
            .append(" processors, JDK ")
            .append(Runtime.version().feature())
            .append("\n");
    for (Table table : tables) {
      append(text, table);
    }
    return text.toString();
  }

  private static void append(StringBuilder text, Table table) {
    text.append("\n").append(table.title()).append("\n\n");
    text.append("| ").append(String.join(" | ", table.columns())).append(" |\n");
    text.append("|---".repeat(table.columns().size())).append("|\n");
    for (List<Cell> row : table.rows()) {
      text.append("| ")
          .append(String.join(" | ", row.stream().map(Cell::text).toList()))
          .append(" |\n");
    }
  }

  /**
   * Returns this run's measured values over those of another run, in tables as Markdown; rows and
   * columns that the other one has not are empty.
   *
   * @param other JSON of a run of the same benchmark
   * @throws IllegalArgumentException when it is one of another benchmark
   */
  String ratios(Path other) throws IOException {
    JsonObject before = JsonParser.parseString(Files.readString(other)).getAsJsonObject();
    String bench = before.has("bench") ? before.get("bench").getAsString() : "";
    if (!bench.equals(name)) {
      throw new IllegalArgumentException(
          other + " is of the benchmark [" + bench + "], this is [" + name + "]");
    }
    StringBuilder text = new StringBuilder();
    for (Table table : tables) {
      List<List<Cell>> rows = new ArrayList<>();
      for (List<Cell> row : table.rows()) {
        JsonObject same = find(before, table, row);
        List<Cell> ratios = new ArrayList<>();
        for (int i = 0; i < row.size(); i++) {
          Cell cell = row.get(i);
          ratios.add(
              cell.measured() ? new Cell(ratio(cell, same, table.columns().get(i)), true) : cell);
        }
        rows.add(ratios);
      }
      append(text, new Table(table.title() + ": over " + other, table.columns(), rows));
    }
    return text.toString();
  }

  private static String ratio(Cell now, JsonObject before, String column) {
    if (before == null || !before.has(column)) {
      return "";
    }
    try {
      double ratio =
          Double.parseDouble(now.text()) / Double.parseDouble(before.get(column).getAsString());
      return Double.isFinite(ratio) ? String.format(Locale.ROOT, "%.2f", ratio) : "";
    } catch (NumberFormatException e) {
      return "";
    }
  }

  /** Returns the other run's row of the same names; null where there is none. */
  private static JsonObject find(JsonObject before, Table table, List<Cell> row) {
    for (JsonElement other : before.getAsJsonArray("tables")) {
      if (other.getAsJsonObject().get("title").getAsString().equals(table.title())) {
        for (JsonElement one : other.getAsJsonObject().getAsJsonArray("rows")) {
          if (isSame(one.getAsJsonObject(), table, row)) {
            return one.getAsJsonObject();
          }
        }
      }
    }
    return null;
  }

  private static boolean isSame(JsonObject before, Table table, List<Cell> row) {
    for (int i = 0; i < row.size(); i++) {
      JsonElement cell = before.get(table.columns().get(i));
      if (!row.get(i).measured()
          && (cell == null || !cell.getAsString().equals(row.get(i).text()))) {
        return false;
      }
    }
    return true;
  }

  /** Returns the tables as JSON. */
  String json() {
    JsonObject report = new JsonObject();
    report.addProperty("bench", name);
    report.addProperty("processors", Runtime.getRuntime().availableProcessors());
    JsonArray all = new JsonArray();
    for (Table table : tables) {
      JsonObject object = new JsonObject();
      object.addProperty("title", table.title());
      JsonArray rows = new JsonArray();
      for (List<Cell> row : table.rows()) {
        JsonObject cells = new JsonObject();
        for (int i = 0; i < row.size(); i++) {
          cells.addProperty(table.columns().get(i), row.get(i).text());
        }
        rows.add(cells);
      }
      object.add("rows", rows);
      all.add(object);
    }
    report.add("tables", all);
    return new GsonBuilder().setPrettyPrinting().create().toJson(report);
  }
}
