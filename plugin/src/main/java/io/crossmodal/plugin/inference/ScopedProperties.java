/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;

/**
 * System properties that have other values until this is closed. They belong to everybody in the
 * JVM, so whoever opens it holds the monitor of {@link System#getProperties()} until it is closed:
 * {@code System.setProperty} takes that monitor too, so that nobody's own values are lost meanwhile,
 * whichever class loader he comes from.
 */
final class ScopedProperties implements AutoCloseable {
  private final Properties properties = System.getProperties();
  private final Map<String, String> before = new HashMap<>();

  /**
   * Sets properties.
   *
   * @param values by name; null where the property must be absent
   */
  ScopedProperties(Map<String, String> values) {
    if (!Thread.holdsLock(properties)) {
      throw new IllegalStateException("the caller must hold the monitor of System.getProperties()");
    }
    values.forEach(
        (name, value) -> {
          before.put(name, properties.getProperty(name));
          set(name, value);
        });
  }

  private void set(String name, String value) {
    if (value == null) {
      properties.remove(name);
    } else {
      properties.setProperty(name, value);
    }
  }

  /** Restores what was there. */
  @Override
  public void close() {
    before.forEach(this::set);
  }
}
