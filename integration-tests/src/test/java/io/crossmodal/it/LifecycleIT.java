/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.ByteArrayEntity;
import org.junit.jupiter.api.Test;
import org.opensearch.client.Request;
import org.opensearch.client.ResponseException;

/** What operators do to a node, and disks: on real processes. */
final class LifecycleIT {
  private static final String MODELS = "/_plugins/_cross_modal/models/";
  private static final int UPLOADS = 8;

  /** Of base64, 60 MB of bytes. */
  private static final int PART_CHARACTERS = 80 << 20;

  /** With their own graph parameters, and with the default ones. */
  private static final List<String> INDICES = List.of("own", "usual");

  /** Libtorch fills the node's own disk, and without the plugin there are no settings of it. */
  private static OpenSearchNode.Builder node(OpenSearchHome home, Path folder) {
    return Nodes.embedded(home, folder.resolve("node"));
  }

  private static String picture(int number) throws IOException {
    return Base64.getEncoder().encodeToString(Nodes.picture(number));
  }

  private static Map<String, Double> search(OpenSearchNode node, String index) throws IOException {
    String side = "{\"field\":\"image\",\"query_text\":\"a b\"}";
    Map<String, Double> scores = new TreeMap<>();
    for (JsonElement hit :
        Nodes.json(
                node,
                "POST",
                "/" + index + "/_search",
                "{\"query\":{\"cross_modal\":" + side + "},\"rescore\":{\"fusion\":" + side + "}}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits")) {
      scores.put(
          hit.getAsJsonObject().get("_id").getAsString(),
          hit.getAsJsonObject().get("_score").getAsDouble());
    }
    return scores;
  }

  @Test
  void aStartWithoutThePluginLosesNothing() throws Exception {
    Path folder = Nodes.folder("without");
    OpenSearchHome with = OpenSearchHome.create(folder.resolve("with"));
    with.install(PluginNode.zip());
    OpenSearchHome without = OpenSearchHome.create(folder.resolve("without"));
    Path file = folder.resolve("mine.zip");
    BundleWriter.write(TestBundles.random("mine", ModelConfig.micro(), 42), file, List.of("a b"));

    Map<String, Map<String, Double>> before = new TreeMap<>();
    try (OpenSearchNode node =
        node(with, folder).setting("plugins.cross_modal.precision", "fp32").start()) {
      manyUploadsAtOnce(node);
      upload(node, Base64.getEncoder().encodeToString(Files.readAllBytes(file)));
      for (String index : INDICES) {
        boolean own = index.equals("own");
        Nodes.json(
            node,
            "PUT",
            "/" + index,
            "{\"settings\":{\"number_of_replicas\":0"
                + (own ? ",\"index.cross_modal\":true" : "")
                + "},\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\","
                + "\"model\":\"mine\""
                + (own ? ",\"m\":8,\"ef_construction\":50,\"vector_encoding\":\"int8\"" : "")
                + "}}}}");
        for (int i = 0; i < 4; i++) {
          Nodes.json(
              node,
              "PUT",
              "/" + index + "/_doc/" + i + "?refresh=true",
              "{\"image\":{\"bytes\":\"" + picture(i) + "\"}}");
        }
        before.put(index, search(node, index));
        assertEquals(4, before.get(index).size());
      }
      Nodes.json(
          node, "PUT", "/notes/_doc/1?refresh=true", "{\"caption\":\"of no interest to models\"}");
    }

    try (OpenSearchNode node = node(without, folder).withoutAwaitingShards().start()) {
      Nodes.json(node, "GET", "/_cluster/health/notes?wait_for_status=yellow&timeout=5m", null);
      assertEquals(1, Nodes.json(node, "GET", "/notes/_count", null).get("count").getAsInt());
      // A state is written by whoever leads, without what it does not know.
      Nodes.json(node, "PUT", "/more/_doc/1?refresh=true", "{\"caption\":\"written without\"}");
    }

    try (OpenSearchNode node =
        node(with, folder)
            .setting("plugins.cross_modal.precision", "fp32")
            .withoutAwaitingShards()
            .start()) {
      for (String index : INDICES) {
        JsonObject health =
            Nodes.json(
                node,
                "GET",
                "/_cluster/health/" + index + "?wait_for_status=green&timeout=3m",
                null);
        assertEquals("green", health.get("status").getAsString(), index);
      }
      // Named again once the cluster manager has read the index of models, which has no deadline.
      String models = MODELS.substring(0, MODELS.length() - 1);
      long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
      while (!Nodes.call(node, "GET", models, null).contains("\"mine\"")) {
        assertTrue(System.nanoTime() < end, "the model does not come back");
        Thread.onSpinWait();
      }
      for (String index : INDICES) {
        Map<String, Double> after = search(node, index);
        assertEquals(before.get(index).keySet(), after.keySet());
        before.get(index).forEach((id, score) -> assertEquals(score, after.get(id), 1e-4, id));
        Nodes.json(
            node,
            "PUT",
            "/" + index + "/_doc/new?refresh=true",
            "{\"image\":{\"bytes\":\"" + picture(9) + "\"}}");
        assertEquals(5, search(node, index).size());
      }
    }
  }

