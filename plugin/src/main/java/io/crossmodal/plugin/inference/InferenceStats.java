/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** Counts what a node's models did since it started. Thread-safe. */
public final class InferenceStats {

  /** What is counted; each name is the key in the stats response, in lower case. */
  public enum Counter {
    /** Texts that went through the text tower, of documents and queries. */
    ENCODED_TEXTS,
    /** Images that went through the image tower, of documents and queries. */
    ENCODED_IMAGES,
    /** Items of documents that could not be encoded. */
    ENCODE_FAILURES,
    /** Queries encoded. */
    QUERY_CACHE_MISSES,
    /** Queries answered from the cache, also while their encoding was still under way. */
    QUERY_CACHE_HITS,
    /** Calls of the model, of any kind. */
    BATCHES,
    /** Text-image pairs scored by the fusion encoder. */
    PAIRS,
    /** Shards' windows rescored. */
    RESCORES,
    /** Hits in a window without stored tokens. */
    MISSING,
    /** Rescores that did not finish in time. */
    TIMEOUTS,
    /** Jobs refused because the queue was full. */
    REJECTIONS,
    /** Rescores that failed because the queue was full. */
    REJECTED_RESCORES,
    /** Rescores that failed because the model could not be loaded. */
    UNAVAILABLE,
    /** Rescores that failed because stored tokens were damaged or of another model. */
    FOREIGN_TOKENS,
    /** Rescores that failed while the model computed. */
    MODEL_FAILURES,
    /** Pairs whose score was not a number. */
    NOT_A_NUMBER,
    /**
     * Rescores that failed and gave the first pass's order instead, as {@code on_failure} asked.
     */
    DEGRADED
  }

  // Filled here and never changed, so reading it needs no lock.
  private final Map<Counter, LongAdder> counts = new EnumMap<>(Counter.class);

  public InferenceStats() {
    for (Counter counter : Counter.values()) {
      counts.put(counter, new LongAdder());
    }
  }

  public void add(Counter counter, long amount) {
    counts.get(counter).add(amount);
  }

  public void increment(Counter counter) {
    add(counter, 1);
  }

  public long get(Counter counter) {
    return counts.get(counter).sum();
  }
}
