/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.data.geoparquet.GeoParquetWriter;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;

/** Writes documents as a GeoParquet file, which appears under its name when it is whole. */
public final class GeoParquetSink implements DocumentSink {
  private final Path file;
  private final Path part;
  private final DocumentFormat format;
  private final Listener listener;
  private final GeoParquetWriter writer;
  private boolean ended;

  /**
   * Begins a file.
   *
   * @param file replaced in the end, where it is there
   */
  public GeoParquetSink(Path file, DocumentFormat format, Listener listener) throws IOException {
    this.file = file;
    this.part = file.resolveSibling(file.getFileName() + ".part");
    this.format = format;
    this.listener = listener;
    this.writer =
        new GeoParquetWriter(
            part,
            EmbeddingTable.COLUMNS,
            Map.of(EmbeddingTable.METADATA, EmbeddingTable.metadata(format)));
  }

  @Override
  public void send(List<Document> documents) throws IOException {
    for (Document document : documents) {
      writer.write(EmbeddingTable.row(document, format));
    }
    listener.kept(documents, 0);
  }

  @Override
  public void finish() throws IOException {
    writer.close();
    Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
    // Not before: what was not finished is taken away.
    ended = true;
  }

  @Override
  public void close() throws IOException {
    if (!ended) {
      ended = true;
      try {
        writer.close();
      } finally {
        Files.deleteIfExists(part);
      }
    }
  }
}
