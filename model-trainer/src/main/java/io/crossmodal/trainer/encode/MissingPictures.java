/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Those pictures of a source that an index does not hold as they would be encoded now. It is asked
 * for many at once, a request ahead, by a thread of its own. Used by one thread.
 */
final class MissingPictures implements Iterator<Encodable>, Closeable {
  /** Pictures of one request. */
  static final int ASKED = 128;

  private final Iterator<Encodable> source;
  private final PictureReader reader;
  private final DocumentFormat format;
  private final IndexedDocuments index;
  private final ExecutorService asker = Executors.newSingleThreadExecutor();
  private final Queue<Encodable> missing = new ArrayDeque<>();
  private Future<Answer> next;
  private int known;

  /**
   * What came of a request.
   *
   * @param missing pictures that are not there
   * @param known how many are
   * @param last whether the source has no more
   */
  private record Answer(List<Encodable> missing, int known, boolean last) {}

  MissingPictures(
      Iterator<Encodable> source,
      PictureReader reader,
      DocumentFormat format,
      IndexedDocuments index) {
    this.source = source;
    this.reader = reader;
    this.format = format;
    this.index = index;
    this.next = asker.submit(this::ask);
  }

  /** Returns how many pictures were passed over so far. */
  int known() {
    return known;
  }

  /**
   * Waits for the index where it must.
   *
   * @throws UncheckedIOException when it does not say what it holds
   * @throws CancellationException when this thread is interrupted
   */
  @Override
  public boolean hasNext() {
    while (missing.isEmpty() && next != null) {
      Answer answer = await(next);
      next = answer.last ? null : asker.submit(this::ask);
      missing.addAll(answer.missing);
      known += answer.known;
    }
    return !missing.isEmpty();
  }

  @Override
  public Encodable next() {
    if (!hasNext()) {
      throw new NoSuchElementException("no more pictures");
    }
    return missing.remove();
  }

  private static Answer await(Future<Answer> answer) {
    try {
      return answer.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted while the index was asked");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof IOException failed) {
        throw new UncheckedIOException(failed.getMessage(), failed);
      }
      throw new IllegalStateException("asking the index failed", e.getCause());
    }
  }

  private Answer ask() throws IOException, InterruptedException {
    List<Encodable> pictures = new ArrayList<>();
    Map<Encodable, Encodable.Identity> told = new LinkedHashMap<>();
    while (pictures.size() < ASKED && source.hasNext()) {
      Encodable picture = source.next();
      pictures.add(picture);
      try {
        Optional<Encodable.Identity> identity = picture.identity(reader);
        identity.ifPresent(found -> told.put(picture, found));
      } catch (IllegalArgumentException | IOException | UncheckedIOException ignored) {
        // Whoever reads it meets the same, and says so.
      }
    }
    Map<String, String> marks = index.marks(told.values().stream().map(this::id).toList());
    List<Encodable> left = new ArrayList<>();
    for (Encodable picture : pictures) {
      Encodable.Identity identity = told.get(picture);
      if (identity != null && format.mark(identity.digest()).equals(marks.get(id(identity)))) {
        picture.done();
      } else {
        left.add(picture);
      }
    }
    return new Answer(left, pictures.size() - left.size(), !source.hasNext());
  }

  private String id(Encodable.Identity identity) {
    return ContentId.document(format.field(), identity.identity());
  }

  @Override
  public void close() {
    asker.shutdownNow();
  }
}
