/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.NoSuchFileException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntConsumer;

/**
 * One run of {@code encode}: pictures are read and decoded by several threads a few batches ahead,
 * encoded here, and sent while the next ones are encoded. The order is that of the source, so of
 * two pictures with the same bytes it is always the first that counts.
 */
public final class EncodeRun {
  /** Batches that are decoded ahead: enough to bridge a few slow files. */
  private static final int AHEAD = 4;

  /** Documents of one request, together. */
  private static final int REQUEST_BYTES = 4 << 20;

  private static final int REQUEST_DOCUMENTS = 256;

  private final FusionModel model;
  private final DocumentFormat format;
  private final Options options;
  private final Journal journal;
  private final Optional<IndexedDocuments> indexed;
  private final PictureReader reader;
  private final LongAdder readNanos = new LongAdder();
  private long encodeNanos;
  private final List<String> problems = new ArrayList<>();
  private final List<String> unplaced = new ArrayList<>();
  private int kept;

  /**
   * Summary of a run.
   *
   * @param kept pictures that were encoded and are kept
   * @param known pictures that the journal, or the index, held already
   * @param repeated pictures whose bytes another one has
   * @param empty chips of scenes that have too little data to be encoded
   * @param problems pictures that were left out, one line each
   * @param unplaced pictures that were kept without a place, though their file has one, one line
   *     each
   */
  public record Summary(
      int kept, int known, int repeated, int empty, List<String> problems, List<String> unplaced)
      implements Serializable {
    public Summary {
      problems = List.copyOf(problems);
      unplaced = List.copyOf(unplaced);
    }

    private Summary and(int more) {
      return new Summary(kept, known + more, repeated, empty, problems, unplaced);
    }
  }

  /**
   * Makes a run that goes on where a journal ends.
   *
   * @param format of the documents that the sink will write
   */
  public EncodeRun(FusionModel model, DocumentFormat format, Options options, Journal journal) {
    this(model, format, options, journal, Optional.empty());
  }

  /**
   * Makes a run that asks an index, too, what need not be sent.
   *
   * @param format of the documents that the sink will write
   */
  public EncodeRun(
      FusionModel model,
      DocumentFormat format,
      Options options,
      Journal journal,
      Optional<IndexedDocuments> indexed) {
    this.model = model;
    this.format = format;
    this.options = options;
    this.journal = journal;
    this.indexed = indexed;
    this.reader = reader(model.bundle(), format.sensor(), options.look());
  }

  static PictureReader reader(ModelBundle bundle, String sensor, Look look) {
    return new PictureReader(
        bundle.preprocessor(sensor), bundle.manifest().config().sensor(sensor), look);
  }

  /** Makes a sink that tells what it kept. */
  @FunctionalInterface
  public interface SinkFactory {
    DocumentSink open(DocumentSink.Listener listener) throws IOException;
  }

  /**
   * Encodes pictures.
   *
   * @param sinks makes the sink, which is closed here
   * @param progress told after each batch how many pictures are dealt with; what it throws ends the
   *     run, after which the journal holds what was kept
   * @throws IllegalArgumentException when more pictures had to be left out than are allowed
   * @throws IOException when the sink takes no more
   */
  public Summary run(List<SourceImage> images, SinkFactory sinks, IntConsumer progress)
      throws IOException, InterruptedException {
    return run(
        images.stream().<Encodable>map(image -> new PictureFile(image, format.sensor())).iterator(),
        sinks,
        progress);
  }

  /** Encodes the chips of scenes, as pictures. */
  public Summary run(Scenes scenes, SinkFactory sinks, IntConsumer progress)
      throws IOException, InterruptedException {
    return run(scenes.iterator(), sinks, progress);
  }

  /** Encodes what a pass over an archive brings. */
  public Summary run(ArchivePass pass, SinkFactory sinks, IntConsumer progress)
      throws IOException, InterruptedException {
    return run(pass.iterator(), sinks, progress);
  }

  private Summary run(Iterator<Encodable> pictures, SinkFactory sinks, IntConsumer progress)
      throws IOException, InterruptedException {
    ExecutorService readers = Executors.newFixedThreadPool(options.threads());
    try (DocumentSink sink = sinks.open(new Listener())) {
      if (indexed.isEmpty()) {
        return run(pictures, readers, sink, progress);
      }
      try (MissingPictures missing = new MissingPictures(pictures, reader, format, indexed.get())) {
        Summary sent = run(missing, readers, sink, done -> progress.accept(done + missing.known()));
        return sent.and(missing.known());
      }
    } finally {
      readers.shutdownNow();
    }
  }

