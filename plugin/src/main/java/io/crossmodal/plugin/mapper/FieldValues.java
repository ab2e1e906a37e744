/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Finds a field's values in a document's source. */
public final class FieldValues {
  private FieldValues() {}

  /**
   * Calls back for each value that is an object, in objects, arrays of objects and under names with
   * dots. A plain string becomes an object with {@code text} in the document, where strings are
   * allowed. Other values are left for the mapper to refuse.
   *
   * @param path full name of the field
   * @param strings whether a plain string stands for {@code {"text": ..}}
   */
  public static void visit(
      Map<String, Object> source,
      String path,
      boolean strings,
      Consumer<Map<String, Object>> visitor) {
    for (Map.Entry<String, Object> entry : source.entrySet()) {
      String key = entry.getKey();
      if (key.equals(path)) {
        if (strings && entry.getValue() instanceof String text) {
          Map<String, Object> value = new HashMap<>();
          value.put(DocumentValue.TEXT, text);
          entry.setValue(value);
        }
        if (entry.getValue() instanceof Map<?, ?> value) {
          visitor.accept(cast(value));
        }
      } else if (path.startsWith(key + ".")) {
        String rest = path.substring(key.length() + 1);
        if (entry.getValue() instanceof Map<?, ?> child) {
          visit(cast(child), rest, strings, visitor);
        } else if (entry.getValue() instanceof List<?> children) {
          for (Object child : children) {
            if (child instanceof Map<?, ?> map) {
              visit(cast(map), rest, strings, visitor);
            }
          }
        }
      }
    }
  }

  @SuppressWarnings("unchecked") // the keys of JSON objects are strings
  private static Map<String, Object> cast(Map<?, ?> map) {
    return (Map<String, Object>) map;
  }
}
