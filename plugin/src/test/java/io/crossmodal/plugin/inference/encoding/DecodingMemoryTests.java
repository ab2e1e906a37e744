/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.test.OpenSearchTestCase;

public class DecodingMemoryTests extends OpenSearchTestCase {
  private static final CompletableFuture<?> STAYS = new CompletableFuture<>();

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
                memory.decodeInTurn(
                    60,
                    STAYS,
                    () -> {
                      begun.countDown();
                      return first.join();
                    }));
    assertTrue(begun.await(60, TimeUnit.SECONDS));
    assertEquals("fits beside it", "c", memory.decodeInTurn(40, STAYS, () -> "c"));
    CompletableFuture<String> two =
        CompletableFuture.supplyAsync(() -> memory.decodeInTurn(60, STAYS, () -> "b"));
    assertTrue(refused.await(60, TimeUnit.SECONDS));
    assertFalse(two.isDone());
    first.complete("a");
    assertEquals("a", one.get(60, TimeUnit.SECONDS));
    assertEquals("b", two.get(60, TimeUnit.SECONDS));
    assertEquals(0, used.get());
    assertEquals(1, stats.get(Counter.DECODING_WAITS));
  }

  public void testNobodyWaitsForMemoryWhoIsNotWaitedFor() throws Exception {
    memory.decodeInTurn(
        60,
        STAYS,
        () -> {
          CompletableFuture<Void> gone = new CompletableFuture<>();
          CompletableFuture<String> waits =
              CompletableFuture.supplyAsync(() -> memory.decodeInTurn(60, gone, () -> "never"));
          assertTrue(await(refused));
          assertFalse(waits.isDone());
          gone.complete(null);
          ExecutionException e =
              expectThrows(ExecutionException.class, () -> waits.get(60, TimeUnit.SECONDS));
          assertThat(e.getCause(), instanceOf(CancellationException.class));
          return null;
        });
    assertEquals(0, used.get());
  }

  public void testASearchDoesNotWait() {
    memory.decodeInTurn(
        60,
        STAYS,
        () -> {
          expectThrows(
              InferenceException.MemoryExceeded.class, () -> memory.decodeNow(60, () -> "never"));
          assertEquals("fits beside it", "c", memory.decodeNow(40, () -> "c"));
          return null;
        });
    assertEquals(1, stats.get(Counter.DECODING_REJECTIONS));
    assertEquals(0, stats.get(Counter.DECODING_WAITS));
    assertEquals(0, used.get());
  }

  private static boolean await(CountDownLatch latch) {
    try {
      return latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  public void testOneThatDoesNotFitAloneIsRefused() {
    InferenceException e =
        expectThrows(
            InferenceException.MemoryExceeded.class,
            () -> memory.decodeInTurn(101, STAYS, () -> "never"));
    assertThat(e.getMessage(), containsString("decoding a picture needs 101 bytes"));
    assertEquals(0, stats.get(Counter.DECODING_WAITS));
  }

  public void testADamagedPictureGivesItsMemoryBack() {
    expectThrows(
        IllegalArgumentException.class,
        () ->
            memory.decodeInTurn(
                100,
                STAYS,
                () -> {
                  throw new IllegalArgumentException("damaged");
                }));
    assertEquals(0, used.get());
    assertEquals("a", memory.decodeNow(100, () -> "a"));
  }
}
