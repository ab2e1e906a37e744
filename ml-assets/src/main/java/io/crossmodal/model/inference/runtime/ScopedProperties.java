/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.runtime;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.function.Supplier;

/** System properties that have other values for a while. */
final class ScopedProperties {
  private ScopedProperties() {}

  /**
   * Runs an action while system properties have other values. They belong to everybody in the JVM,
   * so this holds the monitor of {@link System#getProperties()}: {@code System.setProperty} takes
   * it too, so that nobody's own values are lost meanwhile, whichever class loader he comes from.
   *
   * @param values by name; null where the property must be absent
   */
  static <T> T during(Map<String, String> values, Supplier<T> action) {
    Properties properties = System.getProperties();
    synchronized (properties) {
      Map<String, String> before = new HashMap<>();
      values.keySet().forEach(name -> before.put(name, properties.getProperty(name)));
      try {
        values.forEach((name, value) -> set(properties, name, value));
        return action.get();
      } finally {
        before.forEach((name, value) -> set(properties, name, value));
      }
    }
  }

  private static void set(Properties properties, String name, String value) {
    if (value == null) {
      properties.remove(name);
    } else {
      properties.setProperty(name, value);
    }
  }
}
