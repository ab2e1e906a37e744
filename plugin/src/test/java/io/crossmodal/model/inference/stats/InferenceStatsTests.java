/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.stats;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
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
}
