/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.fixtures.TestCertificates;
import io.crossmodal.model.fixtures.WorkerProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** A node beside a worker that is killed, stopped and not there. */
final class WorkerIT {
  private static final int PICTURES = 20;
  private static final int CLIENTS = 16;
  private static final Duration BACK = Duration.ofSeconds(10);

  private static Path socket;
  private static OpenSearchNode node;
  private static WorkerProcess worker;

  @BeforeAll
  static void start() throws Exception {
    Path folder = Nodes.folder("worker");
    socket = Engines.socket();
    // Nobody listens there yet: a node starts without its worker.
    node =
        Engines.beside(Nodes.builder(Nodes.home(folder), folder.resolve("node")), socket)
            .setting("plugins.cross_modal.engine.max_silence", "2s")
            .start();
    Nodes.json(node, "PUT", "/scenes", Nodes.PICTURES);
    ResponseException absent =
        assertThrows(ResponseException.class, () -> search("two white tanks", "fail"));
    assertEquals(503, absent.getResponse().getStatusLine().getStatusCode());
    assertTrue(absent.getMessage().contains("no worker listens on"), absent.getMessage());
    worker = WorkerProcess.start(Engines.jar(), folder.resolve("data"), socket);
    awaitWorker();
    new CrossModalClient(node.client()).index("scenes", Nodes.scenes(folder, PICTURES), done -> {});
  }

  @AfterAll
  static void stop() throws IOException {
    if (worker != null) {
      worker.close();
    }
    node.close();
  }

  private static JsonObject search(String words, String onFailure) throws IOException {
    String side = "\"field\":\"image\",\"query_text\":\"" + words + "\"";
    return Nodes.json(
        node,
        "POST",
        "/scenes/_search",
        "{\"size\":10,\"_source\":false,\"query\":{\"cross_modal\":{"
            + side
            + ",\"k\":20}},\"rescore\":{\"window_size\":20,\"fusion\":{"
            + side
            + ",\"on_failure\":\""
            + onFailure
            + "\"}}}");
  }

  private static boolean fused(JsonObject answer) {
    JsonElement best = answer.getAsJsonObject("hits").getAsJsonArray("hits").get(0);
    return best.getAsJsonObject().get("_score").getAsDouble() >= 1;
  }

  private static JsonObject stats() throws IOException {
    JsonObject nodes =
        Nodes.json(node, "GET", "/_plugins/_cross_modal/stats", null).getAsJsonObject("nodes");
    return nodes.entrySet().iterator().next().getValue().getAsJsonObject();
  }

  private static JsonObject knownWorker() throws IOException {
    return stats().getAsJsonArray("workers").get(0).getAsJsonObject();
  }

  /** Waits until the node knows that the worker is there: it asks every second. */
  private static void awaitWorker() throws IOException {
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
    while (!knownWorker().get("state").getAsString().equals("ready")) {
      assertTrue(System.nanoTime() < end, () -> "the worker was not noticed");
    }
  }

  private static void awaitFused() throws IOException {
    long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
    while (!fused(search("a river", "keep_first_pass"))) {
      assertTrue(System.nanoTime() < end, () -> "not fused again");
    }
  }

