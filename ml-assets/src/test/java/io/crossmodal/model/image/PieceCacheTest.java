/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

class PieceCacheTest {
  private static final int PIECE = 7;

  private final PieceCache cache = new PieceCache(100);
  private final CountDownLatch begun = new CountDownLatch(1);
  private final CountDownLatch goOn = new CountDownLatch(1);

  @Test
  void whoComesMeanwhileWaitsForTheSame() throws Exception {
    TiffSource.Slice slice = new TiffSource.Slice(new byte[10], 0);
    FutureTask<TiffSource.Slice> first = started(() -> cache.get(PIECE, slowly(() -> slice)));
    begun.await();
    FutureTask<TiffSource.Slice> second =
        new FutureTask<>(() -> cache.get(PIECE, PieceCacheTest::notAgain));
    untilItWaits(second);
    goOn.countDown();

    assertSame(slice, first.get());
    assertSame(slice, second.get());
    assertSame(slice, cache.get(PIECE, PieceCacheTest::notAgain));
  }

  @Test
  void damageIsToldToAllAndRemembered() throws Exception {
    ImageFormatException damage = new ImageFormatException("cut short");
    FutureTask<TiffSource.Slice> first = started(() -> cache.get(PIECE, slowly(failing(damage))));
    begun.await();
    FutureTask<TiffSource.Slice> second =
        new FutureTask<>(() -> cache.get(PIECE, PieceCacheTest::notAgain));
    untilItWaits(second);
    goOn.countDown();

    assertSame(damage, assertThrows(ExecutionException.class, first::get).getCause());
    assertSame(damage, assertThrows(ExecutionException.class, second::get).getCause());
    assertSame(
        damage,
        assertThrows(ImageFormatException.class, () -> cache.get(PIECE, PieceCacheTest::notAgain)));
  }

  @Test
  void whatCouldNotBeReadIsReadTheNextTime() {
    TiffSource.Slice slice = new TiffSource.Slice(new byte[10], 0);
    assertThrows(
        IllegalStateException.class,
        () ->
            cache.get(
                PIECE,
                piece -> {
                  throw new IllegalStateException("disk");
                }));
    assertSame(slice, cache.get(PIECE, piece -> slice));
  }

  @Test
  void theOneThatWasUsedLongestAgoGoes() {
    for (int piece : new int[] {1, 2, 1, 3}) {
      TiffSource.Slice unused = cache.get(piece, made -> new TiffSource.Slice(new byte[50], made));
    }
    assertEquals(1, cache.get(1, made -> new TiffSource.Slice(new byte[50], -1)).from());
    assertEquals(-1, cache.get(2, made -> new TiffSource.Slice(new byte[50], -1)).from());
  }

  private IntFunction<TiffSource.Slice> slowly(Callable<TiffSource.Slice> unpack) {
    return piece -> {
      begun.countDown();
      try {
        goOn.await();
        return unpack.call();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new AssertionError(e);
      }
    };
  }

  private static Callable<TiffSource.Slice> failing(ImageFormatException damage) {
    return () -> {
      throw damage;
    };
  }

  private static TiffSource.Slice notAgain(int piece) {
    throw new AssertionError(piece + " was unpacked a second time");
  }

  private static FutureTask<TiffSource.Slice> started(Callable<TiffSource.Slice> call) {
    FutureTask<TiffSource.Slice> task = new FutureTask<>(call);
    new Thread(task).start();
    return task;
  }

  private static void untilItWaits(FutureTask<?> task) {
    Thread thread = new Thread(task);
    thread.start();
    while (thread.getState() != Thread.State.WAITING && !task.isDone()) {
      Thread.onSpinWait();
    }
  }
}
