/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** Three nodes with replicas, of which one is killed (SIGKILL), one in each test. */
final class KilledNodeIT {
  private static final int PICTURES = 30;
  private static final int BULK = 40;

  private static final List<OpenSearchNode> nodes = new ArrayList<>();
  private static List<CaptionedImage> images;
  private static OpenSearchHome home;
  private static Path folder;

  @BeforeAll
  static void start() throws Exception {
    folder = Nodes.folder("killed");
    images = Nodes.scenes(folder, PICTURES);
    home = Nodes.home(folder);
    for (int i = 0; i < 3; i++) {
      nodes.add(startNode("node-" + i));
    }
  }

  private static OpenSearchNode startNode(String name) throws IOException {
    return Nodes.builder(home, folder.resolve(name))
        .name(name)
        .heapMegabytes(768)
        .environment("OMP_NUM_THREADS", "1")
        .joining(nodes.toArray(new OpenSearchNode[0]))
        .start();
  }

  @AfterAll
  static void stop() throws IOException {
    for (OpenSearchNode node : nodes) {
      node.close();
    }
  }

  private static CrossModalClient client(OpenSearchNode node) {
    return new CrossModalClient(node.client());
  }

  private static void create(OpenSearchNode node, String index, int replicas) throws IOException {
    client(node)
        .call(
            "PUT",
            "/" + index,
            "{\"settings\":{\"number_of_shards\":3,\"number_of_replicas\":"
                + replicas
                // A copy is made anew at once.
                + ",\"index.unassigned.node_left.delayed_timeout\":\"0\"},\"mappings\":"
                + "{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}}");
    awaitGreen(node, index);
  }

  private static void awaitGreen(OpenSearchNode node, String index) throws IOException {
    JsonObject health =
        client(node)
            .get(
                "/_cluster/health/"
                    + index
                    + "?wait_for_status=green&timeout=5m"
                    + "&wait_for_no_relocating_shards=true");
    assertFalse(health.get("timed_out").getAsBoolean(), health.toString());
  }

  private static OpenSearchNode otherThan(OpenSearchNode node) {
    return nodes.stream().filter(one -> one != node).findFirst().orElseThrow();
  }

  /** Returns the node that leads the cluster, or one that does not. */
  private static OpenSearchNode leader(boolean leads) throws IOException {
    String name = Nodes.call(nodes.get(0), "GET", "/_cat/cluster_manager?h=node", null).strip();
    return nodes.stream()
        .filter(node -> node.name().equals(name) == leads)
        .findFirst()
        .orElseThrow();
  }

  private static String bulk(int from) {
    int dimension = ModelBundle.demo().manifest().config().embeddingDimension();
    StringBuilder lines = new StringBuilder();
    for (int i = from; i < from + BULK; i++) {
      float[] embedding = new float[dimension];
      embedding[i % dimension] = 1;
      JsonArray values = new JsonArray();
      for (float value : embedding) {
        values.add(value);
      }
      lines.append(
          String.format(
              Locale.ROOT,
              "{\"index\":{\"_id\":\"%d\"}}%n{\"image\":{\"embedding\":%s}}%n",
              i,
              values));
    }
    return lines.toString();
  }

  /** Writes bulk after bulk and keeps the ids that were acknowledged. */
  private static Set<String> write(
      OpenSearchNode node, CompletableFuture<Void> enough, CompletableFuture<?> killed) {
    Set<String> ids = new TreeSet<>();
    int after = 0;
    for (int from = 0; after < 5; from += BULK) {
      if (killed.isDone()) {
        after++;
      }
      try {
        JsonObject answer = client(node).call("POST", "/written/_bulk?timeout=2m", bulk(from));
        for (JsonElement item : answer.getAsJsonArray("items")) {
          JsonObject result = item.getAsJsonObject().getAsJsonObject("index");
          if (result.get("status").getAsInt() / 100 == 2) {
            ids.add(result.get("_id").getAsString());
          }
        }
      } catch (IOException e) {
        System.out.println("a bulk was not acknowledged: " + e.getMessage());
      }
      if (ids.size() >= 5 * BULK) {
        enough.complete(null);
      }
    }
    return ids;
  }

