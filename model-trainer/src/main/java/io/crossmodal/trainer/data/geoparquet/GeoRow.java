/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import java.util.List;
import java.util.Map;

/**
 * A row of a table.
 *
 * @param values by column; one that is missing is null in the file
 * @param polygons its geometry, longitude and latitude in degrees: outer rings, each closed; none
 *     where it is not known
 */
public record GeoRow(Map<String, Object> values, List<List<double[]>> polygons) {
  public GeoRow {
    values = Map.copyOf(values);
    polygons = polygons.stream().map(List::copyOf).toList();
  }
}
