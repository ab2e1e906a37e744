/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Rasters that scenes are: TIFF by this project's own reader, everything else by GDAL's programs
 * where they are installed. {@link io.crossmodal.trainer.raster.Rasters} opens them; a {@link
 * io.crossmodal.trainer.raster.RasterFile} is one with its place and what its name and header say.
 *
 * <p>A scene is named by a {@link java.nio.file.Path}, also where it is no file: {@code
 * /vsicurl/https://...} and GDAL's other virtual file systems, or {@code DRIVER:...}. Called by
 * whoever cuts scenes.
 */
package io.crossmodal.trainer.raster;
