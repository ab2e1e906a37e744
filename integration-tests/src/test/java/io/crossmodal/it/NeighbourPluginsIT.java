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
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** Beside the plugins k-NN and neural-search, in one node. */
final class NeighbourPluginsIT {
  private static final int PICTURES = 40;
  private static final int WINDOW = 10;
  private static final String WORDS = "two white tanks beside a road";
  private static final String SIDE = "'field':'image','query_text':'" + WORDS + "'";
  private static final String MATCH = "{'match':{'caption':'" + WORDS + "'}}";
  private static final String CROSS_MODAL = "{'cross_modal':{" + SIDE + ",'k':8}}";
  private static final String HYBRID =
      "'query':{'hybrid':{'queries':[" + MATCH + "," + CROSS_MODAL + "]}}";
  private static final String RESCORE =
      "'rescore':{'window_size':3,'fusion':{" + SIDE + ",'on_failure':'fail'}}";
  private static final String GLOBAL = "'ext':{'cross_modal':{'global_window':" + WINDOW + "}}";

  private static final String NORMALISE =
      "{'normalization-processor':{'normalization':{'technique':'min_max'},"
          + "'combination':{'technique':'arithmetic_mean'}}}";
  private static final String RERANK = "{'fusion_rerank':{'window_size':" + WINDOW + "}}";

  // The default engine is not Java: its libraries are not in the zip, and the node would end.
  private static final String KNN_VECTOR =
      "'v':{'type':'knn_vector','dimension':4,"
          + "'method':{'name':'hnsw','engine':'lucene','space_type':'l2'}}";

  private static OpenSearchNode node;
  private static CrossModalClient client;
  private static List<CaptionedImage> images;

