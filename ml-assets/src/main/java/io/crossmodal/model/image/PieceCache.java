/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * Keeps the strips and tiles of an image that were used last, unpacked: windows that are cut one
 * beside the other share most of them. A damaged one is unpacked once, and refused ever after by
 * the same exception. Thread-safe; two threads may unpack the same one.
 */
final class PieceCache {
  private final long budget;
  private final Map<Integer, TiffSource.Slice> pieces = new LinkedHashMap<>(16, 0.75f, true);
  private final Map<Integer, ImageFormatException> damaged = new HashMap<>();
  private long held;

  /**
   * Makes an empty one.
   *
   * @param budget bytes that it holds at most; 0 to keep nothing
   */
  PieceCache(long budget) {
    this.budget = budget;
  }

  TiffSource.Slice get(int piece, IntFunction<TiffSource.Slice> unpack) {
    synchronized (this) {
      TiffSource.Slice known = pieces.get(piece);
      if (known != null) {
        return known;
      }
      check(piece);
    }
    TiffSource.Slice made;
    try {
      made = unpack.apply(piece);
    } catch (ImageFormatException e) {
      synchronized (this) {
        damaged.putIfAbsent(piece, e);
        check(piece);
      }
      throw e;
    }
    keep(piece, made);
    return made;
  }

  private void check(int piece) {
    ImageFormatException damage = damaged.get(piece);
    if (damage != null) {
      throw damage;
    }
  }

  private synchronized void keep(int piece, TiffSource.Slice made) {
    if (made.bytes().length > budget || pieces.putIfAbsent(piece, made) != null) {
      return;
    }
    held += made.bytes().length;
    Iterator<TiffSource.Slice> oldest = pieces.values().iterator();
    while (held > budget) {
      held -= oldest.next().bytes().length;
      oldest.remove();
    }
  }
}
