/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.IntFunction;

/**
 * Keeps the strips and tiles of an image that were used last, unpacked: windows that are cut one
 * beside the other share most of them. A damaged one is unpacked once, and refused ever after by
 * the same exception. Thread-safe: who asks first unpacks, others wait for it.
 */
final class PieceCache {
  private final long budget;
  private final Map<Integer, TiffSource.Slice> pieces = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<Integer, ImageFormatException> damaged = new HashMap<>();
  private final Map<Integer, CompletableFuture<TiffSource.Slice>> unpacking = new HashMap<>();
  private long held;

  /**
   * Makes an empty one.
   *
   * @param budget bytes that it holds at most; 0 to keep nothing
   */
  PieceCache(long budget) {
    this.budget = budget;
  }

  /**
   * Returns a strip or tile.
   *
   * @throws ImageFormatException when it is damaged
   */
  TiffSource.Slice get(int piece, IntFunction<TiffSource.Slice> unpack) {
    CompletableFuture<TiffSource.Slice> own = new CompletableFuture<>();
    CompletableFuture<TiffSource.Slice> others;
    synchronized (this) {
      TiffSource.Slice known = pieces.get(piece);
      if (known != null) {
        return known;
      }
      check(piece);
      others = unpacking.putIfAbsent(piece, own);
    }
    return others == null ? unpack(piece, unpack, own) : await(others);
  }

  private TiffSource.Slice unpack(
      int piece,
      IntFunction<TiffSource.Slice> unpack,
      CompletableFuture<TiffSource.Slice> waitedFor) {
    try {
      TiffSource.Slice made = unpack.apply(piece);
      keep(piece, made);
      waitedFor.complete(made);
      return made;
    } catch (ImageFormatException e) {
      synchronized (this) {
        damaged.put(piece, e);
      }
      waitedFor.completeExceptionally(e);
      throw e;
    } catch (RuntimeException | Error e) {
      // It may be there the next time.
      waitedFor.completeExceptionally(e);
      throw e;
    } finally {
      synchronized (this) {
        unpacking.remove(piece);
      }
    }
  }

  private static TiffSource.Slice await(CompletableFuture<TiffSource.Slice> other) {
    try {
      return other.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private void check(int piece) {
    ImageFormatException damage = damaged.get(piece);
    if (damage != null) {
      throw damage;
    }
  }

  private synchronized void keep(int piece, TiffSource.Slice made) {
    if (made.bytes().length > budget) {
      return;
    }
    pieces.put(piece, made);
    held += made.bytes().length;
    Iterator<TiffSource.Slice> oldest = pieces.values().iterator();
    while (held > budget) {
      held -= oldest.next().bytes().length;
      oldest.remove();
    }
  }
}