  private Summary run(
      Iterator<Encodable> rest, ExecutorService readers, DocumentSink sink, IntConsumer progress)
      throws IOException, InterruptedException {
    int request =
        documentsOfRequest(format, new Thumbnails(options.look().thumbnail()).documentBytes());
    Deque<Future<PreparedPicture>> ahead = new ArrayDeque<>();
    List<PreparedPicture> batch = new ArrayList<>();
    List<Document> waiting = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    int known = 0;
    int repeated = 0;
    int empty = 0;
    int done = 0;
    while (rest.hasNext() || !ahead.isEmpty()) {
      while (rest.hasNext() && ahead.size() < AHEAD * options.batch()) {
        Encodable picture = rest.next();
        ahead.add(readers.submit(() -> prepare(picture)));
      }
      PreparedPicture next = await(ahead.remove());
      done++;
      if (next.outcome() == PreparedPicture.Outcome.BROKEN) {
        problem(next.picture().name() + ": " + next.problem());
        check();
      } else if (next.outcome() == PreparedPicture.Outcome.KNOWN) {
        known++;
        next.picture().settled();
      } else if (next.outcome() == PreparedPicture.Outcome.EMPTY) {
        empty++;
        next.picture().settled();
      } else if (!seen.add(next.facts().identity()) || journal.holds(id(next))) {
        repeated++;
        next.picture().settled();
      } else {
        batch.add(next);
      }
      boolean last = !rest.hasNext() && ahead.isEmpty();
      if (batch.size() == options.batch() || last) {
        waiting.addAll(encode(batch));
        batch.clear();
        while (waiting.size() >= request || (last && !waiting.isEmpty())) {
          List<Document> cut = waiting.subList(0, Math.min(request, waiting.size()));
          sink.send(List.copyOf(cut));
          cut.clear();
        }
        check();
      }
      if (batch.isEmpty()) {
        progress.accept(done);
      }
    }
    sink.finish();
    check();
    synchronized (problems) {
      return new Summary(kept, known, repeated, empty, problems, unplaced);
    }
  }

  /** Returns how many documents are sent together. */
  static int documentsOfRequest(DocumentFormat format, int thumbnailBytes) {
    int bytes = format.documentBytes() + thumbnailBytes;
    return Math.max(1, Math.min(REQUEST_DOCUMENTS, REQUEST_BYTES / bytes));
  }

  private String id(PreparedPicture picture) {
    return ContentId.document(format.field(), picture.facts().identity());
  }

  private static PreparedPicture await(Future<PreparedPicture> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalStateException("reading a picture failed", e.getCause());
    }
  }

  private PreparedPicture prepare(Encodable picture) {
    long start = System.nanoTime();
    try {
      return PreparedPicture.of(picture, reader, journal);
    } finally {
      readNanos.add(System.nanoTime() - start);
      picture.done();
    }
  }

  /** Returns why a file cannot be read. */
  static String reason(Exception e) {
    // The message of the first is the bare path.
    return e instanceof NoSuchFileException missing
        ? "there is no such file: " + missing.getFile()
        : "cannot be read: " + e;
  }

  private List<Document> encode(List<PreparedPicture> batch) {
    long start = System.nanoTime();
    List<Encoding> encodings =
        model.encodeImages(format.sensor(), batch.stream().map(PreparedPicture::pixels).toList());
    encodeNanos += System.nanoTime() - start;
    List<Document> documents = new ArrayList<>(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      PreparedPicture picture = batch.get(i);
      if (finite(encodings.get(i).embedding())) {
        documents.add(
            new Document(
                id(picture),
                picture.stamp(),
                picture.picture(),
                picture.facts(),
                encodings.get(i)));
        if (!picture.problem().isEmpty()) {
          unplaced.add(picture.picture().name() + ": " + picture.problem());
        }
      } else {
        problem(picture.picture().name() + ": the model's output is not finite");
      }
    }
    return documents;
  }

  /**
   * Time that a run has taken, in nanoseconds.
   *
   * @param read by all threads together that read and decode
   * @param encode by the model
   */
  public record Times(long read, long encode) {}

  /** Returns the time so far; called by the thread that runs. */
  public Times times() {
    return new Times(readNanos.sum(), encodeNanos);
  }

  private static boolean finite(float[] values) {
    for (float value : values) {
      if (!Float.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  private void problem(String text) {
    synchronized (problems) {
      problems.add(text);
    }
  }

  private void check() {
    synchronized (problems) {
      if (problems.size() > options.allowedProblems()) {
        throw new IllegalArgumentException(
            InvalidDatasetException.summary(
                "pictures cannot be encoded ("
                    + options.allowedProblems()
                    + " more problems allowed)",
                problems));
      }
    }
  }

  private final class Listener implements DocumentSink.Listener {
    @Override
    public void kept(List<Document> documents, long position) throws IOException {
      journal.add(documents, position);
      synchronized (problems) {
        kept += documents.size();
      }
      for (Document document : documents) {
        document.picture().settled();
      }
    }

    @Override
    public void refused(Document document, String reason) {
      problem(document.picture().name() + ": " + reason);
    }
  }

  /**
   * Options of a run.
   *
   * @param batch pictures in one call of the model, at least 1
   * @param threads that read and decode, at least 1
   * @param allowedProblems pictures that may be left out, broken or refused
   * @param look how pictures are shown
   */
  public record Options(int batch, int threads, int allowedProblems, Look look) {
    public Options {
      Objects.requireNonNull(look, "look");
      atLeast("batch", batch, 1);
      atLeast("threads", threads, 1);
      atLeast("allowedProblems", allowedProblems, 0);
    }

    /** Returns what is left to an archive of which so many pictures are left out already. */
    public Options after(int problems) {
      return new Options(batch, threads, allowedProblems - problems, look);
    }

    /** Returns the same without thumbnails. */
    public Options withoutThumbnails() {
      return new Options(batch, threads, allowedProblems, look.withoutThumbnails());
    }

    private static void atLeast(String name, int value, int least) {
      if (value < least) {
        throw new IllegalArgumentException(name + " must be at least " + least + ", got " + value);
      }
    }
  }
}
