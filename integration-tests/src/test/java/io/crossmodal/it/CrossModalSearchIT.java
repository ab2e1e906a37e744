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
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.trainer.data.CaptionedImage;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.Request;
import org.opensearch.client.Response;
import org.opensearch.client.ResponseException;

/** The whole path on a real node: the zip installed, the shipped model, pictures, REST. */
final class CrossModalSearchIT {
  private static final int PICTURES = 60;
  private static final float TOLERANCE = 2e-3f;

  private static OpenSearchNode node;
  private static CrossModalClient client;
  private static List<CaptionedImage> images;
  private static Path folder;

  @BeforeAll
  static void indexPictures() throws Exception {
    folder = Nodes.folder("search");
    images = Nodes.scenes(folder, PICTURES);
    node = PluginNode.start(folder.resolve("opensearch"), 0);
    client = new CrossModalClient(node.client());
    client.createIndex("scenes", 2);
    client.index("scenes", images, done -> {});
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  /** The plugin's score, the trainer's and the plain-Java reference's are one. */
  @Test
  void scoresAreThoseOfTheTrainerAndOfTheReference() throws Exception {
    ModelBundle bundle = ModelBundle.demo();
    Calibration calibration = bundle.manifest().calibration();
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      String caption = images.get(3).captions().get(0);
      Encoding text = model.encodeTexts(List.of(bundle.tokenizer().tokenize(caption))).get(0);
      Map<String, TokenBlock> stored = new HashMap<>();
      Map<String, float[]> embeddings = new HashMap<>();
      for (CaptionedImage image : images) {
        Encoding encoded =
            model
                .encodeImages(
                    "rgb",
                    List.of(
                        bundle.preprocessor("rgb").preprocess(Files.readAllBytes(image.file()))))
                .get(0);
        byte[] block =
            TokenBlockFormat.write(
                encoded.tokens(),
                TokenEncoding.INT8,
                bundle.manifest().fingerprints().tokenSpace());
        stored.put(image.filename(), TokenBlockFormat.read(block, 0, block.length));
        embeddings.put(image.filename(), encoded.embedding());
      }
      for (Hit hit : client.search("scenes", caption, PICTURES, 0, PICTURES)) {
        float[] embedding = embeddings.get(hit.id());
        double cosine = 0;
        for (int d = 0; d < embedding.length; d++) {
          cosine += embedding[d] * text.embedding()[d];
        }
        assertEquals((1 + cosine) / 2, hit.score(), TOLERANCE, hit.id());
      }
      List<Hit> rescored = client.search("scenes", caption, PICTURES, PICTURES, PICTURES);
      assertEquals(PICTURES, rescored.size());
      for (Hit hit : rescored) {
        PairLogits trainer = model.score(List.of(text.tokens()), List.of(stored.get(hit.id())));
        PairLogits oracle = reference.score(text.tokens(), stored.get(hit.id()));
        double byTrainer = 1 + calibration.probability(trainer.itm()[0], trainer.biEncoder()[0]);
        double byOracle = 1 + calibration.probability(oracle.itm()[0], oracle.biEncoder()[0]);
        assertEquals(byTrainer, hit.score(), TOLERANCE, hit.id());
        assertEquals(byOracle, hit.score(), TOLERANCE, hit.id());
      }
    }
  }

  @Test
  void whatIsRescoredStandsAboveWhatIsNotOnEveryShard() throws Exception {
    List<Hit> hits = client.search("scenes", "two white tanks .", PICTURES, 5, PICTURES);
    long rescored = hits.stream().filter(hit -> hit.score() >= 1).count();
    assertEquals(10, rescored, "a window of 5 on each of 2 shards");
    assertTrue(hits.subList(10, hits.size()).stream().allMatch(hit -> hit.score() < 1));
  }

