/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.inference.batching.Job.Priority;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;

/**
 * Texts, or image files of one sensor, to encode.
 *
 * @param <T> an item: a text, or an image file's bytes
 * @param model id of the model
 * @param priority whether documents or a search wait for it
 * @param cancelled done when nobody waits any more: what is not encoded then fails
 * @param listener gets the outcomes
 */
public record EncodingRequest<T>(
    String model,
    List<T> items,
    Priority priority,
    CompletableFuture<?> cancelled,
    Listener listener) {

  /** Takes outcomes as batches are done, so that nobody holds all of them as floats. */
  @FunctionalInterface
  public interface Listener {
    /**
     * Called for each item once, in the items' order and by one thread at a time; the next batch is
     * encoded when this has returned.
     *
     * @param item index in the request
     */
    void onEncoded(int item, Encoded outcome);
  }

  public EncodingRequest {
    Objects.requireNonNull(model, "model");
    items = List.copyOf(items);
    Objects.requireNonNull(priority, "priority");
    Objects.requireNonNull(cancelled, "cancelled");
    Objects.requireNonNull(listener, "listener");
  }

  /** Returns a request of documents, whose sender always waits. */
  public static <T> EncodingRequest<T> ofDocuments(String model, List<T> items, Listener listener) {
    return new EncodingRequest<>(
        model, items, Priority.INGEST, new CompletableFuture<>(), listener);
  }

  /** Returns this request for somebody who may leave. */
  public EncodingRequest<T> cancelledBy(CompletableFuture<?> future) {
    return new EncodingRequest<>(model, items, priority, future, listener);
  }
}
