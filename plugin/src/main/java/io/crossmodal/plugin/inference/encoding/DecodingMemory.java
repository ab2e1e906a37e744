/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Heap for the pictures that all threads together decode. A document's that does not fit waits
 * until another is decoded, and is refused where none is: so a bulk of large pictures is decoded
 * one by one, and one that is too large ends as an error of its own. A search's is refused at once,
 * for the thread that would wait reads all searches. Thread-safe.
 */
final class DecodingMemory {
  private static final String WHAT = "decoding a picture";

  private final MemoryBudget heap;
  private final InferenceStats stats;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition decoded = lock.newCondition();
  private int decoding;

  DecodingMemory(MemoryBudget heap, InferenceStats stats) {
    this.heap = heap;
    this.stats = stats;
  }

  /**
   * Decodes a document's picture while the memory for it is taken.
   *
   * @param bytes that decoding takes at most
   * @param cancelled ends the wait when it is done
   * @throws InferenceException.MemoryExceeded when there is not so much for this picture alone
   * @throws CancellationException when nobody waits for the picture any more
   */
  <T> T decodeInTurn(long bytes, CompletableFuture<?> cancelled, Supplier<T> decode) {
    return during(take(bytes, cancelled), decode);
  }

  /**
   * Decodes a search's picture while the memory for it is taken.
   *
   * @param bytes that decoding takes at most
   * @throws InferenceException.MemoryExceeded when there is not so much now
   */
  <T> T decodeNow(long bytes, Supplier<T> decode) {
    MemoryBudget.Reservation memory;
    lock.lock();
    try {
      memory = heap.reserve(WHAT, bytes);
      decoding++;
    } catch (InferenceException.MemoryExceeded e) {
      stats.increment(Counter.DECODING_REJECTIONS);
      throw e;
    } finally {
      lock.unlock();
    }
    return during(memory, decode);
  }

  private <T> T during(MemoryBudget.Reservation memory, Supplier<T> decode) {
    try {
      return decode.get();
    } finally {
      memory.close();
      lock.lock();
      try {
        decoding--;
        decoded.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private void wake() {
    lock.lock();
    try {
      decoded.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private MemoryBudget.Reservation take(long bytes, CompletableFuture<?> cancelled) {
    lock.lock();
    try {
      for (boolean first = true; true; first = false) {
        if (cancelled.isDone()) {
          throw new CancellationException("nobody waits for it any more");
        }
        try {
          MemoryBudget.Reservation memory = heap.reserve(WHAT, bytes);
          decoding++;
          return memory;
        } catch (InferenceException.MemoryExceeded e) {
          if (decoding == 0) {
            throw e;
          }
        }
        if (first) {
          stats.increment(Counter.DECODING_WAITS);
          // Runs here and now where it is done already, which holds the lock.
          CompletableFuture<?> unused = cancelled.whenComplete((done, failure) -> wake());
          continue;
        }
        decoded.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InferenceException.ModelUnavailable("the node is shutting down", e);
    } finally {
      lock.unlock();
    }
  }
}
