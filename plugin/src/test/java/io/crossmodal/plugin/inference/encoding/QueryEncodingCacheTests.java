/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.tokens.TokenBlock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.opensearch.test.OpenSearchTestCase;

public class QueryEncodingCacheTests extends OpenSearchTestCase {
  private static final int ENTRY_BYTES = 4 * (8 + 2);

  private final AtomicInteger encoded = new AtomicInteger();

  private CompletableFuture<Encoded.Success> encode() {
    encoded.incrementAndGet();
    return CompletableFuture.completedFuture(
        new Encoded.Success(
            new Encoding(new TokenBlock(2, 4, new float[8]), new float[2]), "", List.of()));
  }

  private void ask(QueryEncodingCache cache, String query) {
    cache.get(new QueryEncodingCache.Key("space", query), gone -> encode()).join();
  }

  public void testLeastRecentlyUsedGoesFirst() {
    QueryEncodingCache cache = new QueryEncodingCache(2 * ENTRY_BYTES, new InferenceStats());
    ask(cache, "a");
    ask(cache, "b");
    ask(cache, "a");
    ask(cache, "c");
    assertEquals(2, cache.size());
    ask(cache, "a");
    assertEquals("a, b, c", 3, encoded.get());
    ask(cache, "b");
    assertEquals("b was thrown out", 4, encoded.get());
  }

  public void testTheNewestStaysWhateverTheCapacity() {
    QueryEncodingCache cache = new QueryEncodingCache(0, new InferenceStats());
    ask(cache, "a");
    ask(cache, "a");
    assertEquals(1, encoded.get());
    ask(cache, "b");
    assertEquals(1, cache.size());
  }

  public void testTheLastWhoLeavesEndsTheEncoding() {
    QueryEncodingCache cache = new QueryEncodingCache(1000, new InferenceStats());
    QueryEncodingCache.Key key = new QueryEncodingCache.Key("space", "a");
    List<CompletableFuture<?>> gone = new ArrayList<>();
    Function<CompletableFuture<?>, CompletableFuture<Encoded.Success>> never =
        end -> {
          gone.add(end);
          return new CompletableFuture<>();
        };
    CompletableFuture<Encoded.Success> first = cache.get(key, never);
    CompletableFuture<Encoded.Success> second = cache.get(key, never);
    assertTrue(first.completeExceptionally(new IllegalStateException("no time")));
    assertFalse("the other one waits", gone.get(0).isDone());
    assertFalse(second.isDone());
    assertTrue(second.cancel(false));
    assertTrue(gone.get(0).isCancelled());
    assertEquals(0, cache.size());
    CompletableFuture<Encoded.Success> third = cache.get(key, never);
    assertEquals("begun anew", 2, gone.size());
    assertFalse(third.isDone());
  }

  /** Those who leave as their encoding arrives must not take any of the capacity with them. */
  public void testWhoeverLeavesTakesNoCapacity() throws Exception {
    QueryEncodingCache cache = new QueryEncodingCache(3 * ENTRY_BYTES, new InferenceStats());
    int asked = 5000;
    List<CompletableFuture<Encoded.Success>> encodings = new ArrayList<>();
    for (int i = 0; i < asked; i++) {
      encodings.add(new CompletableFuture<>());
    }
    CyclicBarrier together = new CyclicBarrier(2);
    CompletableFuture<Void> encoder =
        CompletableFuture.runAsync(
            () -> {
              for (CompletableFuture<Encoded.Success> encoding : encodings) {
                meet(together);
                encoding.complete(encode().join());
              }
            });
    for (int i = 0; i < asked; i++) {
      CompletableFuture<Encoded.Success> encoding = encodings.get(i);
      CompletableFuture<Encoded.Success> own =
          cache.get(new QueryEncodingCache.Key("space", "left" + i), gone -> encoding);
      meet(together);
      own.cancel(false);
    }
    encoder.get(60, TimeUnit.SECONDS);
    encoded.set(0);
    for (String query : List.of("a", "b", "c", "a", "b", "c")) {
      ask(cache, query);
    }
    assertEquals("all three are kept", 3, encoded.get());
    assertEquals(3, cache.size());
  }

  private static void meet(CyclicBarrier together) {
    try {
      together.await(60, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  public void testAFailureIsNotKept() {
    QueryEncodingCache cache = new QueryEncodingCache(1000, new InferenceStats());
    QueryEncodingCache.Key key = new QueryEncodingCache.Key("space", "a");
    CompletableFuture<Encoded.Success> failed =
        cache.get(key, gone -> CompletableFuture.failedFuture(new IllegalStateException("x")));
    assertTrue(failed.isCompletedExceptionally());
    ask(cache, "a");
    assertEquals(1, encoded.get());
  }

  public void testOtherSpaceIsOtherEntry() {
    QueryEncodingCache cache = new QueryEncodingCache(1000, new InferenceStats());
    ask(cache, "a");
    cache.get(new QueryEncodingCache.Key("other", "a"), gone -> encode()).join();
    assertEquals(2, encoded.get());
  }
}
