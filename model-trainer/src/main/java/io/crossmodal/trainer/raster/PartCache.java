/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;

/**
 * Keeps the parts of a raster that were read last. A part is read by who needs it first, others
 * wait for it; one that cannot be read is refused ever after by the same exception. Thread-safe.
 */
final class PartCache {
  private static final long MAX_BYTES = 128L << 20;

  /** What cannot be read takes no memory, but is not kept without end either. */
  private static final int MAX_PARTS = 4096;

  private final BiFunction<Integer, Window, TiffScene> load;

  /** The one that was used last comes first. */
  private final Deque<Entry> entries = new ArrayDeque<>();

  /** A part that is there, or will be. */
  private record Entry(int level, Window window, CompletableFuture<TiffScene> scene) {
    boolean holds(int wanted, Window part) {
      return level == wanted
          && window.x() <= part.x()
          && window.y() <= part.y()
          && window.x() + window.width() >= part.x() + part.width()
          && window.y() + window.height() >= part.y() + part.height();
    }

    long bytes() {
      return scene.isDone() && !scene.isCompletedExceptionally() ? scene.join().bytes() : 0;
    }
  }

  /**
   * A part.
   *
   * @param window that it is of, in pixels of its level
   */
  record Part(Window window, TiffScene scene) {
    /** Returns a window of the level in pixels of the part. */
    Window within(Window of) {
      return new Window(of.x() - window.x(), of.y() - window.y(), of.width(), of.height());
    }
  }

  /**
   * Makes an empty one.
   *
   * @param load reads a window of a level
   */
  PartCache(BiFunction<Integer, Window, TiffScene> load) {
    this.load = load;
  }

  /**
   * Returns a part that holds a window.
   *
   * @param read what is read where there is none
   * @throws ImageFormatException when it is damaged
   * @throws java.io.UncheckedIOException when it cannot be read
   */
  Part get(int level, Window window, Window read) {
    Entry entry = null;
    boolean own = false;
    synchronized (entries) {
      for (Iterator<Entry> all = entries.iterator(); entry == null && all.hasNext(); ) {
        Entry next = all.next();
        // What failed as a part of something larger may be whole on its own.
        boolean failed = next.scene.isCompletedExceptionally();
        if (failed ? next.level == level && next.window.equals(read) : next.holds(level, window)) {
          entry = next;
          all.remove();
        }
      }
      if (entry == null) {
        entry = new Entry(level, read, new CompletableFuture<>());
        own = true;
      }
      entries.addFirst(entry);
    }
    if (own) {
      fill(entry);
    }
    try {
      return new Part(entry.window, entry.scene.join());
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private void fill(Entry entry) {
    try {
      entry.scene.complete(load.apply(entry.level, entry.window));
    } catch (ImageFormatException e) {
      entry.scene.completeExceptionally(e);
    } catch (RuntimeException | Error e) {
      // It may be there the next time.
      synchronized (entries) {
        entries.remove(entry);
      }
      entry.scene.completeExceptionally(e);
    }
    trim();
  }

  private void trim() {
    synchronized (entries) {
      long held = entries.stream().mapToLong(Entry::bytes).sum();
      while (entries.size() > 1 && (held > MAX_BYTES || entries.size() > MAX_PARTS)) {
        held -= entries.removeLast().bytes();
      }
    }
  }

  void clear() {
    synchronized (entries) {
      entries.clear();
    }
  }
}
