/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** Searches that want all that a node has, and a scorer that is stopped (SIGSTOP). */
final class OverloadIT {
  private static final int PICTURES = 20;

  /** The widest window that is allowed without a change of settings. */
  private static final int WIDEST = 1000;

  private static final int CLIENTS = 8;
  private static final int LIGHT = 100;
  private static final int MOST_QUESTIONS = 1000;
  private static final String SIDE = "\"field\":\"image\",\"query_text\":\"two white tanks\"";

  private static Path folder;
  private static OpenSearchHome home;
  private static OpenSearchNode node;

  @BeforeAll
  static void start() throws Exception {
    folder = Nodes.folder("overload");
    home = Nodes.home(folder);
    node = builder("data").start();
    for (String index : List.of("few", "many")) {
      call(
          "PUT",
          "/" + index,
          "{\"settings\":{\"number_of_replicas\":0},\"mappings\":{\"properties\":{"
              + "\"image\":{\"type\":\"cross_modal\"}}}}");
    }
    new CrossModalClient(node.client()).index("few", Nodes.scenes(folder, PICTURES), done -> {});
    copyToMany();
    call("PUT", "/plain/_doc/1?refresh=true", "{\"caption\":\"a pond\"}");
  }

  private static OpenSearchNode.Builder builder(String name) {
    return Nodes.builder(home, folder.resolve(name))
        .name(name)
        .setting("plugins.cross_modal.precision", "fp32");
  }

  @AfterAll
  static void stop() throws IOException {
    node.close();
  }

  private static JsonObject call(String method, String path, String json) throws IOException {
    return new CrossModalClient(node.client()).call(method, path, json);
  }

  private static Iterable<JsonElement> hits(JsonObject answer) {
    return answer.getAsJsonObject("hits").getAsJsonArray("hits");
  }

