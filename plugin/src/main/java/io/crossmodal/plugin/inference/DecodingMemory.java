/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.plugin.inference.InferenceStats.Counter;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * Heap for the pictures that all threads together decode. One that does not fit waits until another
 * is decoded, and is refused where none is: so a bulk of large pictures is decoded one by one, and
 * one that is too large ends as an error of its own. Thread-safe.
 */
final class DecodingMemory {
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
   * Decodes while the memory for it is taken.
   *
   * @param bytes that decoding takes at most
   * @throws InferenceException.MemoryExceeded when there is not so much for this picture alone
   */
  <T> T during(long bytes, Supplier<T> decode) {
    MemoryBudget.Reservation memory = take(bytes);
    try {
      return decode.get();
    } finally {
      lock.lock();
      try {
        memory.close();
        decoding--;
        decoded.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private MemoryBudget.Reservation take(long bytes) {
    lock.lock();
    try {
      for (boolean first = true; true; first = false) {
        try {
          MemoryBudget.Reservation memory = heap.reserve("decoding a picture", bytes);
          decoding++;
          return memory;
        } catch (InferenceException.MemoryExceeded e) {
          if (decoding == 0) {
            throw e;
          }
        }
        if (first) {
          stats.increment(Counter.DECODING_WAITS);
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
