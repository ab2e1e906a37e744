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
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/**
 * From a checkpoint of a CLIP to a hit, each step a process of its own: {@code import}, {@code
 * deploy}, {@code encode}, a search on a real node.
 */
final class ClipIT {
  private static final int PICTURES = 12;

  private static OpenSearchNode node;
  private static Path folder;
  private static Path images;

  @BeforeAll
  static void start() throws Exception {
    folder = Nodes.folder("clip");
    SceneDatasetWriter.Config scenes = new SceneDatasetWriter.Config(0, 0, PICTURES, 98, 128, 0.3);
    images =
        new SceneDatasetWriter(scenes)
            .write(folder.resolve("scenes"), 2, () -> {})
            .resolveSibling(SceneDatasetWriter.IMAGES);
    node = PluginNode.start(folder.resolve("opensearch"), 0);
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  /** Runs the command line; all that it printed. */
  private static String run(int expected, String... arguments) throws Exception {
    return Nodes.trainer(expected, folder, List.of(arguments));
  }

  private static JsonObject search(String index, String body) throws IOException {
    return Nodes.json(node, "POST", "/" + index + "/_search", body);
  }

  private static List<Double> scores(String index, String side) throws IOException {
    JsonArray hits =
        search(
                index,
                "{\"size\":20,\"sort\":[\"path\"],\"track_scores\":true,\"query\":{\"cross_modal\":{"
                    + "\"field\":\"image\",\"k\":20,"
                    + side
                    + "}}}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    List<Double> scores = new ArrayList<>();
    hits.forEach(hit -> scores.add(hit.getAsJsonObject().get("_score").getAsDouble()));
    return scores;
  }

  private static void serve(String id, Path bundle) throws Exception {
    String address = node.baseUri().toString();
    run(0, "deploy", "--bundle", bundle.toString(), "--node", address);
    String[] encode = {
      "encode",
      "--data",
      images.toString(),
      "--bundle",
      bundle.toString(),
      "--index",
      id,
      "--create-index",
      "--node",
      address
    };
    assertTrue(run(0, encode).contains(PICTURES + " pictures encoded"));
    Nodes.json(node, "POST", "/" + id + "/_refresh", null);
  }

  @Test
  void aCheckpointBecomesHits() throws Exception {
    long seed = Seeds.next();
    Path checkpoint = folder.resolve("checkpoint");
    TestClips.write(checkpoint, seed);
    Path bundle = folder.resolve("mine.zip");
    String[] importing = {
      "import",
      "--clip",
      checkpoint.toString(),
      "--id",
      "mine",
      "--out",
      bundle.toString(),
      "--prompt",
      "a photo of {}"
    };
    String printed = run(0, importing);
    assertTrue(printed.contains("519 byte pairs' ids"), printed);
    serve("mine", bundle);

    // The very bytes that encode read are nearest to themselves.
    Path picture;
    try (var files = Files.list(images)) {
      picture = files.sorted().skip(5).findFirst().orElseThrow();
    }
    String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(picture));
    String query =
        "{\"size\":1,\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_image\":\""
            + bytes
            + "\"}}}";
    JsonObject first =
        search("mine", query)
            .getAsJsonObject("hits")
            .getAsJsonArray("hits")
            .get(0)
            .getAsJsonObject();
    assertEquals(
        picture.getFileName().toString(),
        first.getAsJsonObject("_source").get("path").getAsString());
    assertEquals(1, first.get("_score").getAsDouble(), 1e-3);

    List<Double> prompted = scores("mine", "\"query_text\":\"a pond\"");
    assertEquals(PICTURES, prompted.size());
    List<Double> typed = scores("mine", "\"query_text\":\"a photo of a pond\",\"prompt\":false");
    for (int i = 0; i < PICTURES; i++) {
      assertEquals(typed.get(i), prompted.get(i), 1e-4, "seed " + seed);
    }

    ResponseException refused =
        assertThrows(
            ResponseException.class,
            () ->
                search(
                    "mine",
                    "{\"query\":{\"match_all\":{}},\"rescore\":{\"window_size\":5,\"fusion\":"
                        + "{\"field\":\"image\",\"query_text\":\"a pond\"}}}"));
    assertEquals(400, refused.getResponse().getStatusLine().getStatusCode());
    assertTrue(refused.getMessage().contains("needs a fusion encoder"), refused.getMessage());
  }

  /** A published form with CLIP's own vocabulary, where the shared fixtures are at hand. */
  @Test
  void aPublishedFormIsServedAsTheTrainerComputesIt() throws Exception {
    Path fixtures =
        Path.of(System.getProperty("crossmodal.shared", "../shared")).resolve("fixtures/clip");
    Path checkpoint = fixtures.resolve("huggingface-quickgelu").toAbsolutePath();
    if (!Files.exists(checkpoint)) {
      System.out.println("skipped: no " + checkpoint + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(checkpoint));
    Path file = folder.resolve("published.zip");
    run(
        0,
        "import",
        "--clip",
        checkpoint.toString(),
        "--id",
        "published",
        "--out",
        file.toString());
    serve("published", file);
    ModelBundle bundle = ModelBundle.read(file);
    String text = "two white storage tanks beside the harbour's pier";
    List<Double> found = scores("published", "\"query_text\":\"" + text + "\"");
    List<Double> expected = new ArrayList<>();
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      Encoding query = model.encodeTexts(List.of(bundle.tokenizer().tokenize(text))).get(0);
      try (var files = Files.list(images)) {
        for (Path picture : files.sorted().toList()) {
          Encoding image =
              model
                  .encodeImages(
                      "rgb",
                      List.of(bundle.preprocessor("rgb").preprocess(Files.readAllBytes(picture))))
                  .get(0);
          double cosine = 0;
          for (int i = 0; i < image.embedding().length; i++) {
            cosine += image.embedding()[i] * query.embedding()[i];
          }
          expected.add((1 + cosine) / 2);
        }
      }
    }
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < found.size(); i++) {
      assertEquals(expected.get(i), found.get(i), 1e-4);
    }
  }
}