  /** One window over both shards, with nothing to set up; the answer says what was done. */
  @Test
  void aGlobalWindowHoldsTheBestHitsOfAllShards() throws Exception {
    String words = "two white tanks";
    String side = "\"field\":\"image\",\"query_text\":\"" + words + "\"";
    JsonObject answer =
        post(
            "/scenes/_search",
            "{\"size\":10,\"_source\":false,\"query\":{\"cross_modal\":{"
                + side
                + ",\"k\":60}},\"rescore\":{\"fusion\":{"
                + side
                + "}},\"ext\":{\"cross_modal\":{\"global_window\":10}}}");
    List<String> found = new ArrayList<>();
    for (JsonElement hit : answer.getAsJsonObject("hits").getAsJsonArray("hits")) {
      assertTrue(hit.getAsJsonObject().get("_score").getAsDouble() >= 1);
      found.add(hit.getAsJsonObject().get("_id").getAsString());
    }
    List<Hit> firstPass = client.search("scenes", words, PICTURES, 0, 10);
    assertEquals(Set.copyOf(firstPass.stream().map(Hit::id).toList()), Set.copyOf(found));
    JsonObject report =
        answer
            .getAsJsonObject("ext")
            .getAsJsonObject("cross_modal")
            .getAsJsonArray("rescores")
            .get(0)
            .getAsJsonObject();
    assertEquals("global", report.get("window").getAsString());
    assertEquals(10, report.get("rescored").getAsInt());
  }

  @Test
  void hitsSayWhyTheyScoreAsTheyDo() throws Exception {
    String side = "\"field\":\"image\",\"query_text\":\"two white tanks\"";
    String search =
        "{\"size\":20,\"_source\":false,\"query\":{\"cross_modal\":{"
            + side
            + ",\"k\":60}},\"rescore\":{\"window_size\":5,\"fusion\":{"
            + side
            + "}},\"ext\":{\"cross_modal\":{\"details\":true,\"heat_map\":%s}}}";
    JsonArray hits =
        post("/scenes/_search", String.format(Locale.ROOT, search, "true"))
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    assertEquals(20, hits.size());
    for (int i = 0; i < hits.size(); i++) {
      JsonObject hit = hits.get(i).getAsJsonObject();
      JsonObject details =
          hit.getAsJsonObject("fields").getAsJsonArray("_cross_modal").get(0).getAsJsonObject();
      assertEquals("scenes-tiny", details.get("model").getAsString());
      assertEquals(i < 10, details.get("rescored").getAsBoolean(), "a window of 5 on 2 shards");
      if (i >= 10) {
        continue;
      }
      double p = hit.get("_score").getAsDouble() - 1;
      assertEquals(p, details.get("p").getAsDouble(), TOLERANCE);
      JsonObject heatMap = details.getAsJsonObject("heat_map");
      assertEquals("[\"two\",\"white\",\"tanks\"]", heatMap.get("words").toString());
      int grid = heatMap.get("grid").getAsInt();
      assertEquals(3, heatMap.getAsJsonArray("weights").size());
      for (JsonElement row : heatMap.getAsJsonArray("weights")) {
        assertEquals(grid * grid, row.getAsJsonArray().size());
      }
    }
    refused(
        "POST",
        "/scenes/_search",
        String.format(Locale.ROOT, search, "\"yes\""),
        "[heat_map] must be true, false or [geo], got [yes]");
  }

  @Test
  void theFilterLetsSomeOfTheWindowPass() throws Exception {
    String side = "\"field\":\"image\",\"query_text\":\"two white tanks\"";
    JsonArray hits =
        post(
                "/scenes/_search",
                "{\"size\":20,\"_source\":false,\"query\":{\"cross_modal\":{"
                    + side
                    + ",\"k\":60}},\"rescore\":{\"window_size\":5,\"fusion\":{"
                    + side
                    + ",\"filter_size\":3}}}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    for (int i = 0; i < hits.size(); i++) {
      double score = hits.get(i).getAsJsonObject().get("_score").getAsDouble();
      assertEquals(i < 6, score >= 1, "three on each of 2 shards, got " + score + " at " + i);
    }
  }

