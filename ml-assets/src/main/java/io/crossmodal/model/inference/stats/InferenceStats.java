/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.stats;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.HistogramIterationValue;

/**
 * Counts what a node's models did since it started, and where the time went: in all, and {@link
 * #of} each model. Thread-safe.
 */
public final class InferenceStats {

  /** Counter of the stats; each name is the key in the stats response, in lower case. */
  public enum Counter {
    /** Texts that went through the text tower, of documents and queries. */
    ENCODED_TEXTS,
    /** Those of them that were longer than the model reads, and were cut. */
    CUT_TEXTS,
    /** Images that went through the image tower, of documents and queries. */
    ENCODED_IMAGES,
    /** Items of documents that could not be encoded. */
    ENCODE_FAILURES,
    /** Pictures whose decoding waited for the memory of others. */
    DECODING_WAITS,
    /** Pictures of searches refused because the memory to decode them was taken. */
    DECODING_REJECTIONS,
    /** Queries encoded. */
    QUERY_CACHE_MISSES,
    /** Queries answered from the cache, also while their encoding was still under way. */
    QUERY_CACHE_HITS,
    /** Calls of the model, of any kind. */
    BATCHES,
    /** Calls of the fusion encoder; pairs / score_batches is how full they are. */
    SCORE_BATCHES,
    /** Text-image pairs scored by the fusion encoder. */
    PAIRS,
    /** Pairs of images compared by their patches. */
    IMAGE_PAIRS,
    /** Text-image pairs that the pre-ranker, the MLP filter, scored. */
    FILTERED_PAIRS,
    /** Text-image pairs whose word x patch weights were drawn. */
    HEAT_MAPS,
    /** Calls that served several jobs. */
    MERGED_BATCHES,
    /** Calls that were halved because memory did not suffice or the engine broke off. */
    SPLIT_BATCHES,
    /** Attempts that the engine broke off, for want of memory on a GPU most likely. */
    ENGINE_FAILURES,
    /** Calls that the CPU ended because a GPU did not take even one of their items. */
    SPARE_BATCHES,
    /** Calls that failed and were repeated for each of their jobs alone. */
    ISOLATED_BATCHES,
    /** Shards' windows rescored. */
    RESCORES,
    /** Searches whose shards had one window together. */
    GLOBAL_WINDOWS,
    /** Hits in a window without stored tokens. */
    MISSING,
    /** Hits in a window that a request's {@code min_p} cut. */
    BELOW_MIN_P,
    /** Hits in a window for which another of their group stood. */
    GROUPED,
    /** Rescores that did not finish in time. */
    TIMEOUTS,
    /** Jobs refused because the queue was full. */
    REJECTIONS,
    /** Jobs refused because what waited before them took longer than they could wait. */
    LATE_REJECTIONS,
    /** Rescores that failed because the queue was full, or too slow for their time. */
    REJECTED_RESCORES,
    /** Searches of a shard that waited because half of the search threads rescored. */
    QUEUED_RESCORES,
    /** Those that were refused, for as many waited already, or for they waited too long. */
    SEARCH_THREADS_BUSY,
    /** Rescores that failed because there was no memory for their tokens, or for a single pair. */
    OUT_OF_MEMORY,
    /** Rescores that failed because the model could not be loaded. */
    UNAVAILABLE,
    /** Rescores that failed because stored tokens were damaged or of another model. */
    FOREIGN_TOKENS,
    /** Rescores that failed while the model computed. */
    MODEL_FAILURES,
    /** Pairs whose score was not a number. */
    NOT_A_NUMBER,
    /** Questions about a window's pairs that a scorer answered. */
    REMOTE_ANSWERS,
    /** Scorers that could not be reached, or went away before they answered. */
    REMOTE_UNREACHABLE,
    /** Scorers that did not answer in their share of the time. */
    REMOTE_TIMEOUTS,
    /** Scorers that refused because their queue or memory was full. */
    REMOTE_REJECTIONS,
    /** Scorers that could not load the model, or have another one under its name. */
    REMOTE_UNAVAILABLE,
    /** Scorers whose model broke while it computed. */
    REMOTE_FAILURES,
    /** Questions that this node answered itself because no scorer did. */
    REMOTE_FALLBACKS,
    /**
     * Rescores that failed and gave the first pass's order instead, as {@code on_failure} asked.
     */
    DEGRADED
  }

