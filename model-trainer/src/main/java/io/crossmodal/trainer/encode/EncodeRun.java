/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.PictureFiles;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
  private final PictureReader reader;
  private final List<String> problems = new ArrayList<>();
  private final List<String> unplaced = new ArrayList<>();
  private int kept;

  /**
   * Summary of a run.
   *
   * @param kept pictures that were encoded and are kept
   * @param known pictures that the journal held already
   * @param repeated pictures whose bytes another one has
   * @param problems pictures that were left out, one line each
   * @param unplaced pictures that were kept without a place, though their file has one, one line
   *     each
   */
  public record Summary(
      int kept, int known, int repeated, List<String> problems, List<String> unplaced) {
    public Summary {
      problems = List.copyOf(problems);
      unplaced = List.copyOf(unplaced);
    }
  }

  /**
   * Makes a run.
   *
   * @param format of the documents that the sink will write
   */
  public EncodeRun(FusionModel model, DocumentFormat format, Options options, Journal journal) {
    this.model = model;
    this.format = format;
    this.options = options;
    this.journal = journal;
    this.reader =
        new PictureReader(
            model.bundle().preprocessor(format.sensor()),
            format.model().config().sensor(format.sensor()));
  }

  /** Makes a sink that tells what it kept. */
  @FunctionalInterface
  public interface SinkFactory {
    DocumentSink open(DocumentSink.Listener listener) throws IOException;
  }

  /** Outcome of preparing a picture, before it is encoded. */
  private enum Outcome {
    READY,
    KNOWN,
    BROKEN
  }

  /**
   * A picture that was looked at; what follows {@code problem} is there where it is ready.
   *
   * @param problem why it is broken, or why it is not known where it lies; empty for neither
   * @param stamp of its files
   * @param digest of its content
   */
  private record Prepared(
      Outcome outcome,
      SourceImage image,
      String problem,
      String stamp,
      String digest,
      Optional<PictureReader.Place> place,
      PixelTensor pixels) {
    static Prepared known(SourceImage image) {
      return new Prepared(Outcome.KNOWN, image, "", "", "", Optional.empty(), null);
    }

    static Prepared broken(SourceImage image, String reason) {
      return new Prepared(Outcome.BROKEN, image, reason, "", "", Optional.empty(), null);
    }
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
    ExecutorService readers = Executors.newFixedThreadPool(options.threads());
    try (DocumentSink sink = sinks.open(new Listener())) {
      return run(images, readers, sink, progress);
    } finally {
      readers.shutdownNow();
    }
  }

  private Summary run(
      List<SourceImage> images, ExecutorService readers, DocumentSink sink, IntConsumer progress)
      throws IOException, InterruptedException {
    int request = Math.max(1, Math.min(REQUEST_DOCUMENTS, REQUEST_BYTES / format.documentBytes()));
    Deque<Future<Prepared>> ahead = new ArrayDeque<>();
    Iterator<SourceImage> rest = images.iterator();
    List<Prepared> batch = new ArrayList<>();
    List<Document> waiting = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    int known = 0;
    int repeated = 0;
    int done = 0;
    while (rest.hasNext() || !ahead.isEmpty()) {
      while (rest.hasNext() && ahead.size() < AHEAD * options.batch()) {
        SourceImage image = rest.next();
        ahead.add(readers.submit(() -> prepare(image)));
      }
      Prepared next = await(ahead.remove());
      done++;
      if (next.outcome == Outcome.BROKEN) {
        problem(next.image.place() + ": " + next.problem);
        check();
      } else if (next.outcome == Outcome.KNOWN) {
        known++;
      } else if (!seen.add(next.digest) || journal.holds(id(next))) {
        repeated++;
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
      return new Summary(kept, known, repeated, problems, unplaced);
    }
  }

  private String id(Prepared picture) {
    return ContentId.document(format.field(), picture.digest);
  }

  private static Prepared await(Future<Prepared> future) throws InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw new IllegalStateException("reading a picture failed", e.getCause());
    }
  }

  private Prepared prepare(SourceImage image) {
    try {
      String stamp = stamp(image);
      if (journal.holdsFile(stamp)) {
        return Prepared.known(image);
      }
      List<byte[]> files = new ArrayList<>();
      for (Path file : image.files()) {
        files.add(PictureFiles.read(file));
      }
      PixelTensor pixels = reader.pixels(files);
      Optional<PictureReader.Place> place = Optional.empty();
      String unplaced = "";
      try {
        place = PictureReader.place(files.get(0));
      } catch (IllegalArgumentException e) {
        unplaced = e.getMessage();
      }
      String digest = ContentId.digest(format.sensor(), files);
      return new Prepared(Outcome.READY, image, unplaced, stamp, digest, place, pixels);
    } catch (IllegalArgumentException e) {
      return Prepared.broken(image, e.getMessage());
    } catch (NoSuchFileException e) {
      // Its message is the bare path.
      return Prepared.broken(image, "there is no such file: " + e.getFile());
    } catch (IOException e) {
      return Prepared.broken(image, "cannot be read: " + e);
    }
  }

  private static String stamp(SourceImage image) throws IOException {
    StringBuilder files = new StringBuilder(image.path());
    for (Path file : image.files()) {
      // Tiles of two archives may have a name, a size and a time in common.
      files.append('\0').append(file.toAbsolutePath().normalize());
      files.append('\0').append(Files.size(file));
      files.append('\0').append(Files.getLastModifiedTime(file).toMillis());
    }
    return ContentId.shortened(files.toString());
  }

  private List<Document> encode(List<Prepared> batch) {
    List<Encoding> encodings =
        model.encodeImages(format.sensor(), batch.stream().map(Prepared::pixels).toList());
    List<Document> documents = new ArrayList<>(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      Prepared picture = batch.get(i);
      if (finite(encodings.get(i).embedding())) {
        documents.add(
            new Document(
                id(picture),
                picture.stamp,
                picture.digest,
                picture.image,
                picture.place,
                encodings.get(i)));
        if (!picture.problem.isEmpty()) {
          unplaced.add(picture.image.place() + ": " + picture.problem);
        }
      } else {
        problem(picture.image.place() + ": the model's output is not finite");
      }
    }
    return documents;
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
    }

    @Override
    public void refused(Document document, String reason) {
      problem(document.image().place() + ": " + reason);
    }
  }

  /**
   * Options of a run.
   *
   * @param batch pictures in one call of the model, at least 1
   * @param threads that read and decode, at least 1
   * @param allowedProblems pictures that may be left out, broken or refused
   */
  public record Options(int batch, int threads, int allowedProblems) {
    public Options {
      atLeast("batch", batch, 1);
      atLeast("threads", threads, 1);
      atLeast("allowedProblems", allowedProblems, 0);
    }

    /** Returns what is left to an archive of which so many pictures are left out already. */
    public Options after(int problems) {
      return new Options(batch, threads, allowedProblems - problems);
    }

    private static void atLeast(String name, int value, int least) {
      if (value < least) {
        throw new IllegalArgumentException(name + " must be at least " + least + ", got " + value);
      }
    }
  }
}
