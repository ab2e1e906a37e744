/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.inference.InferenceStats.Counter;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.test.OpenSearchTestCase;

public class DecodingMemoryTests extends OpenSearchTestCase {
  private final AtomicLong used = new AtomicLong();
  private final CountDownLatch refused = new CountDownLatch(1);
  private final InferenceStats stats = new InferenceStats();
  private final DecodingMemory memory =
      new DecodingMemory(
          (what, bytes) -> {
            if (used.addAndGet(bytes) > 100) {
              used.addAndGet(-bytes);
              refused.countDown();
              throw new InferenceException.MemoryExceeded(what, bytes, "100 are granted", null);
            }
            return () -> used.addAndGet(-bytes);
          },
          stats);

  public void testAPictureWaitsForAnother() throws Exception {
    CompletableFuture<String> first = new CompletableFuture<>();
    CountDownLatch begun = new CountDownLatch(1);
    CompletableFuture<String> one =
        CompletableFuture.supplyAsync(
            () ->
                memory.during(
                    60,
                    () -> {
                      begun.countDown();
                      return first.join();
                    }));
    assertTrue(begun.await(60, TimeUnit.SECONDS));
    assertEquals("fits beside it", "c", memory.during(40, () -> "c"));
    CompletableFuture<String> two =
        CompletableFuture.supplyAsync(() -> memory.during(60, () -> "b"));
    assertTrue(refused.await(60, TimeUnit.SECONDS));
    assertFalse(two.isDone());
    first.complete("a");
    assertEquals("a", one.get(60, TimeUnit.SECONDS));
    assertEquals("b", two.get(60, TimeUnit.SECONDS));
    assertEquals(0, used.get());
    assertEquals(1, stats.get(Counter.DECODING_WAITS));
  }

  public void testOneThatDoesNotFitAloneIsRefused() {
    InferenceException e =
        expectThrows(
            InferenceException.MemoryExceeded.class, () -> memory.during(101, () -> "never"));
    assertThat(e.getMessage(), containsString("decoding a picture needs 101 bytes"));
    assertEquals(0, stats.get(Counter.DECODING_WAITS));
  }

  public void testADamagedPictureGivesItsMemoryBack() {
    expectThrows(
        IllegalArgumentException.class,
        () ->
            memory.during(
                100,
                () -> {
                  throw new IllegalArgumentException("damaged");
                }));
    assertEquals(0, used.get());
    assertEquals("a", memory.during(100, () -> "a"));
  }
}