  /** Part of a rescore whose time is measured; each is kept as a histogram, in microseconds. */
  public enum Timing {
    /** From asking the worker to the call that takes up the job. */
    QUEUE,
    /** Reading a window's tokens from the index. */
    READ,
    /** A call of a model, with the copies into and out of it. */
    MODEL,
    /** Of such a call, the copies of inputs and of encoded tokens. */
    COPY,
    /** Asking a scorer, from sending the tokens to its answer. */
    REMOTE,
    /** A shard's whole rescore. */
    RESCORE
  }

  /**
   * A histogram's summary, in microseconds.
   *
   * @param count values recorded
   * @param histogram those of its buckets that hold any, each twice as wide as the one before
   */
  public record Summary(
      long count, long mean, long p50, long p95, long p99, long max, List<Bucket> histogram) {
    static final Summary NONE = new Summary(0, 0, 0, 0, 0, 0, List.of());

    public Summary {
      histogram = List.copyOf(histogram);
    }
  }

  /**
   * A bucket of a histogram.
   *
   * @param ge its least value, in microseconds: 0 or a power of 2
   * @param lt the least value of the next one
   * @param count values that it holds, at least 1
   */
  public record Bucket(long ge, long lt, long count) {}

  private static final long LONGEST_MICROS = TimeUnit.HOURS.toMicros(1);
  private static final int DIGITS = 2;

  private final InferenceStats all;
  private final Map<String, InferenceStats> models = new ConcurrentHashMap<>();
  // Filled in the constructor and never changed, so reading them needs no lock.
  private final Map<Counter, LongAdder> counts = new EnumMap<>(Counter.class);
  // 53 kB each: models that are known and never asked have none.
  private final Map<Timing, ConcurrentHistogram> times = new ConcurrentHashMap<>();

  public InferenceStats() {
    this(null);
  }

  private InferenceStats(InferenceStats all) {
    this.all = all;
    for (Counter counter : Counter.values()) {
      counts.put(counter, new LongAdder());
    }
  }

  /** Returns a model's own share; what is counted there is counted here too. */
  public InferenceStats of(String model) {
    return models.computeIfAbsent(model, id -> new InferenceStats(this));
  }

  /** Forgets the shares of models that are gone; what they did stays in the whole. */
  public void retain(Predicate<String> known) {
    models.keySet().removeIf(known.negate());
  }

  public void add(Counter counter, long amount) {
    counts.get(counter).add(amount);
    if (all != null) {
      all.add(counter, amount);
    }
  }

  public void increment(Counter counter) {
    add(counter, 1);
  }

  public void record(Timing timing, long nanos) {
    long micros = TimeUnit.NANOSECONDS.toMicros(nanos);
    times
        .computeIfAbsent(timing, first -> new ConcurrentHistogram(LONGEST_MICROS, DIGITS))
        .recordValue(Math.max(0, Math.min(LONGEST_MICROS, micros)));
    if (all != null) {
      all.record(timing, nanos);
    }
  }

  public long get(Counter counter) {
    return counts.get(counter).sum();
  }

  public Summary get(Timing timing) {
    ConcurrentHistogram live = times.get(timing);
    if (live == null) {
      return Summary.NONE;
    }
    // A copy, for the values must not change between the percentiles.
    ConcurrentHistogram now = live.copy();
    return new Summary(
        now.getTotalCount(),
        Math.round(now.getMean()),
        now.getValueAtPercentile(50),
        now.getValueAtPercentile(95),
        now.getValueAtPercentile(99),
        now.getMaxValue(),
        buckets(now));
  }

  /** Counts by powers of 2: none lies inside a bucket of the histogram's own, so they are exact. */
  private static List<Bucket> buckets(Histogram all) {
    long[] counts = new long[Long.SIZE];
    for (HistogramIterationValue some : all.recordedValues()) {
      int bits = Long.SIZE - Long.numberOfLeadingZeros(some.getValueIteratedTo());
      counts[bits] += some.getCountAddedInThisIterationStep();
    }
    List<Bucket> buckets = new ArrayList<>();
    for (int bits = 0; bits < counts.length; bits++) {
      if (counts[bits] > 0) {
        buckets.add(new Bucket(bits == 0 ? 0 : 1L << (bits - 1), 1L << bits, counts[bits]));
      }
    }
    return buckets;
  }
}
