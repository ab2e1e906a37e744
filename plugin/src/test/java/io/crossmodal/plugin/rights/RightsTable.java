/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** The table of docs/operations.md, "Rights": which role needs which action. */
final class RightsTable {
  /** The first columns; a role each stands in those behind them. */
  private static final List<String> COLUMNS = List.of("action", "on", "asked for by");

  private static final String START = "| " + String.join(" | ", COLUMNS) + " |";

  private final Map<String, String> scopes = new TreeMap<>();
  private final Map<String, Set<String>> roles = new LinkedHashMap<>();

  /** Reads the documentation. */
  RightsTable() throws IOException {
    List<String> rows = rows();
    List<String> names = cells(rows.get(0));
    for (String role : names.subList(COLUMNS.size(), names.size())) {
      roles.put(role, new TreeSet<>());
    }
    for (String row : rows.subList(2, rows.size())) {
      List<String> cells = cells(row);
      String action = cells.get(0).replace("`", "");
      scopes.put(action, cells.get(1));
      for (int i = COLUMNS.size(); i < names.size(); i++) {
        if (cells.get(i).equals("x")) {
          roles.get(names.get(i)).add(action);
        }
      }
    }
  }

  private static List<String> rows() throws IOException {
    try (InputStream in = RightsTable.class.getResourceAsStream("/operations.md")) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      return text.substring(text.indexOf(START)).lines().takeWhile(l -> l.startsWith("|")).toList();
    }
  }

  private static List<String> cells(String row) {
    List<String> cells = new ArrayList<>();
    for (String cell : row.substring(1, row.lastIndexOf('|')).split("\\|", -1)) {
      cells.add(cell.strip());
    }
    return cells;
  }

  /** The roles by name, each with its actions. */
  Map<String, Set<String>> roles() {
    return roles;
  }

  /** Every action with what it is asked for on: {@code index}, {@code cluster} or {@code node}. */
  Map<String, String> scopes() {
    return scopes;
  }
}
