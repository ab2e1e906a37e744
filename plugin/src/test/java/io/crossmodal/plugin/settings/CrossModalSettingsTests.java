/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.settings;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.core.common.unit.ByteSizeValue;
import org.opensearch.test.OpenSearchTestCase;

public class CrossModalSettingsTests extends OpenSearchTestCase {
  private static final String PREFIX = "plugins.cross_modal.";

  /** How docs/operations.md says defaults that are no plain value. */
  private static final Map<String, String> IN_WORDS =
      Map.of(
          "inference.threads", "half of the processors",
          "engine.socket", "/run/cross-modal/worker.sock",
          "engine.tls.ca", "none",
          "engine.tls.certificate", "none",
          "engine.tls.key", "none",
          "ui.tile_url", "none",
          "ui.tile_attribution", "none",
          "ui.picture_url", "none",
          "codec.other_codecs", "index.knn, index.sparse");

  private static String operations() throws IOException {
    try (InputStream in = CrossModalSettingsTests.class.getResourceAsStream("/operations.md")) {
      assertNotNull("docs/operations.md among the test resources", in);
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** The rows of the table of node settings: the name, and what its first three cells say. */
  private static Map<String, List<String>> rows() throws IOException {
    Map<String, List<String>> rows = new TreeMap<>();
    boolean inTable = false;
    for (String line : operations().split("\n", -1)) {
      inTable = line.startsWith("| setting `" + PREFIX + "`") || (inTable && line.startsWith("|"));
      if (inTable && line.startsWith("| `")) {
        String[] cells = line.split("\\|", -1);
        rows.put(
            cells[1].trim().replace("`", ""),
            List.of(cells[2].trim().replace("`", ""), cells[3].trim()));
      }
    }
    return rows;
  }

  private static String defaultOf(Setting<?> setting) {
    Object value = setting.get(Settings.EMPTY);
    return value instanceof ByteSizeValue size
        ? size.toString()
        : setting.getDefaultRaw(Settings.EMPTY);
  }

  public void testOperationsListsEachWithItsDefault() throws IOException {
    Map<String, List<String>> expected = new TreeMap<>();
    for (Setting<?> setting : CrossModalSettings.all()) {
      if (setting.hasNodeScope()) {
        assertTrue(setting.getKey(), setting.getKey().startsWith(PREFIX));
        String name = setting.getKey().substring(PREFIX.length());
        expected.put(
            name,
            List.of(
                IN_WORDS.getOrDefault(name, defaultOf(setting)), setting.isDynamic() ? "yes" : ""));
      } else {
        assertTrue(operations().contains("| `" + setting.getKey() + "` |"));
      }
    }
    Map<String, List<String>> documented = rows();
    List<String> wrong = new ArrayList<>();
    expected.forEach(
        (name, cells) -> {
          if (!cells.equals(documented.get(name))) {
            wrong.add(name + " is " + cells + ", documented as " + documented.get(name));
          }
        });
    assertEquals(List.of(), wrong);
    assertEquals(expected.keySet(), documented.keySet());
  }

  public void testAllAreRegistered() throws IllegalAccessException {
    List<Object> declared = new ArrayList<>();
    for (Class<?> holder : List.of(CrossModalSettings.class, EngineSettings.class)) {
      for (Field field : holder.getFields()) {
        if (Modifier.isStatic(field.getModifiers()) && field.getType() == Setting.class) {
          declared.add(field.get(null));
        }
      }
    }
    assertEquals(declared.size(), CrossModalSettings.all().size());
    assertTrue(CrossModalSettings.all().containsAll(declared));
    assertTrue(CrossModalSettings.all().containsAll(CrossModalSettings.DYNAMIC_INFERENCE));
    for (Setting<?> setting : CrossModalSettings.DYNAMIC_INFERENCE) {
      assertTrue(setting.getKey(), setting.isDynamic());
    }
  }
}
