/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;

/**
 * One object of an archive: the name of its TorchScript class and its attributes in order.
 *
 * <p>An attribute is a {@link ScriptTensor}, another {@code ScriptModule}, a {@link Long}, a {@link
 * Double} or a {@link Boolean}; these are the types that the sources in this package's resources
 * declare.
 */
public final class ScriptModule {
  private final String type;
  private final Map<String, Object> attributes = new LinkedHashMap<>();

  /**
   * An object without attributes yet.
   *
   * @param type qualified class name without the leading {@code __torch__}, such as {@code
   *     nn.Linear}
   */
  public ScriptModule(String type) {
    this.type = Objects.requireNonNull(type, "type");
    if (type.indexOf('.') < 1) {
      throw new IllegalArgumentException("type must be <module>.<class>, got " + type);
    }
    attributes.put("training", true);
  }

  public String type() {
    return type;
  }

  /** The attributes in the order in which they are written; unmodifiable. */
  public Map<String, Object> attributes() {
    return Collections.unmodifiableMap(attributes);
  }

  public ScriptModule with(String name, ScriptTensor value) {
    return put(name, value);
  }

  public ScriptModule with(String name, ScriptModule value) {
    return put(name, value);
  }

  public ScriptModule with(String name, long value) {
    return put(name, value);
  }

  public ScriptModule with(String name, double value) {
    return put(name, value);
  }

  private ScriptModule put(String name, Object value) {
    Objects.requireNonNull(value, name);
    if (attributes.putIfAbsent(name, value) != null) {
      throw new IllegalArgumentException(type + " has two attributes named " + name);
    }
    return this;
  }

  /** Visits every tensor below this module, depth first, under its dotted path. */
  public void forEachTensor(BiConsumer<String, ScriptTensor> visitor) {
    visit("", visitor);
  }

  private void visit(String prefix, BiConsumer<String, ScriptTensor> visitor) {
    attributes.forEach(
        (name, value) -> {
          if (value instanceof ScriptTensor tensor) {
            visitor.accept(prefix + name, tensor);
          } else if (value instanceof ScriptModule module) {
            module.visit(prefix + name + ".", visitor);
          }
        });
  }
}