  /** Settings of a running node, and a model that does not answer in time. */
  @Test
  void aSearchsTimeoutEndsItsRescore() throws Exception {
    String wait = "plugins.cross_modal.inference.batch_wait";
    refused("PUT", "/_cluster/settings", "{\"transient\":{\"" + wait + "\":\"2h\"}}", wait);
    String side = "\"field\":\"image\",\"query_text\":\"two white tanks .\"";
    String search =
        "{\"timeout\":\"1s\",\"size\":60,\"query\":{\"cross_modal\":{"
            + side
            + ",\"k\":60}},\"rescore\":{\"window_size\":5,\"fusion\":{"
            + side
            + "}}}";
    // So that the timeout meets the rescore and not the encoding of the query.
    assertFalse(post("/scenes/_search", search).get("timed_out").getAsBoolean());
    Engines.Late delay = Engines.late(client);
    try (delay) {
      JsonObject late = post("/scenes/_search", search);
      assertTrue(late.get("timed_out").getAsBoolean());
      for (JsonElement hit : late.getAsJsonObject("hits").getAsJsonArray("hits")) {
        assertTrue(hit.getAsJsonObject().get("_score").getAsDouble() < 1);
      }
    }
    assertFalse(post("/scenes/_search", search).get("timed_out").getAsBoolean());
    JsonObject breakers =
        client
            .get("/_nodes/stats/breaker")
            .getAsJsonObject("nodes")
            .entrySet()
            .iterator()
            .next()
            .getValue()
            .getAsJsonObject()
            .getAsJsonObject("breakers");
    assertEquals(
        Engines.areEmbedded() ? ModelBundle.demo().weightBytes() : 0,
        breakers.getAsJsonObject("cross_modal").get("estimated_size_in_bytes").getAsLong());
  }

  @Test
  void keywordsFilterAndPicturesCombine() throws Exception {
    JsonObject found =
        post(
            "/scenes/_search",
            "{\"query\":{\"bool\":{\"should\":[{\"match\":{\"caption\":\"tanks\"}},"
                + "{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"white tanks\",\"k\":20,"
                + "\"filter\":{\"match\":{\"caption\":\"river\"}}}}]}},"
                + "\"rescore\":{\"window_size\":20,\"fusion\":{\"field\":\"image\","
                + "\"query_text\":\"white tanks\",\"score_mode\":\"total\"}}}");
    assertEquals(0, found.getAsJsonObject("_shards").get("failed").getAsInt());
    assertFalse(found.getAsJsonObject("hits").getAsJsonArray("hits").isEmpty());
  }

  /** Footprints, as {@code encode} writes them for GeoTIFFs. */
  @Test
  void aFilterByGeoShapeIsAppliedInsideTheSearch() throws Exception {
    Nodes.call(
        node,
        "PUT",
        "/footprints",
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\"},"
            + "\"footprint\":{\"type\":\"geo_shape\"}}}}");
    for (int i = 0; i < 6; i++) {
      String square =
          String.format(
              Locale.ROOT,
              "{\"type\":\"Polygon\",\"coordinates\":[[[%1$d,50],[%2$d,50],[%2$d,51],[%1$d,51],[%1$d,50]]]}",
              2 * i,
              2 * i + 1);
      String bytes = base64(Files.readAllBytes(images.get(i).file()));
      post(
          "/footprints/_doc/" + i + "?refresh=true",
          "{\"image\":{\"bytes\":\"" + bytes + "\"},\"footprint\":" + square + "}");
    }
    String side = "\"field\":\"image\",\"query_text\":\"two white tanks\"";
    JsonObject found =
        post(
            "/footprints/_search",
            "{\"query\":{\"cross_modal\":{"
                + side
                + ",\"k\":2,\"filter\":{\"geo_shape\":{\"footprint\":{\"relation\":\"intersects\","
                + "\"shape\":{\"type\":\"envelope\",\"coordinates\":[[2.5,60],[4.5,40]]}}}}}},"
                + "\"rescore\":{\"fusion\":{"
                + side
                + "}}}");
    List<String> ids = new ArrayList<>();
    for (JsonElement hit : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
      ids.add(hit.getAsJsonObject().get("_id").getAsString());
      assertTrue(hit.getAsJsonObject().get("_score").getAsDouble() >= 1);
    }
    assertEquals(Set.of("1", "2"), Set.copyOf(ids), "k nearest of those inside, not of all");
  }

  @Test
  void aPictureFindsItself() throws Exception {
    String bytes = base64(Files.readAllBytes(images.get(7).file()));
    JsonObject found =
        post(
            "/scenes/_search",
            "{\"size\":1,\"_source\":false,\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_image\":\""
                + bytes
                + "\",\"sensor\":\"rgb\",\"k\":5}}}");
    JsonObject best = found.getAsJsonObject("hits").getAsJsonArray("hits").get(0).getAsJsonObject();
    assertEquals(images.get(7).filename(), best.get("_id").getAsString());
    assertEquals(1, best.get("_score").getAsDouble(), 1e-3);
  }

