/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** A benchmark's tables, as Markdown and as JSON, and its charts, as SVG. */
final class Report {
  private final String name;
  private final List<Table> tables = new ArrayList<>();
  private final Map<String, Chart> charts = new TreeMap<>();

  private record Table(String title, List<String> columns, List<List<String>> rows) {}

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
    List<String> row = new ArrayList<>();
    for (Object cell : cells) {
      row.add(cell instanceof Double number ? print(number) : String.valueOf(cell));
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

  /** Prints the tables, and writes them where {@code -Dbench.out} names a folder. */
  void publish() throws IOException {
    String markdown = markdown();
    System.out.println(markdown);
    String out = System.getProperty("bench.out", "");
    if (!out.isEmpty()) {
      Path folder = Files.createDirectories(Path.of(out));
      Files.writeString(folder.resolve(name + ".md"), markdown);
      Files.writeString(
          folder.resolve(name + ".json"),
          new GsonBuilder().setPrettyPrinting().create().toJson(json()));
      for (Map.Entry<String, Chart> chart : charts.entrySet()) {
        Files.writeString(
            folder.resolve(name + "-" + chart.getKey() + ".svg"), chart.getValue().svg());
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
      text.append("\n").append(table.title()).append("\n\n");
      text.append("| ").append(String.join(" | ", table.columns())).append(" |\n");
      text.append("|---".repeat(table.columns().size())).append("|\n");
      for (List<String> row : table.rows()) {
        text.append("| ").append(String.join(" | ", row)).append(" |\n");
      }
    }
    return text.toString();
  }

  private JsonObject json() {
    JsonObject report = new JsonObject();
    report.addProperty("bench", name);
    report.addProperty("processors", Runtime.getRuntime().availableProcessors());
    JsonArray all = new JsonArray();
    for (Table table : tables) {
      JsonObject object = new JsonObject();
      object.addProperty("title", table.title());
      JsonArray rows = new JsonArray();
      for (List<String> row : table.rows()) {
        JsonObject cells = new JsonObject();
        for (int i = 0; i < row.size(); i++) {
          cells.addProperty(table.columns().get(i), row.get(i));
        }
        rows.add(cells);
      }
      object.add("rows", rows);
      all.add(object);
    }
    report.add("tables", all);
    return report;
  }
}
