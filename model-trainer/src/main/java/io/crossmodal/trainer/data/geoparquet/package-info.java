/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Reads and writes GeoParquet 1.1: tables with a geometry in WKB, which DuckDB, GeoPandas and GDAL
 * read.
 *
 * <p>Entry classes: {@link io.crossmodal.trainer.data.geoparquet.GeoParquetWriter} and {@link
 * io.crossmodal.trainer.data.geoparquet.GeoParquetReader}, which the package {@code encode} calls
 * for embeddings. The only place that knows parquet-java (decision 0047).
 */
package io.crossmodal.trainer.data.geoparquet;