  @Test
  void noSearchIsLostWhenAWorkerIsKilledAndServiceComesBack() throws Exception {
    List<String> words = List.of("two white tanks", "a river", "a road", "a green field");
    for (String each : words) {
      // From now on the words are encoded: what is left to fail is the rescore.
      assertTrue(fused(search(each, "fail")), each);
    }
    CompletableFuture<Void> end = new CompletableFuture<>();
    AtomicInteger answered = new AtomicInteger();
    AtomicInteger degraded = new AtomicInteger();
    Semaphore anyAnswer = new Semaphore(0);
    Semaphore firstPass = new Semaphore(0);
    List<CompletableFuture<Void>> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      String own = words.get(i % words.size());
      clients.add(
          CompletableFuture.runAsync(
              () -> {
                while (!end.isDone()) {
                  try {
                    JsonObject answer = search(own, "keep_first_pass");
                    assertEquals(0, answer.getAsJsonObject("_shards").get("failed").getAsInt());
                    assertEquals(10, answer.getAsJsonObject("hits").getAsJsonArray("hits").size());
                    answered.incrementAndGet();
                    anyAnswer.release();
                    if (!fused(answer)) {
                      degraded.incrementAndGet();
                      firstPass.release();
                    }
                  } catch (IOException e) {
                    throw new AssertionError("a search was lost", e);
                  }
                }
              },
              task -> new Thread(task, "client").start()));
    }
    long back;
    try {
      assertTrue(anyAnswer.tryAcquire(CLIENTS, 3, TimeUnit.MINUTES), "searches are answered");
      worker.kill();
      assertTrue(firstPass.tryAcquire(CLIENTS, 3, TimeUnit.MINUTES), "by the first pass");
      worker.restart();
      long listens = System.nanoTime();
      awaitFused();
      back = System.nanoTime() - listens;
    } finally {
      end.complete(null);
    }
    for (CompletableFuture<Void> client : clients) {
      client.get(3, TimeUnit.MINUTES);
    }
    System.out.println(
        answered
            + " searches answered, "
            + degraded
            + " of them by the first pass; fused again "
            + TimeUnit.NANOSECONDS.toMillis(back)
            + " ms after the worker listened");
    assertTrue(back < BACK.toNanos(), "back after ms: " + TimeUnit.NANOSECONDS.toMillis(back));
    assertEquals("ready", knownWorker().get("state").getAsString());
    assertTrue(stats().get("degraded").getAsLong() >= degraded.get());
  }

  @Test
  void aStoppedWorkerIsNotWaitedFor() throws Exception {
    awaitFused();
    long losses = knownWorker().get("losses").getAsLong();
    worker.freeze();
    try {
      JsonObject kept = search("a river", "keep_first_pass");
      assertFalse(fused(kept), kept.toString());
      assertEquals(losses + 1, knownWorker().get("losses").getAsLong());
      JsonObject next = search("a river", "keep_first_pass");
      System.out.println(
          "beside a stopped worker: " + kept.get("took") + " ms, then " + next.get("took") + " ms");
      assertFalse(next.get("timed_out").getAsBoolean(), next.toString());
    } finally {
      worker.thaw();
    }
    awaitFused();
  }

  /** In a node whose agent lets plugins connect to nobody but whom their policy names. */
  @Test
  void byTlsBothEndsShowCertificates() throws Exception {
    Path own = Nodes.folder("worker-tls");
    Path config = own.resolve("node").resolve("config");
    TestCertificates certificates = new TestCertificates(config.resolve("tls"));
    TestCertificates.Pem ours = certificates.signed("worker");
    TestCertificates.Pem unused = certificates.signed("node");
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    try (WorkerProcess far =
            WorkerProcess.start(
                Engines.jar(),
                own.resolve("data"),
                Engines.socket(),
                "--listen",
                "https://127.0.0.1:" + port,
                "--tls-certificate",
                ours.certificate().toString(),
                "--tls-key",
                ours.key().toString(),
                "--tls-clients",
                certificates.ca().toString());
        OpenSearchNode near =
            Nodes.builder(Nodes.home(own), own.resolve("node"))
                .setting("plugins.cross_modal.engine", "process")
                .setting("plugins.cross_modal.engine.socket", "https://localhost:" + port)
                .setting("plugins.cross_modal.engine.tls.ca", "tls/ca.pem")
                .setting("plugins.cross_modal.engine.tls.certificate", "tls/node.pem")
                .setting("plugins.cross_modal.engine.tls.key", "tls/node.key")
                .start()) {
      String encoded =
          Nodes.call(
              near,
              "POST",
              "/_plugins/_cross_modal/models/scenes-tiny/_encode",
              "{\"text\":[\"a river\"]}");
      assertTrue(encoded.contains("embedding"), encoded);
      assertTrue(far.process().isAlive());
    }
  }

  @Test
  void theNodeLoadsNoNativeLibrary() throws Exception {
    awaitFused();
    String maps = Files.readString(Path.of("/proc/" + node.process().pid() + "/maps"));
    assertFalse(maps.contains("libtorch") || maps.contains("djl"), "libtorch in the node");
    assertTrue(
        Files.readString(Path.of("/proc/" + worker.process().pid() + "/maps")).contains("torch"));
  }
}
