/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** A model of one's own on a real node, from the upload over a power failure to its end. */
final class ModelUploadIT {
  private static final String MODELS = "/_plugins/_cross_modal/models/";
  private static final String SEARCH =
      "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a"
          + " pond\"}},\"rescore\":{\"window_size\":5,\"fusion\":{\"field\":\"image\",\"query_text\":\"a"
          + " pond\"}}}";

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }

  private static Map<String, Double> search(OpenSearchNode node) throws IOException {
    Map<String, Double> scores = new TreeMap<>();
    for (JsonElement hit :
        Nodes.json(node, "POST", "/pictures/_search", SEARCH)
            .getAsJsonObject("hits")
            .getAsJsonArray("hits")) {
      double score = hit.getAsJsonObject().get("_score").getAsDouble();
      assertTrue(score >= 1, "rescored: " + score);
      scores.put(hit.getAsJsonObject().get("_id").getAsString(), score);
    }
    return scores;
  }

  @Test
  void anUploadedModelServesAndSurvivesAPowerFailure() throws Exception {
    Path folder = Nodes.folder("upload");
    Path file = folder.resolve("mine.zip");
    BundleWriter.write(TestBundles.random("mine", ModelConfig.micro(), 42), file, List.of("a b"));
    byte[] bundle = Files.readAllBytes(file);
    OpenSearchHome home = Nodes.home(folder);
    OpenSearchNode.Builder builder =
        Engines.chosen(OpenSearchNode.builder(home, folder.resolve("node")))
            .heapMegabytes(1024)
            // What is measured to be fastest may be another after the restart; scores would be too.
            .setting("plugins.cross_modal.precision", "fp32")
            .environment("OMP_WAIT_POLICY", "passive");

    Map<String, Double> before;
    OpenSearchNode node = builder.start();
    try {
      int half = bundle.length / 2;
      JsonObject waits =
          Nodes.json(
              node,
              "PUT",
              MODELS + "mine?part=0&parts=2",
              "{\"bundle\":\"" + base64(Arrays.copyOf(bundle, half)) + "\"}");
      assertEquals("[1]", waits.get("missing_parts").toString());
      JsonObject whole =
          Nodes.json(
              node,
              "PUT",
              MODELS + "mine?part=1&parts=2",
              "{\"bundle\":\"" + base64(Arrays.copyOfRange(bundle, half, bundle.length)) + "\"}");
      assertEquals(1, whole.get("version").getAsInt());
      // The command line sends the same bytes in three parts, and has nothing to change.
      ModelUpload upload =
          new ModelUpload(
              new ClusterClient(node.baseUri(), Optional.empty()), bundle.length / 3 + 1);
      List<Integer> sent = new ArrayList<>();
      assertTrue(upload.send(file, "mine", sent::add).contains("\"version\":1"));
      assertEquals(List.of(1, 2, 3), sent);
      assertTrue(upload.load("mine").contains("mine"));
      IOException shipped =
          assertThrows(IOException.class, () -> upload.send(file, "scenes-tiny", parts -> {}));
      assertTrue(shipped.getMessage().contains("scenes-tiny"), shipped.getMessage());
      Nodes.json(
          node,
          "PUT",
          "/pictures",
          "{\"settings\":{\"number_of_replicas\":0},\"mappings\":{\"properties\":"
              + "{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}}");
      for (int i = 0; i < 4; i++) {
        Nodes.json(
            node,
            "PUT",
            "/pictures/_doc/" + i + "?refresh=true",
            "{\"image\":{\"bytes\":\"" + base64(Nodes.picture(i)) + "\"}}");
      }
      before = search(node);
      assertEquals(4, before.size());
    } finally {
      node.kill();
    }

    node = builder.start();
    try {
      Map<String, Double> after = search(node);
      assertEquals(before.keySet(), after.keySet());
      before.forEach((id, score) -> assertEquals(score, after.get(id), 1e-4, id));
      OpenSearchNode running = node;
      ResponseException used =
          assertThrows(
              ResponseException.class, () -> Nodes.json(running, "DELETE", MODELS + "mine", null));
      assertEquals(409, used.getResponse().getStatusLine().getStatusCode());
      Nodes.json(node, "DELETE", "/pictures", null);
      Nodes.json(node, "DELETE", MODELS + "mine", null);
      ResponseException gone =
          assertThrows(
              ResponseException.class, () -> Nodes.json(running, "GET", MODELS + "mine", null));
      assertEquals(404, gone.getResponse().getStatusLine().getStatusCode());
    } finally {
      node.close();
    }
  }
}
