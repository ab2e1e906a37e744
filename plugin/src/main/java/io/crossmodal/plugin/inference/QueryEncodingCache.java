/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.Encoding;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Encoded queries by model and content, least recently used out first. Holds futures: whoever asks
 * while an encoding is under way waits for that one, with a future of his own, and the last one who
 * stops waiting ends it. Thread-safe.
 */
final class QueryEncodingCache {

  /**
   * @param space the fingerprints of the spaces that the encoding lives in; the id of a model would
   *     not do, for its weights may be replaced
   * @param digest of the query
   */
  record Key(String space, String digest) {}

  private static final class Entry {
    private final CompletableFuture<Encoded.Success> encoding = new CompletableFuture<>();
    private int waiting;
    private long bytes;
  }

  private final long capacity;
  private final InferenceStats stats;
  private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
  private long bytes;

  /**
   * @param capacity in bytes
   */
  QueryEncodingCache(long capacity, InferenceStats stats) {
    this.capacity = capacity;
    this.stats = stats;
  }

  /**
   * Finds a query encoded, or has it encoded.
   *
   * @param encode starts the encoding; gets a future that is done when nobody waits for it any more
   * @return the caller's own: to complete it says that he does not wait any more
   */
  CompletableFuture<Encoded.Success> get(
      Key key, Function<CompletableFuture<?>, CompletableFuture<Encoded.Success>> encode) {
    Entry entry;
    boolean first;
    synchronized (this) {
      Entry cached = entries.get(key);
      first = cached == null;
      entry = first ? new Entry() : cached;
      entry.waiting++;
      if (first) {
        entries.put(key, entry);
      }
      stats.increment(
          first
              ? InferenceStats.Counter.QUERY_CACHE_MISSES
              : InferenceStats.Counter.QUERY_CACHE_HITS);
    }
    CompletableFuture<Encoded.Success> own = entry.encoding.copy();
    CompletableFuture<?> unusedLeft = own.whenComplete((encoded, failure) -> leave(key, entry));
    if (first) {
      // Outside the lock, for it may complete at once and then calls settle.
      CompletableFuture<?> unusedSettled =
          encode
              .apply(entry.encoding)
              .whenComplete(
                  (encoded, failure) -> {
                    settle(key, entry, encoded);
                    if (failure == null) {
                      entry.encoding.complete(encoded);
                    } else {
                      entry.encoding.completeExceptionally(failure);
                    }
                  });
    }
    return own;
  }

  private void leave(Key key, Entry entry) {
    synchronized (this) {
      entry.waiting--;
      if (entry.waiting > 0 || entry.encoding.isDone()) {
        return;
      }
      entries.remove(key, entry);
    }
    entry.encoding.cancel(false);
  }

  private synchronized void settle(Key key, Entry entry, Encoded.Success encoded) {
    if (encoded == null) {
      entries.remove(key, entry);
      return;
    }
    if (entries.get(key) != entry) {
      return;
    }
    entry.bytes = sizeOf(encoded.encoding());
    bytes += entry.bytes;
    Iterator<Map.Entry<Key, Entry>> eldestFirst = entries.entrySet().iterator();
    while (bytes > capacity && eldestFirst.hasNext()) {
      Map.Entry<Key, Entry> eldest = eldestFirst.next();
      // An encoding under way costs nothing yet and has waiters; the newest serves the rescorer
      // that follows its query.
      if (eldest.getValue().bytes > 0 && !eldest.getKey().equals(key)) {
        bytes -= eldest.getValue().bytes;
        eldestFirst.remove();
      }
    }
  }

  synchronized int size() {
    return entries.size();
  }

  private static long sizeOf(Encoding encoding) {
    return (long) Float.BYTES * (encoding.tokens().values().length + encoding.embedding().length);
  }
}
