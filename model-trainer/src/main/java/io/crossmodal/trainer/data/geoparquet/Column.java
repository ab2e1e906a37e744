/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import java.util.Objects;

/**
 * A column of a table. A row may lack its value.
 *
 * @param kind of its values
 */
public record Column(String name, Kind kind) {
  /** Name of the column of geometries. */
  public static final String GEOMETRY = "geometry";

  /** Name of the column of their bounds, {@code xmin}, {@code ymin}, {@code xmax}, {@code ymax}. */
  static final String BOUNDS = "bbox";

  /** Kinds of values, as Java has them in a row. */
  public enum Kind {
    /** A {@link String}. */
    TEXT,
    /** A {@link String} with JSON. */
    JSON,
    /** A {@code List<String>}. */
    TEXTS,
    /** A {@code float[]}. */
    FLOATS,
    /** An {@code int[]}. */
    INTEGERS,
    /** A {@link Double}. */
    NUMBER,
    /** An {@link java.time.Instant}, to the microsecond. */
    TIME,
    /** A {@code byte[]}. */
    BYTES
  }

  public Column {
    Objects.requireNonNull(kind, "kind");
    if (name.isEmpty() || name.equals(GEOMETRY) || name.equals(BOUNDS)) {
      throw new IllegalArgumentException("a column cannot be called [" + name + "]");
    }
  }
}
