/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Encoded queries by model and content, least recently used out first, and those under way: whoever
 * asks meanwhile waits for the same encoding, with a future of his own, and the last one who stops
 * waiting ends it. Thread-safe.
 */
final class QueryEncodingCache {

  /**
   * @param space the fingerprints of the spaces that the encoding lives in; the id of a model would
   *     not do, for its weights may be replaced
   * @param digest of the query
   */
  record Key(String space, String digest) {}

  /** An encoding under way. */
  private static final class Pending {
    private final CompletableFuture<Encoded.Success> encoding = new CompletableFuture<>();
    private int waiting;
  }

  private final long capacity;
  private final InferenceStats stats;
  private final Map<Key, Encoded.Success> encoded = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<Key, Pending> underWay = new HashMap<>();
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
    Pending pending;
    boolean first;
    synchronized (this) {
      Encoded.Success found = encoded.get(key);
      first = found == null && !underWay.containsKey(key);
      stats.increment(first ? Counter.QUERY_CACHE_MISSES : Counter.QUERY_CACHE_HITS);
      if (found != null) {
        return CompletableFuture.completedFuture(found);
      }
      pending = underWay.computeIfAbsent(key, unknown -> new Pending());
      pending.waiting++;
    }
    CompletableFuture<Encoded.Success> own = pending.encoding.copy();
    CompletableFuture<?> unusedLeft = own.whenComplete((found, failure) -> leave(key, pending));
    if (first) {
      // Outside the lock, for it may complete at once and then calls settle.
      CompletableFuture<?> unusedSettled =
          encode
              .apply(pending.encoding)
              .whenComplete(
                  (found, failure) -> {
                    settle(key, pending, found);
                    if (failure == null) {
                      pending.encoding.complete(found);
                    } else {
                      pending.encoding.completeExceptionally(failure);
                    }
                  });
    }
    return own;
  }

  private void leave(Key key, Pending pending) {
    synchronized (this) {
      pending.waiting--;
      // Where it has settled, it is under way no more and another one may be.
      if (pending.waiting > 0 || !underWay.remove(key, pending)) {
        return;
      }
    }
    pending.encoding.cancel(false);
  }

  /**
   * @param found null where the encoding failed
   */
  private synchronized void settle(Key key, Pending pending, Encoded.Success found) {
    if (!underWay.remove(key, pending) || found == null) {
      return;
    }
    encoded.put(key, found);
    bytes += sizeOf(found);
    Iterator<Map.Entry<Key, Encoded.Success>> eldestFirst = encoded.entrySet().iterator();
    // The newest stays whatever its size: it serves the rescorer that follows its query.
    while (bytes > capacity && encoded.size() > 1) {
      bytes -= sizeOf(eldestFirst.next().getValue());
      eldestFirst.remove();
    }
  }

  /** Returns the number of queries that are encoded or under way. */
  synchronized int size() {
    return encoded.size() + underWay.size();
  }

  private static long sizeOf(Encoded.Success found) {
    return (long) Float.BYTES
        * (found.encoding().tokens().values().length + found.encoding().embedding().length);
  }
}
