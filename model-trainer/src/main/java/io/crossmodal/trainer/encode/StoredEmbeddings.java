/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.geoparquet.GeoParquetReader;
import io.crossmodal.trainer.data.geoparquet.GeoRow;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntConsumer;

/** Documents that {@code encode} wrote to a GeoParquet file: no model runs for them again. */
public final class StoredEmbeddings implements Closeable {
  private static final String SUFFIX = ".parquet";

  private final Path path;
  private final GeoParquetReader reader;
  private final JsonObject about;

  private StoredEmbeddings(Path path, GeoParquetReader reader, JsonObject about) {
    this.path = path;
    this.reader = reader;
    this.about = about;
  }

  /** Returns whether a file is one, by its name. */
  public static boolean isNamed(Path file) {
    return file.getFileName() != null
        && file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(SUFFIX);
  }

  /**
   * Opens a file.
   *
   * @throws IllegalArgumentException when it is none that {@code encode} wrote
   */
  public static StoredEmbeddings open(Path path) throws IOException {
    GeoParquetReader reader = GeoParquetReader.open(path, EmbeddingTable.COLUMNS);
    try {
      String about =
          reader
              .metadata(EmbeddingTable.METADATA)
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          path
                              + " does not say by which model it was encoded (its metadata have no"
                              + " ["
                              + EmbeddingTable.METADATA
                              + "]): a file of encode --out FILE.parquet is expected; a tool that"
                              + " wrote it anew must keep it"));
      return new StoredEmbeddings(path, reader, JsonParser.parseString(about).getAsJsonObject());
    } catch (IllegalArgumentException e) {
      reader.close();
      throw e;
    } catch (JsonParseException | IllegalStateException e) {
      reader.close();
      throw new IllegalArgumentException(
          path + ": its metadata [" + EmbeddingTable.METADATA + "] are damaged", e);
    }
  }

  /** Returns how many documents it has. */
  public long size() {
    return reader.size();
  }

  private String about(String name) {
    return about.get(name) == null ? "" : about.get(name).getAsString();
  }

  /**
   * Checks that a field can take them.
   *
   * @throws IllegalArgumentException when another model encoded them, or for another field: ids
   *     hold the field's name
   */
  public void check(DocumentFormat format) {
    Fingerprints spaces = format.model().fingerprints();
    if (!spaces.embeddingSpace().equals(about("embedding_space"))
        || !spaces.tokenSpace().equals(about("token_space"))) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s was encoded by [%s] with filter space %s and token space %s; the bundle [%s]"
                  + " makes %s and %s. Name that bundle",
              path,
              about("model"),
              about("embedding_space"),
              about("token_space"),
              format.model().id(),
              spaces.embeddingSpace(),
              spaces.tokenSpace()));
    }
    if (!format.field().equals(about("field"))) {
      throw new IllegalArgumentException(
          path
              + " was encoded for the field ["
              + about("field")
              + "], got ["
              + format.field()
              + "]");
    }
    if (!format.sensor().equals(about("sensor"))) {
      throw new IllegalArgumentException(
          path
              + " holds pictures of sensor ["
              + about("sensor")
              + "], got ["
              + format.sensor()
              + "]: name it with --sensor");
    }
    boolean kept =
        format.tokens() == TokenForm.NONE || format.tokens().key().equals(about("tokens"));
    if (!kept) {
      throw new IllegalArgumentException(
          path
              + " keeps tokens as ["
              + about("tokens")
              + "], the field keeps them as ["
              + format.tokens().key()
              + "]");
    }
  }

  /**
   * Hands all documents to a sink.
   *
   * @param journal tells which are there already
   * @param allowedProblems rows that may be left out
   * @param sinks makes the sink, which is closed here
   * @param progress told how many are dealt with
   */
  public EncodeRun.Summary run(
      DocumentFormat format,
      Journal journal,
      int allowedProblems,
      EncodeRun.SinkFactory sinks,
      IntConsumer progress)
      throws IOException, InterruptedException {
    Handing handing = new Handing(journal, allowedProblems);
    try (DocumentSink sink = sinks.open(handing)) {
      int request = EncodeRun.documentsOfRequest(format, 0);
      List<Document> waiting = new ArrayList<>();
      int known = 0;
      int done = 0;
      while (done < reader.size()) {
        done++;
        Optional<Document> document = document(done, format, handing);
        if (document.isEmpty()) {
          handing.check();
        } else if (journal.holds(document.get().id())) {
          known++;
        } else {
          waiting.add(document.get());
        }
        if (waiting.size() == request) {
          sink.send(List.copyOf(waiting));
          waiting.clear();
          handing.check();
          progress.accept(done);
        }
      }
      if (!waiting.isEmpty()) {
        sink.send(waiting);
      }
      handing.check();
      sink.finish();
      handing.check();
      progress.accept(done);
      return handing.summary(known);
    }
  }

  /** Returns the document of the next row; empty where it is refused, which is a problem. */
  private Optional<Document> document(int number, DocumentFormat format, Handing handing)
      throws IOException {
    GeoRow row;
    try {
      row = reader.next().orElseThrow();
    } catch (GeoParquetReader.RowException e) {
      handing.problem("row " + number + ": " + e.getMessage());
      return Optional.empty();
    }
    try {
      return Optional.of(EmbeddingTable.document(row, format));
    } catch (IllegalArgumentException e) {
      handing.problem("row " + number + ": " + e.getMessage());
      return Optional.empty();
    }
  }

  /** Hears what became of documents. */
  private static final class Handing implements DocumentSink.Listener {
    private final Journal journal;
    private final int allowedProblems;
    private final List<String> problems = new ArrayList<>();
    private int kept;

    Handing(Journal journal, int allowedProblems) {
      this.journal = journal;
      this.allowedProblems = allowedProblems;
    }

    @Override
    public synchronized void kept(List<Document> documents, long position) throws IOException {
      journal.add(documents, position);
      kept += documents.size();
    }

    @Override
    public void refused(Document document, String reason) {
      problem(document.picture().name() + ": " + reason);
    }

    synchronized void problem(String text) {
      problems.add(text);
    }

    synchronized void check() {
      if (problems.size() > allowedProblems) {
        throw new IllegalArgumentException(
            InvalidDatasetException.summary(
                "rows cannot be taken (" + allowedProblems + " problems allowed)", problems));
      }
    }

    synchronized EncodeRun.Summary summary(int known) {
      return new EncodeRun.Summary(kept, known, 0, 0, problems, List.of());
    }
  }

  @Override
  public void close() throws IOException {
    reader.close();
  }
}