  /** Sends parts of 80 MB from eight clients, to a heap of 1 GB: some are asked to come again. */
  private static void manyUploadsAtOnce(OpenSearchNode node) throws IOException {
    byte[] head =
        ("{\"sha256\":\"" + "0".repeat(64) + "\",\"bundle\":\"").getBytes(StandardCharsets.UTF_8);
    byte[] tail = "\"}".getBytes(StandardCharsets.UTF_8);
    byte[] body = new byte[head.length + PART_CHARACTERS + tail.length];
    Arrays.fill(body, (byte) 'A');
    System.arraycopy(head, 0, body, 0, head.length);
    System.arraycopy(tail, 0, body, body.length - tail.length, tail.length);
    Set<Integer> statuses = new TreeSet<>();
    ExecutorService clients = Executors.newFixedThreadPool(UPLOADS);
    try {
      IntStream.range(0, UPLOADS)
          .mapToObj(i -> CompletableFuture.supplyAsync(() -> part(node, i, body), clients))
          .toList()
          .forEach(status -> statuses.add(status.join()));
    } finally {
      clients.shutdownNow();
    }
    System.out.println("parts of 80 MB, eight at once: " + statuses);
    assertTrue(node.process().isAlive(), "the node lives");
    assertTrue(statuses.contains(429), statuses.toString());
    assertTrue(statuses.stream().allMatch(Set.of(200, 202, 413, 429)::contains), "" + statuses);
    String health = Nodes.call(node, "GET", "/_cluster/health", null);
    assertFalse(health.contains("\"red\""), health);
  }

  /** Retries as a 429 asks for: what many uploads left in the heap may still be there. */
  private static void upload(OpenSearchNode node, String bundle) throws IOException {
    for (int retries = 20; ; retries--) {
      try {
        Nodes.json(node, "PUT", MODELS + "mine", "{\"bundle\":\"" + bundle + "\"}");
        return;
      } catch (ResponseException e) {
        if (retries == 0 || e.getResponse().getStatusLine().getStatusCode() != 429) {
          throw e;
        }
      }
    }
  }

  private static int part(OpenSearchNode node, int number, byte[] body) {
    Request request = new Request("PUT", MODELS + "large-" + number + "?part=0&parts=4");
    request.setEntity(new ByteArrayEntity(body, ContentType.APPLICATION_JSON));
    try {
      return node.client().performRequest(request).getStatusLine().getStatusCode();
    } catch (ResponseException e) {
      return e.getResponse().getStatusLine().getStatusCode();
    } catch (IOException e) {
      throw new AssertionError("no answer to a part", e);
    }
  }

  @Test
  void aFullDiskIsNamedAndAllElseWorks() throws Exception {
    assumeTrue(canMount(), "this machine lets its user mount no file system");
    Path folder = Nodes.folder("full");
    OpenSearchHome home = Nodes.home(folder);
    // Libtorch takes 430 MB.
    try (OpenSearchNode node = node(home, folder).diskMegabytes(300).start()) {
      Nodes.json(node, "PUT", "/pictures", Nodes.PICTURES);
      for (int i = 0; i < 2; i++) {
        ResponseException refused =
            assertThrows(
                ResponseException.class,
                () ->
                    Nodes.json(
                        node,
                        "PUT",
                        "/pictures/_doc/1?refresh=true",
                        "{\"image\":{\"bytes\":\"" + picture(1) + "\"}}"));
        assertEquals(
            503, refused.getResponse().getStatusLine().getStatusCode(), refused.getMessage());
        assertTrue(refused.getMessage().contains("No space left on device"), refused.getMessage());
      }
      Nodes.json(node, "PUT", "/pictures/_doc/2?refresh=true", "{\"caption\":\"a pond\"}");
      assertEquals(1, Nodes.json(node, "GET", "/pictures/_count", null).get("count").getAsInt());
      uploadsLeaveRoom(node);
    }
  }

  /** Parts of bundles that nobody completes: refused while there is room to take them away. */
  private static void uploadsLeaveRoom(OpenSearchNode node) throws IOException {
    byte[] bytes = new byte[4 << 20];
    new Random(1).nextBytes(bytes);
    String part = "{\"bundle\":\"" + Base64.getEncoder().encodeToString(bytes) + "\"}";
    List<String> begun = new ArrayList<>();
    ResponseException refused = null;
    for (int i = 0; refused == null && i < 40; i++) {
      String model = MODELS + "endless-" + i % 8;
      try {
        Nodes.json(node, "PUT", model + "?part=" + i / 8 + "&parts=6", part);
        begun.add(model);
      } catch (ResponseException e) {
        refused = e;
      }
    }
    assertNotNull(refused, "40 parts of 4 MB on 300 MB");
    assertEquals(507, refused.getResponse().getStatusLine().getStatusCode(), refused.getMessage());
    assertTrue(refused.getMessage().contains("make room"), refused.getMessage());
    for (String model : Set.copyOf(begun)) {
      assertTrue(Nodes.json(node, "DELETE", model, null).get("acknowledged").getAsBoolean());
    }
    Nodes.json(node, "PUT", "/pictures/_doc/3?refresh=true", "{\"caption\":\"a lake\"}");
    assertEquals(2, Nodes.json(node, "GET", "/pictures/_count", null).get("count").getAsInt());
  }

  private static boolean canMount() throws IOException, InterruptedException {
    Process tried =
        new ProcessBuilder(
                "unshare",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                "mount -t tmpfs -o size=1m tmpfs /tmp")
            .redirectErrorStream(true)
            .start();
    tried.getInputStream().readAllBytes();
    return tried.waitFor() == 0;
  }
}
