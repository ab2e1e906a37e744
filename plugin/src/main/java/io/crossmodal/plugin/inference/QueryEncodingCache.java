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
import java.util.function.Supplier;

/**
 * Encoded queries by model and content, least recently used out first. Holds futures: whoever asks
 * while an encoding is under way waits for that one. Thread-safe.
 */
final class QueryEncodingCache {

  /**
   * @param space the fingerprints of the spaces that the encoding lives in; the id of a model would
   *     not do, for its weights may be replaced
   * @param digest of the query
   */
  record Key(String space, String digest) {}

  private static final class Entry {
    private final CompletableFuture<Encoded.Success> encoding;
    private long bytes;

    private Entry(CompletableFuture<Encoded.Success> encoding) {
      this.encoding = encoding;
    }
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

  CompletableFuture<Encoded.Success> get(
      Key key, Supplier<CompletableFuture<Encoded.Success>> encode) {
    CompletableFuture<Encoded.Success> started;
    synchronized (this) {
      Entry cached = entries.get(key);
      if (cached != null) {
        stats.increment(InferenceStats.Counter.QUERY_CACHE_HITS);
        return cached.encoding;
      }
      stats.increment(InferenceStats.Counter.QUERY_CACHE_MISSES);
      started = new CompletableFuture<>();
      entries.put(key, new Entry(started));
    }
    // Outside the lock, for it may complete at once and then calls settle.
    CompletableFuture<?> unused =
        encode
            .get()
            .whenComplete(
                (encoded, failure) -> {
                  settle(key, encoded);
                  if (failure == null) {
                    started.complete(encoded);
                  } else {
                    started.completeExceptionally(failure);
                  }
                });
    return started;
  }

  private synchronized void settle(Key key, Encoded.Success encoded) {
    if (encoded == null) {
      entries.remove(key);
      return;
    }
    Entry entry = entries.get(key);
    if (entry == null) {
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