  /** Copies what the model made of the pictures, which takes no model. */
  private static void copyToMany() throws IOException {
    List<JsonObject> encoded = new ArrayList<>();
    for (JsonElement hit :
        hits(call("POST", "/few/_search", "{\"size\":" + PICTURES + ",\"_source\":true}"))) {
      JsonObject image = hit.getAsJsonObject().getAsJsonObject("_source").getAsJsonObject("image");
      image.remove("bytes");
      image.remove("encoded_from");
      encoded.add(image);
    }
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < WIDEST; i++) {
      lines.append("{\"index\":{}}\n{\"image\":").append(encoded.get(i % PICTURES)).append("}\n");
    }
    JsonObject answer = call("POST", "/many/_bulk?refresh=true", lines.toString());
    assertFalse(answer.get("errors").getAsBoolean(), answer.toString());
  }

  private static String search(int window, String more) {
    return "{\"size\":10,\"_source\":false,\"query\":{\"cross_modal\":{"
        + SIDE
        + ",\"k\":"
        + window
        + "}},\"rescore\":{\"window_size\":"
        + window
        + ",\"fusion\":{"
        + SIDE
        + "}}"
        + more
        + "}";
  }

  private static JsonObject stats() throws IOException {
    JsonObject nodes = call("GET", "/_plugins/_cross_modal/stats", null).getAsJsonObject("nodes");
    for (JsonElement one : nodes.asMap().values()) {
      if (one.getAsJsonObject().get("name").getAsString().equals("data")) {
        return one.getAsJsonObject();
      }
    }
    throw new AssertionError("no stats: " + nodes);
  }

  /** Has the widest searches made until it is told to end; counts answers by their status. */
  private static void searchWidely(
      AtomicInteger answered, AtomicInteger refused, CompletableFuture<?> end) {
    boolean first = true;
    while (first || !end.isDone()) {
      try {
        for (JsonElement hit : hits(call("POST", "/many/_search", search(WIDEST, "")))) {
          assertTrue(hit.getAsJsonObject().get("_score").getAsDouble() >= 1, hit.toString());
        }
        answered.incrementAndGet();
      } catch (ResponseException e) {
        assertEquals(429, e.getResponse().getStatusLine().getStatusCode(), e.getMessage());
        refused.incrementAndGet();
      } catch (IOException e) {
        throw new AssertionError(e);
      }
      first = false;
    }
  }

  @Test
  void theWidestSearchesLeaveALightOneItsTime() throws Exception {
    call("POST", "/many/_search", search(10, ""));
    AtomicInteger answered = new AtomicInteger();
    AtomicInteger refused = new AtomicInteger();
    CompletableFuture<Void> end = new CompletableFuture<>();
    List<Thread> clients = new ArrayList<>();
    List<Throwable> failures = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      Thread client = new Thread(() -> searchWidely(answered, refused, end), "client-" + i);
      client.setUncaughtExceptionHandler(
          (thread, failure) -> {
            synchronized (failures) {
              failures.add(failure);
            }
          });
      client.start();
      clients.add(client);
    }
    double[] millis = new double[LIGHT];
    try {
      for (int i = 0; i < LIGHT; i++) {
        long start = System.nanoTime();
        JsonObject light = call("POST", "/plain/_search", "{\"query\":{\"match_all\":{}}}");
        millis[i] = (System.nanoTime() - start) / 1e6;
        assertEquals(1, light.getAsJsonObject("hits").getAsJsonArray("hits").size());
      }
    } finally {
      end.complete(null);
      for (Thread client : clients) {
        client.join();
      }
    }
    assertEquals(List.of(), failures);
    Arrays.sort(millis);
    double p95 = millis[LIGHT * 95 / 100];
    System.out.printf(
        Locale.ROOT,
        "%d widest searches answered, %d refused; a light one beside them: median %.0f ms, p95 %.0f"
            + " ms%n",
        answered.get(),
        refused.get(),
        millis[LIGHT / 2],
        p95);
    assertTrue(answered.get() >= CLIENTS / 2, "answered: " + answered);
    assertTrue(p95 < 1000, "p95 of a light search: " + p95 + " ms");
    JsonObject breakers = call("GET", "/_nodes/data/stats/breaker", null).getAsJsonObject("nodes");
    for (JsonElement one : breakers.asMap().values()) {
      JsonObject request =
          one.getAsJsonObject().getAsJsonObject("breakers").getAsJsonObject("request");
      assertEquals(0, request.get("estimated_size_in_bytes").getAsLong(), request.toString());
    }
  }

  private static void signal(OpenSearchNode to, String signal) throws Exception {
    Process kill =
        new ProcessBuilder("kill", "-" + signal, Long.toString(to.process().pid()))
            .inheritIO()
            .start();
    assertEquals(0, kill.waitFor(), "kill -" + signal);
  }

  private static JsonObject fused(String more) throws IOException {
    JsonObject answer = call("POST", "/few/_search", search(PICTURES, more));
    assertFalse(answer.get("timed_out").getAsBoolean(), answer.toString());
    for (JsonElement hit : hits(answer)) {
      assertTrue(hit.getAsJsonObject().get("_score").getAsDouble() >= 1, answer.toString());
    }
    return answer;
  }

  private static long counter(String name) throws IOException {
    return stats().get(name).getAsLong();
  }

  @Test
  void aSearchGoesOnBesideAScorerThatIsStopped() throws Exception {
    fused("");
    try (OpenSearchNode scorer =
        builder("scorer")
            .setting("node.roles", "ingest")
            .setting("node.attr.cross_modal.scorer", "true")
            .joining(node)
            .start()) {
      // Else the first question finds it loading.
      Nodes.call(node, "POST", "/_plugins/_cross_modal/models/scenes-tiny/_load", null);
      long remote = counter("remote_answers");
      // On a busy machine its first answer may still come later than a search waits for it.
      for (int asked = 0; counter("remote_answers") == remote; asked++) {
        assertTrue(asked < MOST_QUESTIONS, () -> "the scorer answers none of them");
        fused("");
      }
      long timeouts = counter("remote_timeouts");
      long fallbacks = counter("remote_fallbacks");
      long timeout = 12_000;
      String bounded = ",\"timeout\":\"" + timeout + "ms\"";
      JsonObject late;
      JsonObject next;
      signal(scorer, "STOP");
      try {
        // It would be timed_out had the scorer been waited for to the end.
        late = fused(bounded);
        // Who was late is not asked again at once.
        next = fused(bounded);
      } finally {
        signal(scorer, "CONT");
      }
      long took = late.get("took").getAsLong();
      System.out.println("beside a stopped scorer: " + took + " of " + timeout + " ms");
      assertTrue(took < timeout, late.toString());
      assertTrue(next.get("took").getAsLong() < timeout / 2, next.toString());
      assertEquals(timeouts + 1, counter("remote_timeouts"));
      assertEquals(fallbacks + 2, counter("remote_fallbacks"));
    }
  }
}