  @Test
  void aStoredCaptionFindsItsPictureAndAStoredPictureItself() throws Exception {
    Nodes.call(
        node,
        "PUT",
        "/captions",
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\","
            + "\"modality\":\"text\"}}}}");
    post(
        "/captions/_doc/1?refresh=true",
        "{\"image\":{\"text\":\"" + images.get(3).captions().get(0) + "\"}}");
    String side = "\"field\":\"image\",\"query_id\":\"1\",\"index\":\"captions\"";
    JsonObject byId =
        post(
            "/scenes/_search",
            "{\"size\":60,\"_source\":false,\"query\":{\"cross_modal\":{"
                + side
                + ",\"k\":60}},\"rescore\":{\"window_size\":60,\"fusion\":{"
                + side
                + "}}}");
    Map<String, Double> byText = new HashMap<>();
    for (Hit hit :
        client.search("scenes", images.get(3).captions().get(0), PICTURES, PICTURES, PICTURES)) {
      byText.put(hit.id(), hit.score());
    }
    JsonArray hits = byId.getAsJsonObject("hits").getAsJsonArray("hits");
    assertEquals(PICTURES, hits.size());
    for (int i = 0; i < hits.size(); i++) {
      JsonObject hit = hits.get(i).getAsJsonObject();
      // The stored caption's tokens are rounded to int8.
      assertEquals(byText.get(hit.get("_id").getAsString()), hit.get("_score").getAsDouble(), 0.02);
    }
    String own = images.get(7).filename();
    JsonObject same =
        post(
            "/scenes/_search",
            "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_id\":\"" + own + "\"}}}");
    assertEquals(
        own,
        same.getAsJsonObject("hits")
            .getAsJsonArray("hits")
            .get(0)
            .getAsJsonObject()
            .get("_id")
            .getAsString());
  }

  @Test
  void encodeGivesTheVectorThatASearchTakes() throws Exception {
    String models = "/_plugins/_cross_modal/models/";
    String picture = base64(Files.readAllBytes(images.get(7).file()));
    JsonObject encoded =
        post(
            models + "scenes-tiny/_encode",
            "{\"images\":[\"" + picture + "\",\"aGVsbG8=\"],\"sensor\":\"rgb\",\"tokens\":true}");
    JsonArray items = encoded.getAsJsonArray("items");
    assertTrue(encoded.get("errors").getAsBoolean());
    assertTrue(items.get(1).getAsJsonObject().get("error").getAsString().contains("JPEG"));
    JsonObject first = items.get(0).getAsJsonObject();
    byte[] block = Base64.getDecoder().decode(first.get("tokens").getAsString());
    assertEquals(
        ModelBundle.demo().manifest().config().hidden(),
        TokenBlockFormat.read(block, 0, block.length).hidden());
    JsonObject found =
        post(
            "/scenes/_search",
            "{\"size\":1,\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_vector\":"
                + first.get("embedding")
                + "}}}");
    JsonObject best = found.getAsJsonObject("hits").getAsJsonArray("hits").get(0).getAsJsonObject();
    assertEquals(images.get(7).filename(), best.get("_id").getAsString());
    String one = Nodes.call(node, "GET", models + "scenes-tiny", null);
    assertTrue(one.contains("\"id\":\"scenes-tiny\""), one);
    refused(404, "GET", models + "nothing", null, "scenes-tiny");
    refused(404, "POST", models + "nothing/_encode", "{\"text\":[\"a\"]}", "scenes-tiny");
    refused("POST", models + "scenes-tiny/_encode", "{\"text\":[]}", "1 to 1000");
  }

