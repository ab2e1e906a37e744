/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.stats;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.opensearch.test.OpenSearchTestCase;

public class InferenceStatsTests extends OpenSearchTestCase {
  public void testModelsThatAreKnownAndNeverAskedCostNothing() {
    InferenceStats stats = new InferenceStats();
    stats.of("asked").record(InferenceStats.Timing.MODEL, 5_000_000);
    stats.of("asked").increment(Counter.BATCHES);
    assertEquals(0, stats.of("known").get(InferenceStats.Timing.MODEL).count());
    assertEquals(5000, (double) stats.of("asked").get(InferenceStats.Timing.MODEL).max(), 50);
    stats.retain(id -> id.equals("known"));
    assertEquals("gone with its model", 0, stats.of("asked").get(Counter.BATCHES));
    assertEquals("stays in the whole", 1, stats.get(Counter.BATCHES));
    assertEquals(1, stats.get(InferenceStats.Timing.MODEL).count());
  }

  /** Against a count of the same values by hand. */
  public void testBucketsHoldEachValueOnce() {
    InferenceStats stats = new InferenceStats();
    assertEquals(List.of(), stats.get(InferenceStats.Timing.READ).histogram());
    Map<Long, Long> expected = new TreeMap<>();
    int values = randomIntBetween(1, 2000);
    for (int i = 0; i < values; i++) {
      // As often short as long, and the edges of buckets.
      long micros = (1L << randomInt(31)) + randomIntBetween(-1, 1);
      stats.record(InferenceStats.Timing.READ, TimeUnit.MICROSECONDS.toNanos(micros));
      expected.merge(Long.highestOneBit(micros), 1L, Long::sum);
    }
    InferenceStats.Summary summary = stats.get(InferenceStats.Timing.READ);
    Map<Long, Long> counted = new TreeMap<>();
    for (InferenceStats.Bucket bucket : summary.histogram()) {
      counted.put(bucket.ge(), bucket.count());
      assertEquals(bucket.ge() == 0 ? 1 : 2 * bucket.ge(), bucket.lt());
    }
    assertEquals(expected, counted);
    assertEquals(values, summary.count());
  }
}
