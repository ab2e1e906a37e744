/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.junit.Before;
import org.opensearch.client.Request;
import org.opensearch.client.Response;
import org.opensearch.client.ResponseException;
import org.opensearch.client.ResponseListener;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.test.MockLogAppender;
import org.opensearch.test.OpenSearchIntegTestCase;

/**
 * Cross-modal searches beside the rest of OpenSearch, as users type them, each with a window per
 * shard and with a global one; and the examples of docs/search.md.
 */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class SearchFeaturesIT extends ClusterTestCase {
  private static final int PICTURES = 30;
  private static final int WINDOW = 12;
  private static final String SIDE = "'field':'image','query_text':'a pond beside a road'";
  private static final String KNN = "{'cross_modal':{" + SIDE + ",'k':100}}";

  /** All documents, in an order that each shard scores alike: by kNN and by rank. */
  private static final String ALL =
      "{'function_score':{'query':{'bool':{'should':["
          + KNN
          + ",{'match_all':{}}]}},'field_value_factor':{'field':'rank','factor':0.01}}}";

  @Override
  protected Settings nodeSettings(int nodeOrdinal) {
    return Settings.builder()
        .put(super.nodeSettings(nodeOrdinal))
        // Shards of one search that rescore at once, whatever processors the node was drawn.
        .put("thread_pool.search.size", 8)
        .build();
  }

  private static Map<String, Object> json(String method, String path, String body)
      throws IOException {
    return ok(method, path, body).json();
  }

  private static Map<String, Object> search(String indices, String body) throws IOException {
    Map<String, Object> found = json("POST", "/" + indices + "/_search", body);
    assertEquals(found.toString(), 0, number(found, "_shards", "failed"));
    return found;
  }

  private static void refused(String path, String body, int status, String message)
      throws IOException {
    refused(status, message, "POST", path, body);
  }

  private static int number(Map<String, Object> map, String... path) {
    return ClusterTestCase.<Number>at(map, path).intValue();
  }

  private static List<Map<String, Object>> hits(Map<String, Object> response) {
    return at(response, "hits", "hits");
  }

  private static List<String> ids(Map<String, Object> response) {
    return hits(response).stream().map(hit -> hit.get("_index") + "/" + hit.get("_id")).toList();
  }

  private static float score(Map<String, Object> hit) {
    return ((Number) hit.get("_score")).floatValue();
  }

  private static List<Map<String, Object>> reports(Map<String, Object> response) {
    return at(response, "ext", "cross_modal", "rescores");
  }

  private static String fusion(String options) {
    return "'rescore':{'window_size':"
        + WINDOW
        + ",'fusion':{"
        + SIDE
        + (options.isEmpty() ? "" : "," + options)
        + "}}";
  }

  private static String ext(boolean global) {
    return "'ext':{'cross_modal':{" + (global ? "'global_window':" + WINDOW : "") + "}}";
  }

  private static void create(String index, int shards, String settings, String properties)
      throws IOException {
    ok(
        "PUT",
        "/" + index,
        "{'settings':{'number_of_shards':"
            + shards
            + ",'number_of_replicas':0"
            + settings
            + "},'mappings':{'properties':{"
            + properties
            + "}}}");
  }

  private static void index(String index, String id, String body) throws IOException {
    ok("PUT", "/" + index + "/_doc/" + id, body);
  }

  @Before
  public void indexScenes() throws IOException {
    create(
        "scenes",
        3,
        "",
        "'image':{'type':'cross_modal'},'caption':{'type':'text'},'sensor':{'type':'keyword'},"
            + "'acquired':{'type':'date'},'place':{'type':'geo_point'},'rank':{'type':'integer'},"
            + "'caption_vec':{'type':'cross_modal','modality':'text'}");
    for (int i = 0; i < PICTURES; i++) {
      index("scenes", Integer.toString(i), scene(i));
    }
    ok("POST", "/scenes/_refresh", null);
  }

  /** Every fifth has no picture. */
  private static String scene(int i) {
    return String.format(
        Locale.ROOT,
        "{'caption':'%s %d','sensor':'%s','acquired':'20%02d-05-01','rank':%d,"
            + "'place':{'lat':%d,'lon':10}%s}",
        i % 2 == 0 ? "storage tanks beside a pond" : "a pond",
        i,
        i % 3 == 0 ? "s1" : "rgb",
        10 + i % 15,
        100 + i,
        i,
        i % 5 == 4 ? "" : ",'image':" + picture() + ",'caption_vec':'a pond " + i + "'");
  }

  public void testKeywordsFiltersAggregationsAndNamedQueries() throws IOException {
    String query =
        "{'bool':{'must':[{'match':{'caption':{'query':'tanks','_name':'words'}}}],"
            + "'should':[{'cross_modal':{"
            + SIDE
            + ",'k':100,'_name':'picture'}}],"
            + "'filter':[{'term':{'sensor':'rgb'}},{'range':{'acquired':{'gte':'2012'}}},"
            + "{'geo_bounding_box':{'place':{'top_left':{'lat':25,'lon':0},"
            + "'bottom_right':{'lat':0,'lon':20}}}}]}}";
    String rest =
        ",'aggs':{'sensors':{'terms':{'field':'sensor'}}},'highlight':{'fields':{'caption':{}}},"
            + "'explain':true";
    Map<String, Object> plain =
        search("scenes", "{'size':" + PICTURES + ",'query':" + query + rest + "}");
    assertFalse(hits(plain).isEmpty());
    for (boolean global : new boolean[] {true, false}) {
      Map<String, Object> found =
          search(
              "scenes",
              "{'size':12,'query':" + query + rest + "," + fusion("") + "," + ext(global) + "}");
      assertEquals(Set.copyOf(ids(plain)), Set.copyOf(ids(found)));
      assertEquals(
          SearchFeaturesIT.<Object>at(plain, "aggregations"),
          SearchFeaturesIT.<Object>at(found, "aggregations"));
      assertEquals(
          SearchFeaturesIT.<Object>at(plain, "hits", "total"),
          SearchFeaturesIT.<Object>at(found, "hits", "total"));
      int rescored = 0;
      for (Map<String, Object> hit : hits(found)) {
        boolean picture = at(hit, "_source", "image") != null;
        assertEquals(picture, score(hit) >= 1);
        rescored += picture ? 1 : 0;
        assertEquals(picture ? List.of("words", "picture") : List.of("words"), names(hit));
        assertNotNull(at(hit, "highlight", "caption"));
        Number explained = at(hit, "_explanation", "value");
        assertEquals(score(hit), explained.floatValue(), 1e-4f);
      }
      Map<String, Object> report = reports(found).get(0);
      assertEquals(global ? "global" : "shard", report.get("window"));
      assertEquals(hits(found).size(), number(report, "hits"));
      assertEquals(rescored, number(report, "rescored"));
      assertEquals(hits(found).size() - rescored, number(report, "missing"));
      assertEquals(List.of(), report.get("degraded"));
      assertTrue(report.toString(), number(report, "micros", "model") > 0);
      assertTrue(report.toString(), number(report, "micros", "rescore") > 0);
      assertTrue(report.toString(), number(report, "micros", "copy") >= 0);
    }
  }

  private static List<Object> names(Map<String, Object> hit) {
    List<Object> names = at(hit, "matched_queries");
    return names.stream().sorted((a, b) -> b.toString().compareTo(a.toString())).toList();
  }

  public void testPagesOfAPointInTime() throws IOException {
    String pit = at(json("POST", "/scenes/_search/point_in_time?keep_alive=5m", null), "pit_id");
    try {
      for (boolean global : new boolean[] {true, false}) {
        String search =
            "{'from':%d,'size':%d,'_source':false,'query':"
                + ALL
                + ",'pit':{'id':'"
                + pit
                + "'},"
                + fusion("")
                + ","
                + ext(global)
                + "}";
        List<String> whole = null;
        List<String> pages = new ArrayList<>();
        for (int from = 0; from < WINDOW; from += 4) {
          if (whole == null) {
            whole = ids(json("POST", "/_search", String.format(Locale.ROOT, search, 0, WINDOW)));
          }
          pages.addAll(ids(json("POST", "/_search", String.format(Locale.ROOT, search, from, 4))));
          index("scenes", "new" + from + global, scene(from));
          ok("POST", "/scenes/_refresh", null);
        }
        assertEquals(whole, pages);
        assertEquals("no hit twice", WINDOW, Set.copyOf(pages).size());
        if (global) {
          refused(
              "/_search",
              String.format(Locale.ROOT, search, WINDOW - 2, 3),
              400,
              "[from] 10 + [size] 3 lies beyond the global window of 12 hits");
        }
      }
    } finally {
      ok("DELETE", "/_search/point_in_time", "{'pit_id':['" + pit + "']}");
    }
  }

  public void testSeveralIndicesAliasesAndBoosts() throws IOException {
    create("more", 2, "", "'image':{'type':'cross_modal'},'rank':{'type':'integer'}");
    create("plain", 1, "", "'rank':{'type':'integer'}");
    for (int i = 0; i < 6; i++) {
      index("more", "m" + i, "{'rank':" + (200 + i) + ",'image':" + picture() + "}");
      index("plain", "p" + i, "{'rank':" + (300 + i) + "}");
    }
    ok(
        "POST",
        "/_aliases",
        "{'actions':[{'add':{'index':'more','alias':'late','filter':"
            + "{'range':{'rank':{'gte':203}}}}},{'add':{'index':'plain','alias':'late'}}]}");
    ok("POST", "/more,plain/_refresh", null);
    for (boolean global : new boolean[] {true, false}) {
      String search =
          "{'size':12,'_source':false,'query':"
              + ALL
              + ",'indices_boost':[{'scenes':3}],"
              + fusion("'score_mode':'total'")
              + ","
              + ext(global)
              + "}";
      Map<String, Object> late = search("late", search);
      assertEquals("6 of plain, 3 of more", 9, hits(late).size());
      assertEquals(3, number(reports(late).get(0), "rescored"));
      assertEquals(6, number(reports(late).get(0), "missing"));
      Map<String, Object> all = search("scenes,late", search);
      Map<String, Object> first =
          search(
              "scenes,late",
              "{'size':100,'_source':false,'query':" + ALL + ",'indices_boost':[{'scenes':3}]}");
      // The boost is in the first pass's score once, and in the sum with p once.
      for (Map<String, Object> hit : hits(all)) {
        float before =
            score(
                hits(first).stream()
                    .filter(
                        one ->
                            one.get("_id").equals(hit.get("_id"))
                                && one.get("_index").equals(hit.get("_index")))
                    .findFirst()
                    .orElseThrow());
        float p = score(hit) - before;
        assertTrue(hit + " " + before, p >= -1e-3f && p <= 1 + 1e-3f);
      }
    }
  }

  public void testManySearchesAtOnce() throws IOException {
    Request request = new Request("POST", "/_msearch");
    String good = "{'size':5,'query':" + KNN + "," + fusion("") + "," + ext(true) + "}\n";
    String bad = good.replace("'size':5", "'size':50");
    request.setJsonEntity(
        ("{'index':'scenes'}\n"
                + good
                + "{'index':'scenes'}\n"
                + bad
                + "{'index':'scenes'}\n"
                + good)
            .replace('\'', '"'));
    Map<String, Object> answer = ok(request).json();
    List<Map<String, Object>> responses = at(answer, "responses");
    assertEquals(200, number(responses.get(0), "status"));
    assertEquals(400, number(responses.get(1), "status"));
    assertEquals(ids(responses.get(0)), ids(responses.get(2)));
    assertEquals("global", reports(responses.get(0)).get(0).get("window"));
  }

  public void testConcurrentSegmentSearch() throws IOException {
    // More segments than slices of one.
    for (int i = 0; i < 6; i++) {
      index("scenes", "segment" + i, scene(i));
      ok("POST", "/scenes/_refresh", null);
    }
    for (boolean global : new boolean[] {true, false}) {
      String search =
          "{'size':12,'_source':false,'query':"
              + ALL
              + ",'aggs':{'sensors':{'terms':{'field':'sensor'}}},"
              + fusion("")
              + ","
              + ext(global)
              + "}";
      List<List<String>> orders = new ArrayList<>();
      for (String mode : List.of("all", "none")) {
        ok(
            "PUT",
            "/_cluster/settings",
            "{'transient':{'search.concurrent_segment_search.mode':'" + mode + "'}}");
        Map<String, Object> found = search("scenes", search);
        orders.add(ids(found));
        assertEquals(1, reports(found).size());
      }
      assertEquals(orders.get(0), orders.get(1));
    }
    ok("PUT", "/_cluster/settings", "{'transient':{'search.concurrent_segment_search.mode':null}}");
  }

  public void testShardsThatCannotMatchAreSkipped() throws IOException {
    create("old", 2, "", "'image':{'type':'cross_modal'},'acquired':{'type':'date'}");
    index("old", "o", "{'acquired':'1999-01-01','image':" + picture() + "}");
    ok("POST", "/old/_refresh", null);
    String search =
        "{'size':5,'query':{'bool':{'must':["
            + KNN
            + "],'filter':[{'range':{'acquired':{'gte':'2001'}}}]}},"
            + fusion("")
            + ","
            + ext(true)
            + "}";
    Map<String, Object> found = json("POST", "/scenes,old/_search?pre_filter_shard_size=1", search);
    assertTrue(found.toString(), number(found, "_shards", "skipped") >= 1);
    assertEquals(ids(search("scenes", search)), ids(found));
  }

  /** Shards get numbers in place of the query side; the slow log has to name what was searched. */
  public void testSlowLogsSayWhatWasAsked() throws Exception {
    ok("PUT", "/scenes/_settings", "{'index.search.slowlog.threshold.query.warn':'0ms'}");
    Logger slow = LogManager.getLogger("index.search.slowlog.query");
    String image = TestModels.base64(TestModels.png(random(), 20));
    Map<String, String> sides =
        Map.of(
            SIDE,
            "\"query_text\":\"a pond beside a road\"",
            "'field':'image','query_image':'" + image + "'",
            "\"query_image\":\"picture of \\d+ bytes\"");
    for (Map.Entry<String, String> side : sides.entrySet()) {
      for (boolean global : new boolean[] {true, false}) {
        String search =
            "{'query':{'cross_modal':{"
                + side.getKey()
                + "}},'rescore':{'window_size':10,'fusion':{"
                + side.getKey()
                + "}},"
                + ext(global)
                + "}";
        String asked = "\"field\":\"image\"," + side.getValue();
        try (MockLogAppender log = MockLogAppender.createForLoggers(slow)) {
          log.addExpectation(
              new MockLogAppender.PatternSeenEventExpectation(
                  search,
                  slow.getName(),
                  Level.WARN,
                  ".*\\[scenes]\\[\\d].*\"cross_modal\":\\{"
                      + asked
                      + ".*\"fusion\":\\{"
                      + asked
                      + ".*"));
          ok("POST", "/scenes/_search", search);
          log.assertAllExpectationsMatched();
        }
      }
    }
  }

  public void testSeveralFieldsAndAChainOfRescorers() throws IOException {
    String image = TestModels.base64(TestModels.png(random(), 20));
    String picture = "'field':'caption_vec','query_image':'" + image + "'";
    String both =
        "'query':{'bool':{'should':[" + KNN + ",{'cross_modal':{" + picture + ",'k':100}}]}}";
    Map<String, Object> found =
        search(
            "scenes",
            "{'size':10,"
                + both
                + ",'rescore':[{'window_size':12,'fusion':{"
                + SIDE
                + "}},{'window_size':6,'fusion':{"
                + picture
                + ",'score_mode':'total'}}],"
                + ext(false)
                + "}");
    assertEquals(2, reports(found).size());
    assertEquals("image", reports(found).get(0).get("field"));
    assertEquals("caption_vec", reports(found).get(1).get("field"));
    assertTrue("at most 6 of each of 3 shards", number(reports(found).get(1), "hits") <= 18);
    // Whatever comes before stays with the shards.
    Map<String, Object> chain =
        search(
            "scenes",
            "{'size':10,"
                + both
                + ",'rescore':[{'window_size':100,'query':{'rescore_query':{'match':"
                + "{'caption':'tanks'}}}},{'window_size':6,'fusion':{"
                + picture
                + "}}],"
                + ext(true)
                + "}");
    assertEquals(1, reports(chain).size());
    assertEquals(12, number(reports(chain).get(0), "hits"));
    refused(
        "/scenes/_search",
        "{'size':10,"
            + both
            + ",'rescore':[{'fusion':{"
            + SIDE
            + "}},{'fusion':{"
            + picture
            + "}}],"
            + ext(true)
            + "}",
        400,
        "takes one rescorer [fusion], the last of [rescore]; got 2 among 2");
  }

  /** All above a score. */
  public void testRadial() throws IOException {
    Map<String, Object> all =
        search("scenes", "{'size':100,'query':{'cross_modal':{" + SIDE + ",'k':10000}}}");
    float bar = score(hits(all).get(7));
    Map<String, Object> near =
        search(
            "scenes",
            "{'size':100,'min_score':"
                + bar
                + ",'query':{'cross_modal':{"
                + SIDE
                + ",'k':10000}},"
                + fusion("")
                + "}");
    assertEquals(Set.copyOf(ids(all).subList(0, 8)), Set.copyOf(ids(near)));
    Map<String, Object> inside =
        search(
            "scenes",
            "{'size':8,'query':{'bool':{'filter':[{'function_score':{'min_score':"
                + bar
                + ",'query':{'cross_modal':{"
                + SIDE
                + ",'k':10000}}}}]}},"
                + fusion("")
                + ","
                + ext(true)
                + "}");
    assertEquals(Set.copyOf(ids(near)), Set.copyOf(ids(inside)));
  }

  public void testAPictureFindsCaptions() throws IOException {
    String image = TestModels.base64(TestModels.png(random(), 20));
    String side = "'field':'caption_vec','query_image':'" + image + "','sensor':'rgb'";
    List<List<String>> orders = new ArrayList<>();
    for (boolean global : new boolean[] {true, false}) {
      Map<String, Object> found =
          search(
              "scenes",
              "{'size':10,'query':{'cross_modal':{"
                  + side
                  + ",'k':100}},'rescore':{'window_size':100,'fusion':{"
                  + side
                  + "}},'ext':{'cross_modal':{"
                  + (global ? "'global_window':100" : "")
                  + "}}}");
      orders.add(ids(found));
      assertTrue(hits(found).stream().allMatch(hit -> score(hit) >= 1));
    }
    assertEquals("a window that holds all is the same for both", orders.get(0), orders.get(1));
  }

  public void testWhatDoesNotGoWithARescore() throws IOException {
    for (boolean global : new boolean[] {true, false}) {
      String rest = "'query':" + KNN + "," + fusion("") + "," + ext(global) + "}";
      refused(
          "/scenes/_search",
          "{'sort':[{'rank':'desc'}]," + rest,
          400,
          "[sort] does not go with [rescore], which orders by score: leave [sort] out");
      refused(
          "/scenes/_search",
          "{'collapse':{'field':'sensor'}," + rest,
          400,
          "[collapse] does not go with [rescore]: leave it out and give [fusion] a [group] of"
              + " [sensor]");
      refused(
          "/scenes/_search?scroll=1m",
          "{" + rest,
          400,
          "using [rescore] is not allowed in a scroll");
      assertEquals(10, hits(search("scenes", "{'sort':['_score']," + rest)).size());
    }
    refused(
        "/scenes/_search?search_type=dfs_query_then_fetch",
        "{'query':" + KNN + "," + fusion("") + "," + ext(true) + "}",
        400,
        "does not go with [search_type=dfs_query_then_fetch]");
    refused(
        "/scenes/_search",
        "{'query':" + KNN + "," + ext(true) + "}",
        400,
        "[ext.cross_modal.global_window] needs a [rescore] of type [fusion]");
    refused(
        "/scenes/_search",
        "{'query':{'cross_modal':{" + SIDE + ",'k':10001}}}",
        400,
        "[k] must be from 1 to 10000, got [10001]");
    refused(
        "/scenes/_search",
        "{'query':" + KNN + "," + fusion("") + ",'ext':{'cross_modal':{'global_window':10001}}}",
        400,
        "[ext.cross_modal.global_window] must be at most 1000, got 10001");
    refused(
        "/scenes/_search",
        "{'query':" + KNN + ",'rescore':{'window_size':-1,'fusion':{" + SIDE + "}}}",
        400,
        "[window_size] must be at least 1, got [-1]");
    refused(
        "/scenes/_search",
        "{'query':" + KNN + ",'rescore':{'window_size':0,'fusion':{" + SIDE + "}}}",
        400,
        "[window_size] must be at least 1, got [0]");
  }

  /** Reports travel as an aggregation, which core must not reduce on the way. */
  public void testReportsBesideAggregationsThatAreReducedInBatches() throws IOException {
    create("parted", 4, "", "'image':{'type':'cross_modal'},'place':{'type':'keyword'}");
    int documents = 16;
    for (int i = 0; i < documents; i++) {
      ok("PUT", "/parted/_doc/" + i, "{'place':'p" + i % 3 + "','image':" + picture() + "}");
    }
    ok("POST", "/parted/_refresh", null);
    for (boolean global : new boolean[] {false, true}) {
      Map<String, Object> found =
          json(
              "POST",
              "/parted/_search?batched_reduce_size=2",
              "{'size':5,'query':"
                  + KNN
                  + ","
                  + fusion("")
                  + ","
                  + ext(global)
                  + ",'aggs':{'places':{'terms':{'field':'place'}}}}");
      assertEquals(found.toString(), 0, number(found, "_shards", "failed"));
      assertEquals(
          Set.of("places"), SearchFeaturesIT.<Map<?, ?>>at(found, "aggregations").keySet());
      List<Map<String, Object>> buckets = at(found, "aggregations", "places", "buckets");
      assertEquals(
          documents,
          buckets.stream().mapToInt(bucket -> ((Number) bucket.get("doc_count")).intValue()).sum());
      assertEquals(1, reports(found).size());
      assertEquals(global ? WINDOW : documents, number(reports(found).get(0), "rescored"));
    }
  }

  /** The search of a graph keeps more candidates than are wanted: with one alone it may miss. */
  public void testASmallKGivesTheNearestAlone() throws IOException {
    String encoding = randomFrom("float32", "int8", "int4", "bit1");
    create("plain-k", 1, "", "'image':{'type':'cross_modal'}");
    create(
        "own-k",
        1,
        ",'cross_modal':true,'codec':'default'",
        "'image':{'type':'cross_modal','vector_encoding':'" + encoding + "'}");
    int documents = 40;
    for (String index : List.of("plain-k", "own-k")) {
      for (int i = 0; i < documents; i++) {
        ok("PUT", "/" + index + "/_doc/" + i, "{'image':" + picture() + "}");
      }
      ok("POST", "/" + index + "/_refresh", null);
      for (int i = 0; i < documents; i++) {
        String query = "{'query':{'cross_modal':{'field':'image','query_id':'" + i + "','k':1}}}";
        assertEquals(encoding, List.of(index + "/" + i), ids(search(index, query)));
      }
    }
  }

  /** Shards without a document, and filters that none passes, have no candidates to score. */
  public void testNothingFoundIsAnAnswer() throws IOException {
    for (String encoding : List.of("float32", "int8", "int4", "bit1")) {
      String index = "empty-" + encoding;
      create(
          index,
          3,
          ",'cross_modal':true,'codec':'default'",
          "'image':{'type':'cross_modal','vector_encoding':'" + encoding + "'}");
      for (int documents = 0; documents < 2; documents++) {
        for (String filter : List.of("", ",'filter':{'term':{'caption':'nobody'}}")) {
          Map<String, Object> found =
              search(index, "{'query':{'cross_modal':{" + SIDE + filter + "}}}");
          assertEquals(found.toString(), 0, number(found, "_shards", "failed"));
          assertEquals(filter.isEmpty() ? documents : 0, ids(found).size());
        }
        ok("PUT", "/" + index + "/_doc/1?refresh=true", "{'image':" + picture() + "}");
      }
    }
  }

  public void testADocumentOfARoutingIsAQuery() throws IOException {
    create("routed", 5, "", "'image':{'type':'cross_modal'}");
    for (int i = 0; i < 8; i++) {
      ok("PUT", "/routed/_doc/" + i + "?routing=r" + i, "{'image':" + picture() + "}");
    }
    ok("POST", "/routed/_refresh", null);
    int misrouted = 0;
    for (int i = 0; i < 8; i++) {
      String query = "{'query':{'cross_modal':{'field':'image','query_id':'" + i + "'%s,'k':1}}}";
      Map<String, Object> found =
          search("routed", String.format(Locale.ROOT, query, ",'routing':'r" + i + "'"));
      assertEquals("routed/" + i, ids(found).get(0));
      if (send("POST", "/routed/_search", String.format(Locale.ROOT, query, "")).status() == 400) {
        misrouted++;
      }
    }
    assertTrue("some are not where their ids lead", misrouted > 0);
    refused(
        "/routed/_search",
        "{'query':{'cross_modal':{" + SIDE + ",'routing':'a'}}}",
        400,
        "[routing] goes with [query_id] only");
  }

  public void testAShardWithoutACopyIsFlagged() throws IOException {
    String node = internalCluster().getNodeNames()[0];
    String search = "{'size':10,'query':" + ALL + "," + fusion("") + "," + ext(true) + "}";
    // Core brings a primary back against [allocation.enable], but not beyond this limit.
    String recoveries =
        "{'transient':{'cluster.routing.allocation.node_initial_primaries_recoveries':%s}}";
    ok("PUT", "/_cluster/settings", String.format(Locale.ROOT, recoveries, 0));
    try {
      ok(
          "POST",
          "/_cluster/reroute",
          "{'commands':[{'cancel':{'index':'scenes','shard':1,'node':'"
              + node
              + "','allow_primary':true}}]}");
      Map<String, Object> found = json("POST", "/scenes/_search", search);
      assertEquals(3, number(found, "_shards", "total"));
      assertEquals(2, number(found, "_shards", "successful"));
      assertEquals(10, hits(found).size());
      assertEquals(2, number(reports(found).get(0), "shards"));
      assertEquals(
          503, send("POST", "/scenes/_search?allow_partial_search_results=false", search).status());
    } finally {
      ok("PUT", "/_cluster/settings", String.format(Locale.ROOT, recoveries, "null"));
    }
  }

  private static void batchWait(String wait) throws IOException {
    ok(
        "PUT",
        "/_cluster/settings",
        "{'transient':{'plugins.cross_modal.inference.batch_wait':" + wait + "}}");
  }

  /** A model that does not answer in time, and hits without tokens. */
  public void testPolicies() throws IOException {
    // By rank, so that some without a picture are among the first.
    String ranked =
        "{'function_score':{'query':{'match_all':{}},"
            + "'field_value_factor':{'field':'rank','factor':0.01}}}";
    String search = "{'size':12,'query':" + ranked + ",%s," + ext(true) + "}";
    search("scenes", String.format(Locale.ROOT, search, fusion("")));
    // Pairs wait for company that does not come.
    batchWait("'1m'");
    try {
      Map<String, Object> kept =
          search(
              "scenes",
              String.format(
                  Locale.ROOT, search, fusion("'timeout':'200ms','on_failure':'keep_first_pass'")));
      assertEquals(true, kept.get("timed_out"));
      assertTrue(hits(kept).stream().allMatch(hit -> score(hit) < 1));
      Map<String, Object> report = reports(kept).get(0);
      assertEquals("24 and 29", 3, number(report, "missing"));
      assertEquals(0, number(report, "rescored"));
      List<Map<String, Object>> degraded = at(report, "degraded");
      assertEquals("timeouts", degraded.get(0).get("reason"));
      assertEquals(WINDOW - number(report, "missing"), number(degraded.get(0), "hits"));
      assertNotNull(degraded.get(0).get("message"));

      Answer failed =
          send(
              "POST",
              "/scenes/_search",
              String.format(Locale.ROOT, search, fusion("'timeout':'200ms'")));
      assertEquals(failed.toString(), 504, failed.status());

      String bounded =
          String.format(Locale.ROOT, search, fusion("")).replace("'size'", "'timeout':'1s','size'");
      Map<String, Object> over = search("scenes", bounded);
      assertEquals(true, over.get("timed_out"));
      assertTrue(hits(over).stream().allMatch(hit -> score(hit) < 1));
      assertTrue(
          send("POST", "/scenes/_search?allow_partial_search_results=false", bounded).status()
              >= 500);
    } finally {
      batchWait("null");
    }
    refused(
        "/scenes/_search",
        String.format(Locale.ROOT, search, fusion("'missing':'fail'")),
        400,
        "have no tokens to rescore with, and [missing] is fail");
    Map<String, Object> zero =
        search("scenes", String.format(Locale.ROOT, search, fusion("'missing':'score_zero'")));
    assertEquals(WINDOW, number(reports(zero).get(0), "rescored"));
    assertTrue(hits(zero).stream().allMatch(hit -> score(hit) >= 1));
  }

  public void testCancelledWhileItWaits() throws Exception {
    String search = "{'size':12,'query':" + ALL + "," + fusion("") + "," + ext(true) + "}";
    search("scenes", search);
    long windows = total(Counter.GLOBAL_WINDOWS);
    batchWait("'1m'");
    try {
      CompletableFuture<Integer> status = new CompletableFuture<>();
      getRestClient()
          .performRequestAsync(
              request("POST", "/scenes/_search", search),
              new ResponseListener() {
                @Override
                public void onSuccess(Response response) {
                  status.complete(response.getStatusLine().getStatusCode());
                }

                @Override
                public void onFailure(Exception e) {
                  status.complete(
                      e instanceof ResponseException answer
                          ? answer.getResponse().getStatusLine().getStatusCode()
                          : -1);
                }
              });
      assertBusy(() -> assertEquals(windows + 1, total(Counter.GLOBAL_WINDOWS)));
      ok("POST", "/_tasks/_cancel?actions=*search", null);
      assertTrue("an error: " + status.get(), status.get() >= 400);
      assertBusy(
          () ->
              assertEquals(
                  "nothing waits for the model",
                  0,
                  internalCluster().getInstance(NodeInference.class).queued()));
    } finally {
      batchWait("null");
    }
  }

  public void testAPipelineGivesAllSearchesAGlobalWindow() throws IOException {
    for (String size : List.of("", "'window_size':0", "'window_size':100001")) {
      Answer bad =
          send(
              "PUT",
              "/_search/pipeline/none",
              "{'phase_results_processors':[{'fusion_rerank':{" + size + "}}]}");
      assertEquals(400, bad.status());
      assertThat(bad.text(), containsString("[window_size] must be given, from 1 to 100000"));
    }
    ok(
        "PUT",
        "/_search/pipeline/global",
        "{'phase_results_processors':[{'fusion_rerank':{'window_size':" + WINDOW + "}}]}");
    String search =
        "{'size':12,'_source':false,'query':"
            + ALL
            + ","
            + fusion("")
            + ",'ext':{'cross_modal':{%s}}}";
    String byPart = String.format(Locale.ROOT, search, "'global_window':" + WINDOW);
    String byPipeline = String.format(Locale.ROOT, search, "");
    List<String> expected = ids(search("scenes", byPart));
    assertNotEquals(expected, ids(search("scenes", byPipeline)));
    Map<String, Object> named = json("POST", "/scenes/_search?search_pipeline=global", byPipeline);
    assertEquals(expected, ids(named));
    assertEquals("global", reports(named).get(0).get("window"));
    ok("PUT", "/scenes/_settings", "{'index.search.default_pipeline':'global'}");
    assertEquals(expected, ids(search("scenes", byPipeline)));
    // The request's own window comes first; a search without a rescore passes.
    Map<String, Object> own =
        search(
            "scenes",
            String.format(
                Locale.ROOT, search.replace("'size':12", "'size':5"), "'global_window':5"));
    assertEquals(5, number(reports(own).get(0), "hits"));
    assertEquals(10, hits(search("scenes", "{'query':" + ALL + "}")).size());
    refused(
        "/scenes/_search",
        byPipeline.replace("'size':12", "'size':13"),
        400,
        "raise [fusion_rerank.window_size]");
    String rerank = "{'fusion_rerank':{'window_size':5}}";
    ok(
        "PUT",
        "/_search/pipeline/twice",
        "{'phase_results_processors':[" + rerank + "," + rerank + "]}");
    refused(
        "/scenes/_search?search_pipeline=twice",
        byPipeline,
        400,
        "its pipeline has 2 processors [fusion_rerank]: leave one");

    String factories = "cluster.search.enabled_system_generated_factories";
    ok("PUT", "/_cluster/settings", "{'transient':{'" + factories + "':['none']}}");
    try {
      refused("/scenes/_search", byPipeline, 400, "must name [cross_modal]");
      refused("/scenes/_search?search_pipeline=_none", byPart, 400, "must name [cross_modal]");
    } finally {
      ok("PUT", "/_cluster/settings", "{'transient':{'" + factories + "':null}}");
    }
    ok("PUT", "/scenes/_settings", "{'index.search.default_pipeline':null}");
    ok("DELETE", "/_search/pipeline/global", null);
  }

  public void testDetailsOfAGlobalWindow() throws IOException {
    Map<String, Object> found =
        search(
            "scenes",
            "{'size':12,'_source':false,'profile':true,'query':"
                + ALL
                + ","
                + fusion("")
                + ",'ext':{'cross_modal':{'details':true,'heat_map':true,'global_window':12}}}");
    assertNotNull("the profile stays", found.get("profile"));
    int rescored = 0;
    for (Map<String, Object> hit : hits(found)) {
      List<Map<String, Object>> details = at(hit, "fields", "_cross_modal");
      boolean fused = score(hit) >= 1;
      assertEquals(fused, details.get(0).get("rescored"));
      if (fused) {
        rescored++;
        assertEquals(score(hit) - 1, ((Number) details.get(0).get("p")).floatValue(), 1e-4f);
        assertNotNull(details.get(0).get("heat_map"));
      }
    }
    assertEquals(number(reports(found).get(0), "rescored"), rescored);
  }

  private static final Pattern BLOCK = Pattern.compile("```(json|text)\\n(.*?)```", Pattern.DOTALL);

  /**
   * Each request of docs/search.md, in its order. What ends in an ellipsis is replaced by something
   * whole. An answer that follows must have the same shape, a status that follows must be met.
   */
  public void testExamplesOfTheDocumentation() throws IOException {
    ok("DELETE", "/scenes", null);
    String page;
    try (InputStream in = SearchFeaturesIT.class.getResourceAsStream("/search.md")) {
      assertNotNull("docs/search.md is a test resource", in);
      page = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    Matcher blocks = BLOCK.matcher(page);
    Answer last = null;
    boolean judged = true;
    int requests = 0;
    String pit = null;
    while (blocks.find()) {
      String block = blocks.group(2).strip();
      if (blocks.group(1).equals("text")) {
        int status = Integer.parseInt(block.substring(0, 3));
        assertEquals(last.toString(), status, last.status());
        assertThat(last.text(), containsString(block.substring(3).strip()));
        judged = true;
      } else if (block.startsWith("{")) {
        assertEquals(last.toString(), 2, last.status() / 100);
        assertShape(
            block,
            XContentHelper.convertToMap(JsonXContent.jsonXContent, block, false),
            last.json());
        judged = true;
      } else {
        assertTrue(String.valueOf(last), judged || last.status() / 100 == 2);
        int line = block.indexOf('\n');
        String[] head = (line < 0 ? block : block.substring(0, line)).split(" ", 2);
        String body = line < 0 ? null : whole(block.substring(line + 1));
        if (pit != null && body != null) {
          body = body.replace("<pit_id>", pit);
        }
        last = send(head[0], head[1], body);
        if (last.status() / 100 == 2 && last.json().get("pit_id") != null) {
          pit = (String) last.json().get("pit_id");
        }
        judged = false;
        requests++;
        if (head[1].endsWith("_search")) {
          assertTrue(
              block + last, last.status() != 200 || number(last.json(), "_shards", "failed") == 0);
        }
      }
    }
    assertTrue(String.valueOf(last), judged || last.status() / 100 == 2);
    assertTrue("found only " + requests, requests >= 15);
  }

  private static String whole(String body) {
    String vector =
        "["
            + "0.1,".repeat(TestModels.micro().manifest().config().embeddingDimension() - 1)
            + "0.2]";
    return body.replaceAll(
            "\"[A-Za-z0-9+/]*…\"", "\"" + TestModels.base64(TestModels.png(random(), 24)) + "\"")
        .replaceAll("\\[[-0-9., ]*…\\]", vector)
        // Of a module that is not on the class path; footprints are read of the source.
        .replace("\"type\": \"geo_shape\"", "\"type\": \"object\", \"enabled\": false");
  }

  private static void assertShape(String where, Object example, Object found) {
    if (example instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        assertTrue(
            where + ": " + found,
            found instanceof Map<?, ?> other && other.containsKey(entry.getKey()));
        assertShape(
            where + "." + entry.getKey(),
            entry.getValue(),
            ((Map<?, ?>) found).get(entry.getKey()));
      }
    } else if (example instanceof List<?> list) {
      assertTrue(where, found instanceof List<?>);
      if (!list.isEmpty()) {
        assertFalse(where, ((List<?>) found).isEmpty());
        assertShape(where + "[0]", list.get(0), ((List<?>) found).get(0));
      }
    } else if (example instanceof Number) {
      assertTrue(where + ": " + found, found instanceof Number);
    } else {
      assertEquals(where, example.getClass(), found.getClass());
    }
  }
}
