/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.Encoding;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntFunction;

/**
 * One request's items on their way to the worker: prepared on the helpers and encoded batch by
 * batch, so that a bulk of any size holds two batches of prepared items and one place in the queue.
 *
 * @param <T> a prepared item
 */
final class BatchedEncoding<T> {
  private final Encoded[] outcomes;
  private final int batch;
  private final Executor helper;
  private final int helpers;
  private final IntFunction<T> prepare;
  private final Function<List<T>, CompletableFuture<List<Encoding>>> encode;
  private final BiFunction<T, Encoding, Encoded.Success> outcome;

  /**
   * @param count items
   * @param batch most items prepared and encoded together
   * @param helpers threads of {@code helper} that may prepare at once
   * @param prepare makes an item fit for the model by its index; an item for which it throws fails
   * @param encode encodes prepared items
   * @param outcome of an item and its encoding
   */
  BatchedEncoding(
      int count,
      int batch,
      Executor helper,
      int helpers,
      IntFunction<T> prepare,
      Function<List<T>, CompletableFuture<List<Encoding>>> encode,
      BiFunction<T, Encoding, Encoded.Success> outcome) {
    this.outcomes = new Encoded[count];
    this.batch = batch;
    this.helper = helper;
    this.helpers = helpers;
    this.prepare = prepare;
    this.encode = encode;
    this.outcome = outcome;
  }

  /** As many outcomes as items, in their order. */
  CompletableFuture<List<Encoded>> run() {
    return from(0, prepare(0));
  }

  private CompletableFuture<List<Encoded>> from(int from, CompletableFuture<List<T>> prepared) {
    if (from >= outcomes.length) {
      return CompletableFuture.completedFuture(List.of(outcomes));
    }
    int to = Math.min(outcomes.length, from + batch);
    return prepared.thenCompose(
        items -> {
          CompletableFuture<List<T>> ahead = prepare(to);
          CompletableFuture<List<Encoding>> encoded =
              items.isEmpty() ? CompletableFuture.completedFuture(List.of()) : encode.apply(items);
          return encoded
              .handle(
                  (encodings, failure) -> {
                    place(from, to, items, encodings, failure);
                    return null;
                  })
              .thenCompose(ignored -> from(to, ahead));
        });
  }

  /** Gives each item of a batch that was prepared its encoding, or the failure of the batch. */
  private void place(int from, int to, List<T> items, List<Encoding> encodings, Throwable failure) {
    int next = 0;
    for (int i = from; i < to; i++) {
      if (outcomes[i] == null) {
        outcomes[i] =
            failure == null
                ? outcome.apply(items.get(next), encodings.get(next))
                : new Encoded.Failure(ModelService.unwrap(failure));
        next++;
      }
    }
  }

  /**
   * Prepares the batch from an index on, in parallel. Items that fail get their outcome here.
   *
   * @return the items that did not fail, in their order
   */
  private CompletableFuture<List<T>> prepare(int from) {
    int size = Math.min(outcomes.length - from, batch);
    if (size <= 0) {
      return CompletableFuture.completedFuture(List.of());
    }
    List<T> prepared = new ArrayList<>(size);
    for (int i = 0; i < size; i++) {
      prepared.add(null);
    }
    AtomicInteger next = new AtomicInteger();
    Runnable lane =
        () -> {
          for (int i = next.getAndIncrement(); i < size; i = next.getAndIncrement()) {
            try {
              prepared.set(i, prepare.apply(i + from));
            } catch (RuntimeException e) {
              outcomes[i + from] = new Encoded.Failure(e);
            }
          }
        };
    CompletableFuture<?>[] lanes = new CompletableFuture<?>[Math.min(helpers, size)];
    for (int i = 0; i < lanes.length; i++) {
      lanes[i] = CompletableFuture.runAsync(lane, helper);
    }
    return CompletableFuture.allOf(lanes)
        .thenApply(done -> prepared.stream().filter(item -> item != null).toList());
  }
}
