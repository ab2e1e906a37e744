/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.Map;
import java.util.function.BiConsumer;

/** Finds fields in a mapping as cluster state and templates hold it: a map of JSON. */
public final class MappingFields {
  private static final String DOC = "_doc";
  private static final String PROPERTIES = "properties";

  private MappingFields() {}

  /**
   * A field as a mapping has it.
   *
   * @param path its full name, which is not the one that was asked for where that is an alias
   * @param node its parameters, not to be changed
   */
  public record Field(String path, Map<String, Object> node) {
    /** Returns the type's name; null for an object without one. */
    public String type() {
      return node.get("type") == null ? null : String.valueOf(node.get("type"));
    }
  }

  /**
   * Finds one field.
   *
   * @param mapping with or without the enclosing {@code _doc}
   * @param path full name of a field, or of an alias of one
   * @return null where there is no such field
   */
  public static Field find(Map<String, Object> mapping, String path) {
    Map<String, Object> node = node(unwrap(mapping), path);
    if (node != null && "alias".equals(node.get("type"))) {
      // Core lets no alias lead to an alias.
      String target = String.valueOf(node.get("path"));
      Map<String, Object> field = node(unwrap(mapping), target);
      return field == null ? null : new Field(target, field);
    }
    return node == null ? null : new Field(path, node);
  }

  private static Map<String, Object> node(Map<String, Object> parent, String path) {
    Map<String, Object> properties = properties(parent);
    Map<String, Object> node = map(properties.get(path));
    if (node != null) {
      return node;
    }
    for (int dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
      Map<String, Object> child = map(properties.get(path.substring(0, dot)));
      if (child != null) {
        return node(child, path.substring(dot + 1));
      }
    }
    return null;
  }

  /**
   * Calls back for each field, leaf or object, of objects and nested objects too.
   *
   * @param mapping with or without the enclosing {@code _doc}
   * @param visitor gets a full name and the field's parameters
   */
  public static void visit(
      Map<String, Object> mapping, BiConsumer<String, Map<String, Object>> visitor) {
    visit("", unwrap(mapping), visitor);
  }

  /**
   * Returns whether there is a field of a type.
   *
   * @param mapping with or without the enclosing {@code _doc}
   */
  public static boolean has(Map<String, Object> mapping, String type) {
    boolean[] found = new boolean[1];
    visit(mapping, (path, node) -> found[0] |= type.equals(node.get("type")));
    return found[0];
  }

  private static void visit(
      String prefix, Map<String, Object> node, BiConsumer<String, Map<String, Object>> visitor) {
    for (Map.Entry<String, Object> property : properties(node).entrySet()) {
      Map<String, Object> child = map(property.getValue());
      if (child != null) {
        String path = prefix + property.getKey();
        visitor.accept(path, child);
        visit(path + ".", child, visitor);
      }
    }
  }

  private static Map<String, Object> unwrap(Map<String, Object> mapping) {
    Map<String, Object> doc = map(mapping.get(DOC));
    return doc == null ? mapping : doc;
  }

  private static Map<String, Object> properties(Map<String, Object> node) {
    Map<String, Object> properties = map(node.get(PROPERTIES));
    return properties == null ? Map.of() : properties;
  }

  @SuppressWarnings("unchecked") // the keys of JSON objects are strings
  private static Map<String, Object> map(Object value) {
    return value instanceof Map<?, ?> ? (Map<String, Object>) value : null;
  }
}