  @Test
  void whatABulkAcknowledgedIsThereAfterANodeWasKilled() throws Exception {
    OpenSearchNode killed = leader(false);
    OpenSearchNode survivor = otherThan(killed);
    create(survivor, "written", 1);
    CompletableFuture<Void> enough = new CompletableFuture<>();
    CompletableFuture<Void> gone = new CompletableFuture<>();
    CompletableFuture<Set<String>> writing =
        CompletableFuture.supplyAsync(() -> write(survivor, enough, gone));
    try {
      CompletableFuture.anyOf(enough, writing).get();
    } finally {
      killed.kill();
      nodes.remove(killed);
      gone.complete(null);
    }
    Set<String> ids = writing.get();
    assertTrue(ids.size() > 5 * BULK, "written on after the kill: " + ids.size());
    awaitGreen(survivor, "written");
    client(survivor).call("POST", "/written/_refresh", null);
    for (String copy : List.of("_primary", "_replica")) {
      JsonObject found =
          client(survivor)
              .call(
                  "POST",
                  "/written/_search?preference=" + copy,
                  "{\"size\":10000,\"_source\":true}");
      assertEquals(0, found.getAsJsonObject("_shards").get("failed").getAsInt());
      Set<String> there = new HashSet<>();
      for (JsonElement element : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
        JsonObject hit = element.getAsJsonObject();
        there.add(hit.get("_id").getAsString());
        JsonArray embedding =
            hit.getAsJsonObject("_source").getAsJsonObject("image").getAsJsonArray("embedding");
        int one = Integer.parseInt(hit.get("_id").getAsString()) % embedding.size();
        assertEquals(1, embedding.get(one).getAsFloat(), hit.toString());
      }
      Set<String> lost = new TreeSet<>(ids);
      lost.removeAll(there);
      assertEquals(Set.of(), lost, "acknowledged and not in " + copy);
    }
    // For the other test: three again.
    nodes.add(startNode(killed.name()));
  }

  private static String search(boolean global) {
    String side = "\"field\":\"image\",\"query_text\":\"two white tanks\"";
    return "{\"size\":10,\"_source\":false,\"query\":{\"cross_modal\":{"
        + side
        + ",\"k\":100}},\"rescore\":{\"window_size\":10,\"fusion\":{"
        + side
        + "}},\"ext\":{\"cross_modal\":{"
        + (global ? "\"global_window\":10" : "")
        + "}}}";
  }

  /** Returns whether an answer is whole. One that is not has to say so. */
  private static boolean whole(JsonObject answer) {
    JsonObject shards = answer.getAsJsonObject("_shards");
    boolean all = shards.get("successful").getAsInt() == shards.get("total").getAsInt();
    JsonObject hits = answer.getAsJsonObject("hits");
    int found = hits.getAsJsonObject("total").get("value").getAsInt();
    if (all) {
      assertEquals(PICTURES, found, answer.toString());
      for (JsonElement hit : hits.getAsJsonArray("hits")) {
        double score = hit.getAsJsonObject().get("_score").getAsDouble();
        assertTrue(score >= 1 || answer.get("timed_out").getAsBoolean(), answer.toString());
      }
    } else {
      assertTrue(found <= PICTURES, answer.toString());
    }
    return all;
  }

  /** Searches on and on, and says how many of those after the kill were answered. */
  private static int searchOn(
      OpenSearchNode node, CompletableFuture<Void> enough, CompletableFuture<?> killed) {
    int answered = 0;
    int after = 0;
    for (int i = 0; after < 10; i++) {
      boolean late = killed.isDone();
      try {
        whole(client(node).call("POST", "/replicas-1/_search", search(i % 2 == 0)));
        answered += late ? 1 : 0;
      } catch (IOException e) {
        // An error is plain too.
        System.out.println("a search was refused: " + e.getMessage());
      }
      after += late ? 1 : 0;
      if (i >= 6) {
        enough.complete(null);
      }
    }
    return answered;
  }

  @Test
  void searchesGoOnWhileTheLeadingNodeIsKilled() throws Exception {
    OpenSearchNode killed = leader(true);
    OpenSearchNode survivor = otherThan(killed);
    for (int replicas = 0; replicas < 2; replicas++) {
      create(survivor, "replicas-" + replicas, replicas);
      client(survivor).index("replicas-" + replicas, images, done -> {});
    }
    CompletableFuture<Void> enough = new CompletableFuture<>();
    CompletableFuture<Void> gone = new CompletableFuture<>();
    CompletableFuture<Integer> searching =
        CompletableFuture.supplyAsync(() -> searchOn(survivor, enough, gone));
    try {
      CompletableFuture.anyOf(enough, searching).get();
    } finally {
      killed.kill();
      nodes.remove(killed);
      gone.complete(null);
    }
    assertTrue(searching.get() > 0, "none of the searches after the kill was answered");

    awaitGreen(survivor, "replicas-1");
    for (boolean global : new boolean[] {true, false}) {
      JsonObject replicated = client(survivor).call("POST", "/replicas-1/_search", search(global));
      assertTrue(whole(replicated), replicated.toString());
      // What had no second copy is not there: fewer shards are successful than there are.
      JsonObject single = client(survivor).call("POST", "/replicas-0/_search", search(global));
      assertFalse(whole(single), single.toString());
      assertFalse(single.getAsJsonObject("hits").getAsJsonArray("hits").isEmpty());
      ResponseException strict =
          assertThrows(
              ResponseException.class,
              () ->
                  client(survivor)
                      .call(
                          "POST",
                          "/replicas-0/_search?allow_partial_search_results=false",
                          search(global)));
      assertEquals(
          5, strict.getResponse().getStatusLine().getStatusCode() / 100, strict.getMessage());
    }
  }
}