  @Test
  void badDocumentsFailAloneAndSayWhy() throws Exception {
    client.createIndex("bad", 1);
    String good =
        "{\"image\":{\"bytes\":\"" + base64(Files.readAllBytes(images.get(0).file())) + "\"}}";
    // What each bad document holds, and what its error names.
    Map<String, String> bad = new LinkedHashMap<>();
    bad.put("{\"image\":{\"bytes\":\"aGVsbG8=\"}}", "JPEG");
    bad.put("{\"image\":{\"bytes\":\"" + base64(png(1, 1)) + "\"}}", "1 x 1");
    bad.put("{\"image\":{\"bytes\":\"" + base64(png(20_000, 16)) + "\"}}", "20000 x 16");
    bad.put("{\"image\":{\"embedding\":[1,2,3]}}", "128");
    bad.put("{\"image\":{\"embedding\":[\"NaN\"]}}", "embedding");
    bad.put("{\"image\":" + beforehand("[NaN", new byte[0]) + "}", "NaN");
    bad.put(
        "{\"image\":{\"bytes\":\""
            + base64(Files.readAllBytes(images.get(1).file()))
            + "\",\"sensor\":\"s9\"}}",
        "s9");
    bad.put("{\"image\":{\"tokens\":\"AAAA\"}}", "token block has 3 bytes");
    bad.put("{\"image\":" + beforehand("[1", foreignTokens()) + "}", "token space");
    StringBuilder bulk = new StringBuilder();
    List<String> documents = new ArrayList<>(List.of(good));
    for (String document : bad.keySet()) {
      documents.addAll(List.of(document, good));
    }
    for (int i = 0; i < documents.size(); i++) {
      bulk.append("{\"index\":{\"_id\":\"").append(i).append("\"}}\n").append(documents.get(i));
      bulk.append('\n');
    }
    JsonArray items = post("/bad/_bulk?refresh=true", bulk.toString()).getAsJsonArray("items");
    for (int i = 0; i < documents.size(); i++) {
      JsonObject item = items.get(i).getAsJsonObject().getAsJsonObject("index");
      String named = bad.get(documents.get(i));
      assertEquals(named == null ? 201 : 400, item.get("status").getAsInt(), item.toString());
      if (named != null) {
        String error = item.get("error").toString();
        assertTrue(error.contains("image") && error.contains(named), error);
      }
    }
    String count = Nodes.call(node, "GET", "/bad/_count?filter_path=count", null);
    assertEquals("{\"count\":" + (bad.size() + 1) + "}", count);
  }

  /**
   * Returns a value made outside: an embedding of the right length that begins as given, and
   * tokens.
   */
  private static String beforehand(String embedding, byte[] tokens) {
    return "{\"embedding\":"
        + embedding.replace("NaN", "\"NaN\"")
        + ",0".repeat(127)
        + "]"
        + (tokens.length == 0 ? "" : ",\"tokens\":\"" + base64(tokens) + "\"")
        + "}";
  }

  /** Tokens of the right shape, of a model that is not the field's. */
  private static byte[] foreignTokens() {
    ModelConfig config = ModelBundle.demo().manifest().config();
    int count = config.imageTokens(config.sensor("rgb"));
    return TokenBlockFormat.write(
        new TokenBlock(count, config.hidden(), new float[count * config.hidden()]),
        TokenEncoding.INT8,
        "0".repeat(64));
  }

