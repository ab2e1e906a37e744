/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import java.util.Optional;

/** GDAL's table of coordinate reference systems, where it is installed. */
public final class EpsgTable {
  private EpsgTable() {}

  /** Returns a system in PROJ's words; empty where GDAL is not there, or does not know it. */
  public static Optional<String> parameters(int epsg) {
    return Gdal.parameters(Rasters.searchPath(), "EPSG:" + epsg);
  }
}
