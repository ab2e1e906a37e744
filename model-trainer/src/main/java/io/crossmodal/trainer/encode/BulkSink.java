/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Sends documents by {@code _bulk}, a few requests at a time. A cluster that is full (429) or away
 * is asked again, later and later, and only for the documents that it has not kept; meanwhile
 * {@link #send} waits, and with it whoever encodes.
 */
public final class BulkSink implements DocumentSink {
  private static final int TOO_LARGE = 413;

  /** Sends the lines of one request. */
  @FunctionalInterface
  public interface Transport {
    Response post(byte[] lines) throws IOException, InterruptedException;
  }

  private final Transport transport;
  private final DocumentFormat format;
  private final Retry retry;
  private final Listener listener;
  private final int connections;
  private final Semaphore room;
  private final ExecutorService senders;
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  /**
   * Makes a sink.
   *
   * @param connections requests at a time, at least 1
   */
  public BulkSink(
      Transport transport, DocumentFormat format, int connections, Retry retry, Listener listener) {
    if (connections < 1) {
      throw new IllegalArgumentException("connections must be at least 1, got " + connections);
    }
    this.transport = Objects.requireNonNull(transport, "transport");
    this.format = Objects.requireNonNull(format, "format");
    this.retry = Objects.requireNonNull(retry, "retry");
    this.listener = Objects.requireNonNull(listener, "listener");
    this.connections = connections;
    this.room = new Semaphore(connections);
    this.senders = Executors.newFixedThreadPool(connections);
  }

  @Override
  public void send(List<Document> documents) throws IOException, InterruptedException {
    room.acquire();
    boolean started = false;
    try {
      check();
      senders.execute(() -> run(List.copyOf(documents)));
      started = true;
    } finally {
      if (!started) {
        room.release();
      }
    }
  }

  @Override
  public void finish() throws IOException, InterruptedException {
    room.acquire(connections);
    room.release(connections);
    check();
  }

  @Override
  public void close() {
    senders.shutdownNow();
  }

  private void check() throws IOException {
    Throwable failed = failure.get();
    if (failed != null) {
      throw new IOException(
          failed instanceof Error ? failed.toString() : failed.getMessage(), failed);
    }
  }

  private void run(List<Document> documents) {
    try {
      deliver(documents);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      failure.compareAndSet(null, new IOException("sending was given up", e));
    } catch (Throwable e) {
      // An Error, too: what was not sent must not look as if it were.
      failure.compareAndSet(null, e);
    } finally {
      room.release();
    }
  }

  private void deliver(List<Document> documents) throws IOException, InterruptedException {
    List<Document> left = documents;
    Retry.Backoff waits = retry.new Backoff();
    while (!left.isEmpty()) {
      Reply reply = post(left);
      if (reply.tooLarge) {
        halves(left);
        return;
      }
      if (reply.again.size() < left.size()) {
        waits = retry.new Backoff();
      }
      left = reply.again;
      if (!left.isEmpty() && !waits.another()) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "given up after %d s, %d documents of a request are not kept: %s; run again to go"
                    + " on",
                waits.passed().toSeconds(),
                left.size(),
                reply.reason));
      }
    }
  }

  private void halves(List<Document> documents) throws IOException, InterruptedException {
    if (documents.size() == 1) {
      listener.refused(documents.get(0), "the document exceeds the node's http.max_content_length");
      return;
    }
    int half = documents.size() / 2;
    deliver(documents.subList(0, half));
    deliver(documents.subList(half, documents.size()));
  }

  /**
   * Work that is left after a request.
   *
   * @param again documents to send again
   * @param reason why
   * @param tooLarge whether the request has to be cut
   */
  private record Reply(List<Document> again, String reason, boolean tooLarge) {}

  private Reply post(List<Document> documents) throws IOException, InterruptedException {
    byte[] lines = format.lines(documents);
    Response response;
    try {
      response = transport.post(lines);
    } catch (IOException e) {
      return new Reply(documents, e.getMessage(), false);
    }
    if (Retry.PASSING.contains(response.status())) {
      return new Reply(documents, response.status() + " " + response.body(), false);
    }
    if (response.status() == TOO_LARGE) {
      return new Reply(documents, response.body(), true);
    }
    if (response.status() >= 300) {
      throw new IOException(
          "the node refused a bulk with " + response.status() + ": " + response.body());
    }
    return items(documents, response.body());
  }

  private Reply items(List<Document> documents, String body) throws IOException {
    List<Document> kept = new ArrayList<>();
    List<Document> again = new ArrayList<>();
    String reason = "";
    JsonArray items;
    try {
      items = JsonParser.parseString(body).getAsJsonObject().getAsJsonArray("items");
    } catch (JsonParseException | IllegalStateException e) {
      throw new IOException("the node answered a bulk with something else: " + body, e);
    }
    if (items == null || items.size() != documents.size()) {
      throw new IOException(
          documents.size() + " documents were sent, the node answered for others: " + body);
    }
    for (int i = 0; i < documents.size(); i++) {
      Document document = documents.get(i);
      JsonObject item = items.get(i).getAsJsonObject().getAsJsonObject("index");
      int status = item.get("status").getAsInt();
      if (status < 300) {
        kept.add(document);
      } else if (Retry.PASSING.contains(status)) {
        again.add(document);
        reason = reason(item);
      } else {
        listener.refused(document, reason(item));
      }
    }
    if (!kept.isEmpty()) {
      listener.kept(kept, 0);
    }
    return new Reply(again, reason, false);
  }

  /** Returns what the node says first, which names the field, and last, which names the cause. */
  private static String reason(JsonObject item) {
    List<String> reasons = new ArrayList<>();
    JsonElement error = item.get("error");
    while (error != null && error.isJsonObject()) {
      JsonElement reason = error.getAsJsonObject().get("reason");
      if (reason != null && reason.isJsonPrimitive()) {
        reasons.add(reason.getAsString());
      }
      error = error.getAsJsonObject().get("caused_by");
    }
    String all =
        reasons.size() < 2
            ? String.join("", reasons)
            : reasons.get(0) + ": " + reasons.get(reasons.size() - 1);
    return item.get("status").getAsInt() + " " + all;
  }
}