  @BeforeAll
  static void start() throws Exception {
    Path folder = Nodes.folder("neighbours");
    images = Nodes.scenes(folder, PICTURES);
    node = PluginNode.startWithNeighbours(folder.resolve("opensearch"));
    client = new CrossModalClient(node.client());
    client.createIndex("scenes", 2);
    client.index("scenes", images, done -> {});
    pipeline("normalise", NORMALISE);
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  private static void pipeline(String name, String processors) throws IOException {
    call("PUT", "/_search/pipeline/" + name, "{'phase_results_processors':[" + processors + "]}");
  }

  private static JsonObject call(String method, String path, String json) throws IOException {
    return client.call(method, path, json == null ? null : json.replace('\'', '"'));
  }

  private static JsonObject search(String index, String pipeline, String body) throws IOException {
    JsonObject found =
        call("POST", "/" + index + "/_search?search_pipeline=" + pipeline, "{" + body + "}");
    assertEquals(0, found.getAsJsonObject("_shards").get("failed").getAsInt(), found.toString());
    return found;
  }

  private static void refused(String method, String path, String body, String message) {
    ResponseException refusal =
        assertThrows(ResponseException.class, () -> call(method, path, body));
    assertEquals(400, refusal.getResponse().getStatusLine().getStatusCode(), refusal.getMessage());
    assertTrue(refusal.getMessage().contains(message), refusal.getMessage());
  }

  /** Scores by document, in the order of the hits. */
  private static Map<String, Double> scores(JsonObject found) {
    Map<String, Double> scores = new LinkedHashMap<>();
    for (JsonElement element : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
      JsonObject hit = element.getAsJsonObject();
      Double other = scores.put(hit.get("_id").getAsString(), hit.get("_score").getAsDouble());
      assertEquals(null, other, "a hit twice");
    }
    return scores;
  }

  private static JsonObject report(JsonObject found) {
    return found
        .getAsJsonObject("ext")
        .getAsJsonObject("cross_modal")
        .getAsJsonArray("rescores")
        .get(0)
        .getAsJsonObject();
  }

  @Test
  void aHybridQueryHoldsOurs() throws Exception {
    String all = "'size':" + PICTURES + ",";
    Set<String> expected =
        new HashSet<>(scores(search("scenes", "_none", all + "'query':" + MATCH)).keySet());
    expected.addAll(scores(search("scenes", "_none", all + "'query':" + CROSS_MODAL)).keySet());
    Map<String, Double> found = scores(search("scenes", "normalise", all + HYBRID));
    assertEquals(expected, found.keySet());
    assertTrue(found.values().stream().allMatch(score -> score >= 0 && score <= 1), "" + found);
  }

  /** As neural-search does with any rescorer: each sub-query's hits, before they are normalised. */
  @Test
  void withoutAGlobalWindowEachSubQueryIsRescored() throws Exception {
    JsonObject found =
        search(
            "scenes",
            "normalise",
            HYBRID + "," + RESCORE + ",'ext':{'cross_modal':{'details':true}}");
    assertTrue(scores(found).values().stream().allMatch(score -> score <= 1), found.toString());
    JsonObject report = report(found);
    assertEquals("shard", report.get("window").getAsString());
    assertEquals(12, report.get("hits").getAsInt(), "3 of 2 sub-queries on 2 shards");
    assertEquals(12, report.get("rescored").getAsInt());
  }

  @Test
  void aGlobalWindowRescoresWhatWasNormalised() throws Exception {
    Map<String, Double> fusion = new HashMap<>();
    for (Hit hit : client.search("scenes", WORDS, PICTURES, PICTURES, PICTURES)) {
      fusion.put(hit.id(), hit.score());
    }
    Set<String> first =
        scores(search("scenes", "normalise", "'size':" + WINDOW + "," + HYBRID)).keySet();
    JsonObject found = search("scenes", "normalise", HYBRID + "," + RESCORE + "," + GLOBAL);
    Map<String, Double> scores = scores(found);
    assertEquals(first, scores.keySet());
    scores.forEach((id, score) -> assertEquals(fusion.get(id), score, 2e-3, id));
    JsonObject report = report(found);
    assertEquals("global", report.get("window").getAsString());
    assertEquals(WINDOW, report.get("rescored").getAsInt());

    pipeline("before", RERANK + "," + NORMALISE);
    pipeline("after", NORMALISE + "," + RERANK);
    for (String pipeline : List.of("before", "after")) {
      assertEquals(scores, scores(search("scenes", pipeline, HYBRID + "," + RESCORE)), pipeline);
    }
  }

  @Test
  void aGlobalWindowThatCannotBeIsRefused() throws Exception {
    String body = "{" + HYBRID + "," + RESCORE + "," + GLOBAL + "}";
    refused("POST", "/scenes/_search", body, "needs a [normalization-processor]");
    client.createIndex("single", 1);
    client.index("single", images.subList(0, 4), done -> {});
    refused("POST", "/single/_search?search_pipeline=normalise", body, "two shards or more");
    // What the message offers.
    assertFalse(scores(search("single", "normalise", HYBRID + "," + RESCORE)).isEmpty());
  }

  private static void create(String index, String settings, String vector) throws IOException {
    call(
        "PUT",
        "/" + index,
        "{'settings':{'number_of_shards':1,'number_of_replicas':0"
            + settings
            + "},'mappings':{'properties':{'image':{'type':'cross_modal'},"
            + vector
            + "}}}");
  }

  private static Map<String, JsonObject> sources(String index) throws IOException {
    Map<String, JsonObject> sources = new TreeMap<>();
    JsonObject found = call("POST", "/" + index + "/_search", "{'size':100,'_source':true}");
    for (JsonElement hit : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
      sources.put(
          hit.getAsJsonObject().get("_id").getAsString(),
          hit.getAsJsonObject().getAsJsonObject("_source"));
    }
    return sources;
  }

  private static void merge(String index) throws IOException {
    call("POST", "/" + index + "/_forcemerge?max_num_segments=1", null);
    call("POST", "/" + index + "/_refresh", null);
  }

  /**
   * Both plugins take vectors out of stored sources, by codecs of their own, and one codec writes
   * an index. Whichever it is, every reader gets all of it.
   */
  @Test
  void anIndexTakesVectorsOfBoth() throws Exception {
    create("theirs", ",'index.knn':true", KNN_VECTOR);
    create("ours", "", "'v':{'type':'knn_vector','dimension':4}");
    StringBuilder lines = new StringBuilder();
    for (int i = 0; i < 12; i++) {
      lines.append(String.format(Locale.ROOT, "{'index':{'_id':'%d'}}%n", i));
      lines.append(
          String.format(
              Locale.ROOT,
              "{'image':{'bytes':'%s'},'v':[%d.5,0.25,-1.0,2.0],'label':'a'}%n",
              Base64.getEncoder().encodeToString(Files.readAllBytes(images.get(i).file())),
              i));
    }
    for (String index : List.of("theirs", "ours")) {
      JsonObject answer = call("POST", "/" + index + "/_bulk?refresh=true", lines.toString());
      assertFalse(answer.get("errors").getAsBoolean(), answer.toString());
    }
    Map<String, JsonObject> before = sources("theirs");
    assertEquals(12, before.size());
    for (JsonObject source : before.values()) {
      JsonObject image = source.getAsJsonObject("image");
      assertEquals(128, image.getAsJsonArray("embedding").size());
      assertTrue(image.get("tokens").getAsString().length() > 1000);
      assertEquals(4, source.getAsJsonArray("v").size());
    }
    assertEquals(before, sources("ours"));

    for (String index : List.of("theirs", "ours")) {
      merge(index);
      assertEquals(before, sources(index), index);
      call("POST", "/" + index + "/_update/3?refresh=true", "{'doc':{'label':'b'}}");
      merge(index);
    }
    before.get("3").addProperty("label", "b");
    create("to-ours", "", "'v':{'type':'knn_vector','dimension':4}");
    create("to-theirs", ",'index.knn':true", KNN_VECTOR);
    for (String[] way : new String[][] {{"theirs", "to-ours"}, {"ours", "to-theirs"}}) {
      call(
          "POST",
          "/_reindex?refresh=true",
          "{'source':{'index':'" + way[0] + "'},'dest':{'index':'" + way[1] + "'}}");
    }
    call("PUT", "/theirs/_settings", "{'index.blocks.write':true}");
    call(
        "PUT",
        "/theirs/_split/split",
        "{'settings':{'index.number_of_shards':2,'index.number_of_replicas':0,"
            + "'index.blocks.write':false}}");
    call("GET", "/_cluster/health/split?wait_for_status=green&timeout=60s", null);
    merge("split");
    for (String index : List.of("theirs", "ours", "to-ours", "to-theirs", "split")) {
      assertEquals(before, sources(index), index);
    }

    String nearest = "{'knn':{'v':{'vector':[7.5,0.25,-1.0,2.0],'k':4}}}";
    String same = "{'cross_modal':{'field':'image','query_id':'7','k':4}}";
    assertEquals("7", first("theirs", "'query':" + nearest));
    for (String index : List.of("theirs", "ours", "split")) {
      assertEquals("7", first(index, "'query':" + same), index);
    }
    assertEquals(
        "7", first("theirs", "'query':{'hybrid':{'queries':[" + nearest + "," + same + "]}}"));
  }

  private static String first(String index, String query) throws IOException {
    return scores(search(index, "normalise", query)).keySet().iterator().next();
  }

  @Test
  void twoCodecsForOneIndexAreRefused() {
    refused(
        "PUT",
        "/two",
        "{'settings':{'index.knn':true,'index.cross_modal':true},'mappings':{'properties':{"
            + "'image':{'type':'cross_modal'},"
            + KNN_VECTOR
            + "}}}",
        "leave out [index.cross_modal]");
    refused(
        "PUT",
        "/two",
        "{'settings':{'index.knn':true},'mappings':{'properties':{"
            + "'image':{'type':'cross_modal','vector_encoding':'int8'}}}}",
        "[index.cross_modal: true]");
  }
}
