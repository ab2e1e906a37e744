/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** What goes wrong around the native code, on a real node. */
final class FaultsIT {
  private static final String MODELS = "/_plugins/_cross_modal/models/";

  private static OpenSearchNode.Builder node(Path folder) throws IOException {
    return Nodes.embedded(Nodes.home(folder), folder.resolve("node"));
  }

  private static int hits(OpenSearchNode node, String query) throws IOException {
    return Nodes.json(node, "POST", "/pictures/_search", query)
        .getAsJsonObject("hits")
        .getAsJsonArray("hits")
        .size();
  }

  @Test
  void withoutTheNativeLibraryAllElseWorks() throws Exception {
    Path folder = Nodes.folder("native");
    Path library = Files.createDirectories(folder.resolve("libtorch"));
    // Found, and no library: as after an installation that broke off.
    Files.createFile(library.resolve(System.mapLibraryName("torch")));
    try (OpenSearchNode node =
        node(folder)
            .environment("PYTORCH_LIBRARY_PATH", library.toAbsolutePath().toString())
            .environment("PYTORCH_VERSION", "2.7.1")
            .environment("PYTORCH_FLAVOR", "cpu")
            .start()) {
      Nodes.json(node, "PUT", "/pictures", Nodes.PICTURES);
      JsonArray embedding = new JsonArray();
      int dimension = ModelBundle.demo().manifest().config().embeddingDimension();
      for (int i = 0; i < dimension; i++) {
        embedding.add(i == 0 ? 1 : 0);
      }
      Nodes.json(
          node,
          "PUT",
          "/pictures/_doc/1?refresh=true",
          "{\"caption\":\"a pond\",\"image\":{\"embedding\":" + embedding + "}}");
      assertEquals(1, hits(node, "{\"query\":{\"match\":{\"caption\":\"pond\"}}}"));
      String side = "{\"field\":\"image\",\"query_vector\":" + embedding + "}";
      assertEquals(1, hits(node, "{\"query\":{\"cross_modal\":" + side + "}}"));

      String words = "{\"field\":\"image\",\"query_text\":\"a pond\"}";
      ResponseException refused =
          assertThrows(
              ResponseException.class,
              () -> hits(node, "{\"query\":{\"cross_modal\":" + words + "}}"));
      assertEquals(503, refused.getResponse().getStatusLine().getStatusCode());
      assertTrue(
          refused.getMessage().contains("install the plugin's zip that contains it"),
          refused.getMessage());
      JsonObject listed =
          Nodes.json(node, "GET", MODELS + "scenes-tiny", null)
              .getAsJsonArray("models")
              .get(0)
              .getAsJsonObject()
              .getAsJsonObject("nodes");
      String state =
          listed.entrySet().iterator().next().getValue().getAsJsonObject().get("state").toString();
      assertEquals("\"failed\"", state);
      assertEquals(1, hits(node, "{\"query\":{\"match_all\":{}}}"), "the node lives");
    }
  }

  @Test
  void aNodeThatIsKilledWhileItLoadsAModelComesBack() throws Exception {
    Path folder = Nodes.folder("kill");
    Path file = folder.resolve("mine.zip");
    // Large enough for its load to take a while, small enough for one request.
    BundleWriter.write(
        TestBundles.random("mine", ModelConfig.Preset.TINY.config(), 1), file, List.of("a b"));
    OpenSearchNode.Builder builder = node(folder);
    OpenSearchNode first = builder.start();
    CompletableFuture<?> load;
    try {
      Nodes.json(
          first,
          "PUT",
          MODELS + "mine",
          "{\"bundle\":\"" + Base64.getEncoder().encodeToString(Files.readAllBytes(file)) + "\"}");
      load =
          CompletableFuture.runAsync(
              () -> {
                try {
                  Nodes.json(first, "POST", MODELS + "mine/_load", null);
                } catch (IOException e) {
                  // The node is gone, and its answer with it.
                  System.out.println("the load was cut off: " + e);
                }
              });
      while (!load.isDone()
          && !Nodes.json(first, "GET", MODELS + "mine", null).toString().contains("\"loading\"")) {
        Thread.onSpinWait();
      }
    } finally {
      first.kill();
    }
    load.join();

    try (OpenSearchNode second = builder.start()) {
      String loaded = Nodes.json(second, "POST", MODELS + "mine/_load", null).toString();
      assertTrue(loaded.contains("\"state\":\"loaded\""), loaded);
      try (Stream<Path> files = Files.walk(folder.resolve("node"))) {
        List<Path> left =
            files
                .filter(path -> path.toString().contains("cross_modal"))
                .filter(path -> path.toString().matches(".*(\\.tmp|model-[^/]*\\.pt)"))
                .toList();
        assertEquals(List.of(), left, "half-written files");
      }
    }
  }
}
