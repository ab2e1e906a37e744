/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.inference.Futures;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * One request's items on their way to the worker: prepared on the helpers and encoded batch by
 * batch. Each batch's outcomes are handed on before the next one is encoded, so that a request of
 * any size holds two batches of prepared items, one of encodings and one place in the queue.
 *
 * @param <T> a prepared item
 * @param count items
 * @param batch most items prepared and encoded together
 * @param helper prepares, and hands outcomes on
 * @param helpers threads of {@code helper} that may prepare at once
 * @param prepare makes an item fit for the model by its index; an item for which it throws fails
 * @param encode encodes prepared items
 * @param outcome of an item and its encoding
 * @param listener gets the outcomes, in the items' order
 */
record BatchedEncoding<T>(
    int count,
    int batch,
    Executor helper,
    int helpers,
    IntFunction<T> prepare,
    Function<List<T>, CompletableFuture<List<Encoding>>> encode,
    BiFunction<T, Encoding, Encoded.Success> outcome,
    EncodingRequest.Listener listener) {

  /**
   * An item that is fit for the model, or why it is not.
   *
   * @param failure null where there is an item
   */
  private record Prepared<T>(T item, RuntimeException failure) {}

  /** Completes on the helper when the last outcome was handed on. */
  CompletableFuture<Void> run() {
    return from(0, prepare(0));
  }

  private CompletableFuture<Void> from(int from, CompletableFuture<List<Prepared<T>>> prepared) {
    if (from >= count) {
      return CompletableFuture.completedFuture(null);
    }
    int to = Math.min(count, from + batch);
    return prepared.thenCompose(
        items -> {
          CompletableFuture<List<Prepared<T>>> ahead = prepare(to);
          List<T> good =
              items.stream().filter(item -> item.failure == null).map(Prepared::item).toList();
          CompletableFuture<List<Encoding>> encoded =
              good.isEmpty() ? CompletableFuture.completedFuture(List.of()) : encode.apply(good);
          return encoded
              // Not on the worker, whose next call would wait for whoever takes the outcomes.
              .handleAsync(
                  (encodings, failure) -> {
                    handOn(from, items, encodings, failure);
                    return null;
                  },
                  helper)
              .thenCompose(ignored -> from(to, ahead));
        });
  }

  /** Each item that was prepared has its encoding, or the failure of the batch. */
  private void handOn(
      int from, List<Prepared<T>> items, List<Encoding> encodings, Throwable failure) {
    int next = 0;
    for (int i = 0; i < items.size(); i++) {
      Prepared<T> prepared = items.get(i);
      Encoded encoded;
      if (prepared.failure != null) {
        encoded = new Encoded.Failure(prepared.failure);
      } else if (failure != null) {
        encoded = new Encoded.Failure(Futures.unwrap(failure));
      } else {
        encoded = outcome.apply(prepared.item, encodings.get(next++));
      }
      listener.onEncoded(from + i, encoded);
    }
  }

  /** Prepares the batch that begins at an index, in parallel. */
  private CompletableFuture<List<Prepared<T>>> prepare(int from) {
    int size = Math.min(count - from, batch);
    if (size <= 0) {
      return CompletableFuture.completedFuture(List.of());
    }
    List<Prepared<T>> prepared = new ArrayList<>(Collections.nCopies(size, null));
    AtomicInteger next = new AtomicInteger();
    Runnable lane =
        () -> {
          for (int i = next.getAndIncrement(); i < size; i = next.getAndIncrement()) {
            prepared.set(i, prepareOne(from + i));
          }
        };
    CompletableFuture<?>[] lanes = new CompletableFuture<?>[Math.min(helpers, size)];
    for (int i = 0; i < lanes.length; i++) {
      // Of its own: the batch ahead is dropped when the one before it fails.
      lanes[i] = Futures.reportingErrors(CompletableFuture.runAsync(lane, helper));
    }
    return CompletableFuture.allOf(lanes).thenApply(done -> prepared);
  }

  private Prepared<T> prepareOne(int index) {
    try {
      return new Prepared<>(prepare.apply(index), null);
    } catch (RuntimeException e) {
      return new Prepared<>(null, e);
    }
  }
}