  private static byte[] png(int width, int height) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB), "png", bytes);
    return bytes.toByteArray();
  }

  @Test
  void aTextBeyondTheModelsLengthIsCutAndSaid() throws Exception {
    Request search = new Request("POST", "/scenes/_search");
    search.setJsonEntity(
        "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\""
            + "a pond beside a road ".repeat(50)
            + "\"}}}");
    Response response = node.client().performRequest(search);
    assertTrue(response.getWarnings().toString().contains("text cut"), response.toString());
  }

  @Test
  void badSearchesAreTheUsersErrors() {
    refused(
        "{\"field\":\"image\",\"query_text\":\"a\",\"query_image\":\"aGVsbG8=\"}", "query_image");
    refused("{\"field\":\"image\",\"query_text\":\" \"}", "query_text");
    refused("{\"field\":\"image\"}", "query_text");
    refused("{\"field\":\"caption\",\"query_text\":\"a pond\"}", "caption");
    refused("{\"field\":\"nowhere\",\"query_text\":\"a pond\"}", "nowhere");
    refused("{\"field\":\"image\",\"query_vector\":[1,2,3]}", "128");
    refused("{\"field\":\"image\",\"query_text\":\"a pond\",\"k\":0}", "k");
    refused("{\"field\":\"image\",\"query_text\":\"a pond\",\"colour\":1}", "colour");
    refused(
        "POST",
        "/scenes/_search",
        "{\"rescore\":{\"window_size\":20000,\"fusion\":{\"field\":\"image\","
            + "\"query_text\":\"a pond\"}}}",
        "20000");
    refused(
        "POST",
        "/scenes/_search",
        "{\"rescore\":{\"window_size\":20,\"fusion\":{\"field\":\"image\","
            + "\"query_text\":\"a pond\",\"filter_size\":-5}}}",
        "filter_size");
    refused(
        "PUT",
        "/unknown",
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\","
            + "\"model\":\"nothing\"}}}}",
        "nothing");
  }

  /** The files of the search page come from the jar, and the mappings say what the page reads. */
  @Test
  void theNodeServesASearchPage() throws Exception {
    String ui = "/_plugins/_cross_modal/ui";
    Map<String, String> types =
        Map.of(
            ui,
            "text/html; charset=UTF-8",
            ui + "/app.js",
            "text/javascript; charset=UTF-8",
            ui + "/search.css",
            "text/css; charset=UTF-8");
    for (Map.Entry<String, String> file : types.entrySet()) {
      Response response = node.client().performRequest(new Request("GET", file.getKey()));
      assertEquals(file.getValue(), response.getHeader("content-type"));
      assertEquals("nosniff", response.getHeader("x-content-type-options"));
      String policy = response.getHeader("content-security-policy");
      assertTrue(policy.startsWith("default-src 'none'; script-src 'self';"), policy);
    }
    String page = Nodes.call(node, "GET", ui, null);
    for (String file : List.of("app.js", "search.css", "leaflet.css")) {
      assertTrue(page.contains("=\"ui/" + file + "\""), page);
    }
    refused(404, "GET", ui + "/search.html", null, "[app.js, dom.js,");
    refused(405, "POST", ui, "{}", "GET");
    String asked =
        "/scenes/_mapping?filter_path=*.mappings.**.type,*.mappings.**.modality,"
            + "*.mappings.**.spaces.text_tokens,*.mappings.**.spaces.image_tokens";
    assertTrue(
        Nodes.call(node, "GET", ui + "/mapping.js", null).contains("*.mappings.**.${key}"),
        "the page asks for the mappings in another way");
    JsonObject image =
        client
            .get(asked)
            .getAsJsonObject("scenes")
            .getAsJsonObject("mappings")
            .getAsJsonObject("properties")
            .getAsJsonObject("image");
    assertEquals("cross_modal", image.get("type").getAsString());
    assertEquals(Set.of("text_tokens", "image_tokens"), image.getAsJsonObject("spaces").keySet());
  }

  private static void refused(String query, String named) {
    refused("POST", "/scenes/_search", "{\"query\":{\"cross_modal\":" + query + "}}", named);
  }

  private static void refused(String method, String path, String body, String named) {
    refused(400, method, path, body, named);
  }

  private static void refused(int status, String method, String path, String body, String named) {
    ResponseException refusal =
        assertThrows(ResponseException.class, () -> Nodes.call(node, method, path, body));
    assertEquals(status, refusal.getResponse().getStatusLine().getStatusCode(), path + body);
    assertTrue(refusal.getMessage().contains(named), refusal.getMessage());
  }

  @Test
  void updatesAndReindexKeepWhatWasEncoded() throws Exception {
    client.createIndex("kept", 1);
    client.index("kept", images.subList(0, 2), done -> {});
    long encoded = encodings();
    String id = images.get(0).filename();
    post("/kept/_update/" + id + "?refresh=true", "{\"doc\":{\"caption\":\"another\"}}");
    client.createIndex("copy", 1);
    post(
        "/_reindex?refresh=true",
        "{\"source\":{\"index\":\"kept\"},\"dest\":{\"index\":\"copy\"}}");
    assertEquals(encoded, encodings(), "pictures encoded since");
    String caption = images.get(0).captions().get(0);
    assertEquals(
        client.search("kept", caption, 10, 10, 10), client.search("copy", caption, 10, 10, 10));
  }

  private static long encodings() throws IOException {
    JsonObject nodes =
        Nodes.json(node, "GET", "/_plugins/_cross_modal/stats", null).getAsJsonObject("nodes");
    String name = nodes.keySet().iterator().next();
    return nodes.getAsJsonObject(name).get("encoded_images").getAsLong();
  }

  private static JsonObject post(String path, String json) throws IOException {
    return Nodes.json(node, "POST", path, json);
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
