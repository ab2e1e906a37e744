/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ClusterTestCase;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.Before;
import org.opensearch.search.SearchService;
import org.opensearch.test.OpenSearchIntegTestCase;

/**
 * {@code min_p}, {@code group} and {@code diversity}, on three nodes, the same documents in 1, 3
 * and 7 shards, against oracles over the window as it comes without them.
 */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class SelectionIT extends ClusterTestCase {
  private static final int PICTURES = 40;
  private static final int WINDOW = 24;
  private static final int PLACES = 7;
  private static final List<Integer> SHARDS = List.of(1, 3, 7);
  private static final String SIDE = "'field':'image','query_text':'a pond beside a road'";
  private static final double TOLERANCE = 2e-5;

  /** A hit as the request without a selection brings it. */
  private record Plain(String id, double p, String place, List<Double> embedding) {
    boolean rescored() {
      return p >= 0;
    }
  }

  /** A hit as it should be. */
  private record Expected(String id, double score, int hits) {}

  @Before
  public void indexPlaces() throws IOException {
    List<String> documents = new ArrayList<>();
    for (int i = 0; i < PICTURES; i++) {
      // Every tenth has no picture, every ninth no place.
      documents.add(
          String.format(
              Locale.ROOT,
              "{'number':%d,'tags':['a','b']%s%s}",
              i,
              i % 10 == 9 ? "" : ",'image':" + picture(),
              i % 9 == 8 ? "" : ",'place':'place " + i % PLACES + "'"));
    }
    for (int shards : SHARDS) {
      ok(
          "PUT",
          "/scenes" + shards,
          "{'settings':{'number_of_shards':"
              + shards
              + ",'number_of_replicas':1},'mappings':{'properties':{'image':{'type':'cross_modal'},"
              + "'number':{'type':'integer'},'place':{'type':'keyword'},"
              + "'where':{'type':'alias','path':'place'},'tags':{'type':'keyword'},'words':{'type':'text'},"
              + "'bare':{'type':'keyword','doc_values':false}}}}");
      StringBuilder bulk = new StringBuilder();
      for (int i = 0; i < PICTURES; i++) {
        bulk.append("{'index':{'_id':'").append(i).append("'}}\n").append(documents.get(i));
        bulk.append('\n');
      }
      ok("POST", "/scenes" + shards + "/_bulk?refresh=true", bulk.toString());
      ensureGreen("scenes" + shards);
    }
  }

  private static String query() {
    // The ones without a picture among them.
    return "{'function_score':{'query':{'bool':{'should':[{'cross_modal':{"
        + SIDE
        + ",'k':100}},{'match_all':{}}]}},'field_value_factor':{'field':'number','modifier':"
        + "'log2p'}}}";
  }

  private static Answer search(int shards, String options, boolean global, String rest)
      throws IOException {
    return ok("POST", "/scenes" + shards + "/_search", body(options, global, rest));
  }

  private static String body(String options, boolean global, String rest) {
    return "{'query':"
        + query()
        + ",'rescore':{'window_size':"
        + WINDOW
        + ",'fusion':{"
        + SIDE
        + (options.isEmpty() ? "" : "," + options)
        + "}},'ext':{'cross_modal':{"
        + (global ? "'global_window':" + WINDOW : "")
        + "}}"
        + rest
        + "}";
  }

  private static double number(Map<String, Object> map, String key) {
    return ((Number) map.get(key)).doubleValue();
  }

  private static int reported(Answer answer, String key) {
    List<Map<String, Object>> reports = answer.at("ext", "cross_modal", "rescores");
    return ((Number) reports.get(0).get(key)).intValue();
  }

  /** The window without a selection, best first. */
  private static List<Plain> window(int shards, String options) throws IOException {
    Answer found =
        search(
            shards,
            options,
            true,
            ",'size':" + WINDOW + ",'docvalue_fields':['image','place'],'_source':false");
    List<Plain> window = new ArrayList<>();
    for (Map<String, Object> hit : found.hits()) {
      Map<String, Object> fields = at(hit, "fields");
      List<List<Double>> embedding =
          fields.get("image") == null ? null : at(hit, "fields", "image");
      List<String> place = fields.get("place") == null ? null : at(hit, "fields", "place");
      double score = number(hit, "_score");
      window.add(
          new Plain(
              (String) hit.get("_id"),
              score >= 1 ? score - 1 : -1,
              place == null ? null : place.get(0),
              embedding == null ? null : embedding.get(0)));
    }
    assertEquals(WINDOW, window.size());
    return window;
  }

  /** Returns what lies in the largest gap between p of the middle, so that no rounding decides. */
  private static double cut(Collection<Double> scores) {
    double[] sorted = scores.stream().mapToDouble(p -> p).filter(p -> p >= 0).sorted().toArray();
    int widest = sorted.length / 4;
    for (int i = widest; i < 3 * sorted.length / 4; i++) {
      if (sorted[i + 1] - sorted[i] > sorted[widest + 1] - sorted[widest]) {
        widest = i;
      }
    }
    return (sorted[widest] + sorted[widest + 1]) / 2;
  }

  private static List<Expected> oracle(
      List<Plain> window, double minP, boolean grouped, Double lambda) {
    List<Plain> left = new ArrayList<>();
    Map<String, Integer> counts = new HashMap<>();
    for (Plain hit : window) {
      if (!hit.rescored() || hit.p >= minP) {
        if (!grouped || hit.place == null || counts.merge(hit.place, 1, Integer::sum) == 1) {
          left.add(hit);
        }
      }
    }
    List<Expected> expected = new ArrayList<>();
    List<Plain> above = new ArrayList<>();
    while (above.size() < left.stream().filter(Plain::rescored).count()) {
      Plain best = null;
      double most = -1;
      for (Plain hit : left) {
        if (hit.rescored() && !above.contains(hit)) {
          double score = lambda == null ? 1 + hit.p : marginal(hit, above, lambda);
          if (score > most) {
            best = hit;
            most = score;
          }
        }
      }
      above.add(best);
      expected.add(new Expected(best.id, most, count(best, grouped, counts)));
    }
    left.stream()
        .filter(hit -> !hit.rescored())
        .forEach(hit -> expected.add(new Expected(hit.id, -1, count(hit, grouped, counts))));
    return expected;
  }

  private static int count(Plain hit, boolean grouped, Map<String, Integer> counts) {
    return grouped && hit.place != null ? counts.get(hit.place) : 1;
  }

  private static double marginal(Plain hit, List<Plain> above, double lambda) {
    double novelty = 1;
    for (Plain other : above) {
      double cosine = 0;
      for (int d = 0; d < hit.embedding.size(); d++) {
        cosine += hit.embedding.get(d) * other.embedding.get(d);
      }
      novelty = Math.min(novelty, (1 - cosine) / 2);
    }
    return 1 + lambda * hit.p + (1 - lambda) * novelty;
  }

  public void testTheSameForAnyNumberOfShardsAndPageByPage() throws Exception {
    Map<Integer, List<Plain>> windows = new HashMap<>();
    for (int shards : SHARDS) {
      windows.put(shards, window(shards, ""));
    }
    double minP = cut(windows.get(1).stream().map(Plain::p).toList());
    // Each of them on one number of shards in a run, in turn, for each is several searches.
    int turn = randomInt(SHARDS.size() - 1);
    long grouped = total(Counter.GROUPED);
    long below = total(Counter.BELOW_MIN_P);
    for (String group : new String[] {null, "place", "where"}) {
      for (Double lambda : new Double[] {null, 0.0, 0.3 + 0.4 * randomDouble(), 1.0}) {
        for (double least : new double[] {0, minP}) {
          int shards = SHARDS.get(turn % SHARDS.size());
          check(shards, windows.get(shards), group, lambda, least);
          turn++;
        }
      }
    }
    assertTrue(total(Counter.GROUPED) > grouped);
    assertTrue(total(Counter.BELOW_MIN_P) > below);
    assertNothingLeftOpen();
  }

  private static void check(
      int shards, List<Plain> window, String group, Double lambda, double minP) throws IOException {
    String options =
        (minP == 0 ? "" : ",'min_p':" + minP)
            + (group == null ? "" : ",'group':'" + group + "'")
            + (lambda == null ? "" : ",'diversity':" + lambda);
    options = options.isEmpty() ? "" : options.substring(1);
    List<Expected> expected = oracle(window, minP, group != null, lambda);
    int from = 0;
    int size = randomIntBetween(5, 9);
    List<String> pages = new ArrayList<>();
    while (from + size <= WINDOW) {
      Answer page =
          search(shards, options, true, ",'explain':true,'size':" + size + ",'from':" + from);
      if (!options.isEmpty()) {
        assertEquals(
            options,
            window.stream().filter(hit -> hit.rescored() && hit.p < minP).count(),
            reported(page, "below_min_p"));
      }
      assertEquals("the first pass's", PICTURES, page.<Number>at("hits", "total", "value"));
      for (Map<String, Object> hit : page.hits()) {
        String what = options + " on " + shards + ": " + hit;
        Expected own =
            expected.stream().filter(one -> one.id.equals(hit.get("_id"))).findFirst().orElse(null);
        assertNotNull(what, own);
        pages.add(own.id);
        double score = number(hit, "_score");
        if (own.score > 0) {
          assertEquals(what, own.score, score, TOLERANCE);
        }
        assertEquals(
            what, score, ((Number) at(hit, "_explanation", "value")).doubleValue(), TOLERANCE);
        if (group != null || lambda != null) {
          List<Map<String, Object>> described = at(hit, "fields", "_cross_modal");
          if (group != null) {
            assertEquals(what, own.hits, (int) number(at(described.get(0), "group"), "hits"));
          }
          assertEquals(what, lambda != null && score >= 1, described.get(0).containsKey("novelty"));
        }
      }
      from += size;
    }
    assertEquals("no hit twice", pages.size(), new HashSet<>(pages).size());
    // Hits without a picture have first scores that may depend on the shards; the others do not.
    List<Expected> listed = expected.subList(0, Math.min(expected.size(), pages.size()));
    if (!options.isEmpty()) {
      assertEquals(Math.min(from, expected.size()), pages.size());
      for (int i = 0; i < listed.size(); i++) {
        if (listed.get(i).score > 0 && apart(expected, i)) {
          assertEquals(options + " on " + shards + " at " + i, listed.get(i).id, pages.get(i));
        }
      }
    }
  }

  private static boolean apart(List<Expected> expected, int i) {
    double own = expected.get(i).score;
    return (i == 0 || expected.get(i - 1).score - own > TOLERANCE)
        && (i + 1 >= expected.size() || own - expected.get(i + 1).score > TOLERANCE);
  }

  public void testHitsThatThePreRankerPassesOver() throws IOException {
    for (int shards : SHARDS) {
      List<Plain> window = window(shards, "'filter_size':5");
      Answer cut = search(shards, "'filter_size':5,'min_p':0.000001", true, ",'size':" + WINDOW);
      Set<String> left =
          window.stream()
              .filter(hit -> hit.rescored() || hit.embedding == null)
              .map(Plain::id)
              .collect(Collectors.toSet());
      assertEquals(left, Set.copyOf(cut.ids()));
    }
  }

  public void testACutOffForEachShard() throws Exception {
    for (int shards : SHARDS) {
      Map<String, Double> all = new LinkedHashMap<>();
      search(shards, "", false, ",'size':" + PICTURES)
          .hits()
          .forEach(hit -> all.put((String) hit.get("_id"), number(hit, "_score") - 1));
      double median = cut(all.values());
      for (boolean reported : new boolean[] {true, false}) {
        String body = body("'min_p':" + median, false, ",'size':" + PICTURES);
        Answer cut =
            ok(
                "POST",
                "/scenes" + shards + "/_search",
                reported ? body : body.replace(",'ext':{'cross_modal':{}}", ""));
        Set<String> rescored = new HashSet<>();
        for (Map<String, Object> hit : cut.hits()) {
          if (number(hit, "_score") >= 1) {
            rescored.add((String) hit.get("_id"));
          }
        }
        Set<String> expected = new HashSet<>();
        all.forEach(
            (id, p) -> {
              if (p >= median) {
                expected.add(id);
              }
            });
        assertEquals(expected, rescored);
        if (reported) {
          long below = all.values().stream().filter(p -> p >= 0 && p < median).count();
          assertEquals(below, reported(cut, "below_min_p"));
        }
      }
    }
    assertNothingLeftOpen();
  }

  /** The ends of the range: 0 cuts nothing, not even what has no p; 1 cuts what is not certain. */
  public void testTheEndsOfTheRange() throws IOException {
    for (int shards : SHARDS) {
      List<Plain> window = window(shards, "");
      String page = ",'size':" + WINDOW;
      assertEquals(
          window.stream().map(Plain::id).toList(), listed(search(shards, "'min_p':0", true, page)));
      Answer certain = search(shards, "'min_p':1", true, page);
      assertEquals(
          window.stream().filter(hit -> !hit.rescored() || hit.p >= 1).map(Plain::id).toList(),
          listed(certain));
      assertEquals(
          window.stream().filter(hit -> hit.rescored() && hit.p < 1).count(),
          reported(certain, "below_min_p"));
      // A page of all that there is to choose from.
      Answer spread = search(shards, "'diversity':0.5,'group':'place'", true, page);
      assertEquals(WINDOW - reported(spread, "grouped"), spread.hits().size());
      assertEquals(spread.hits().size(), new HashSet<>(listed(spread)).size());
    }
  }

  private static List<Object> listed(Answer answer) {
    return answer.hits().stream().map(hit -> hit.get("_id")).toList();
  }

  /** Shards that have no hit left answer with none, and let go of their readers. */
  public void testNothingIsLeft() throws Exception {
    for (int shards : SHARDS) {
      for (boolean global : new boolean[] {true, false}) {
        String only = body("'min_p':1", global, "").replace(query(), knn());
        Answer none = ok("POST", "/scenes" + shards + "/_search", only);
        assertEquals(List.of(), none.hits());
        if (global) {
          assertEquals(WINDOW, reported(none, "below_min_p"));
        } else {
          assertEquals(reported(none, "rescored"), reported(none, "below_min_p"));
        }
        assertTrue(none.<Number>at("hits", "total", "value").intValue() > 0);
      }
    }
    assertNothingLeftOpen();
  }

  private static String knn() {
    return "{'cross_modal':{" + SIDE + ",'k':100}}";
  }

  /** Nodes let go of a reader when they are told to, which nobody waits for. */
  private static void assertNothingLeftOpen() throws Exception {
    for (SearchService service : internalCluster().getInstances(SearchService.class)) {
      assertBusy(() -> assertEquals(0, service.getActiveContexts()));
    }
  }

  public void testWhatCannotBe() throws IOException {
    for (String options : List.of("'group':'place'", "'diversity':0.5")) {
      refused(
          400,
          "compares hits of all shards, which a window for each shard cannot",
          "POST",
          "/scenes" + randomFrom(SHARDS) + "/_search",
          body(options, false, ""));
    }
    refused(
        400,
        "search with [ccs_minimize_roundtrips=false]",
        "POST",
        "/scenes3,far:scenes/_search",
        body("'group':'place'", true, ""));
    String path = "/scenes" + randomFrom(SHARDS) + "/_search";
    refused(400, "there is no such field", "POST", path, body("'group':'nowhere'", true, ""));
    refused(400, "its type is [integer]", "POST", path, body("'group':'number'", true, ""));
    refused(400, "[doc_values: false]", "POST", path, body("'group':'bare'", true, ""));
    refused(400, "has 2 values in one of the hits", "POST", path, body("'group':'tags'", true, ""));
    refused(400, "its type is [text]", "POST", path, body("'group':'words'", true, ""));
    refused(400, "its type is [_id]", "POST", path, body("'group':'_id'", true, ""));
    refused(400, "must name a field", "POST", path, body("'group':''", true, ""));
    for (String bad : List.of("1.5", "-0.1", "'NaN'", "'Infinity'")) {
      for (String option : List.of("min_p", "diversity")) {
        refused(
            400,
            "[" + option + "] must be from 0 to 1",
            "POST",
            path,
            body("'" + option + "':" + bad, true, ""));
      }
    }
    refused(
        400,
        "lies beyond the global window of 24 hits",
        "POST",
        path,
        body("'diversity':0.5", true, ",'size':" + (WINDOW + 1)));
    refused(
        400,
        "[score_mode: replace] only",
        "POST",
        path,
        body("'diversity':0.5,'score_mode':'total'", true, ""));
    String factories = "cluster.search.enabled_system_generated_factories";
    ok("PUT", "/_cluster/settings", "{'transient':{'" + factories + "':['none']}}");
    try {
      refused(400, "[min_p] is off in this cluster", "POST", path, body("'min_p':0.5", false, ""));
    } finally {
      ok("PUT", "/_cluster/settings", "{'transient':{'" + factories + "':null}}");
    }
  }

  /** Likes and unlikes against a vector that was made of the same embeddings outside. */
  public void testSeveralSides() throws IOException {
    for (int shards : SHARDS) {
      String path = "/scenes" + shards + "/_search";
      List<Double> words = encoded("{'text':['a pond']}");
      String file = picture().replace("{'bytes':'", "").replace("'}", "");
      List<Double> image = encoded("{'images':['" + file + "']}");
      List<Double> third = embedding(shards, "3");
      List<Double> fifth = embedding(shards, "5");
      double weight = 0.5 + randomDouble();
      List<Double> sum = new ArrayList<>();
      for (int d = 0; d < words.size(); d++) {
        sum.add((words.get(d) + weight * image.get(d) + 2 * third.get(d)) / 3 - 0.2 * fifth.get(d));
      }
      String sides =
          "'like':[{'text':'a pond'},{'image':'"
              + file
              + "','weight':"
              + weight
              + "},{'id':'3','weight':2}],'unlike':[{'id':'5'}]";
      Answer found =
          ok(
              "POST",
              path,
              "{'explain':true,'query':{'cross_modal':{'field':'image'," + sides + ",'k':30}}}");
      Answer expected =
          ok(
              "POST",
              path,
              "{'query':{'cross_modal':{'field':'image','query_vector':" + sum + ",'k':30}}}");
      assertEquals(expected.hits().size(), found.hits().size());
      for (int i = 0; i < expected.hits().size(); i++) {
        Map<String, Object> hit = found.hits().get(i);
        assertEquals(number(expected.hits().get(i), "_score"), number(hit, "_score"), TOLERANCE);
        String explained = hit.get("_explanation").toString();
        for (String part :
            List.of(
                "like[0].text [a pond]",
                "like[1].image [picture of",
                "like[2].id [3]",
                "unlike[0].id [5]",
                "its weight 2.0 normalised",
                "its weight 0.2 normalised")) {
          assertTrue(part + " in " + explained, explained.contains(part));
        }
        double parts = sumOfSides(at(hit, "_explanation"));
        assertEquals(number(hit, "_score"), (1 + parts) / 2, TOLERANCE);
      }
      // The rescorer reads the words alone.
      String fused =
          "{'query':"
              + knn()
              + ",'rescore':{'window_size':40,'fusion':{'field':'image',%s}},'size':20}";
      assertEquals(
          scores(ok("POST", path, String.format(Locale.ROOT, fused, "'query_text':'a pond'"))),
          scores(ok("POST", path, String.format(Locale.ROOT, fused, sides))));
    }
  }

  private static Map<String, Integer> scores(Answer answer) {
    Map<String, Integer> scores = new LinkedHashMap<>();
    answer
        .hits()
        .forEach(
            hit ->
                scores.put(
                    (String) hit.get("_id"), (int) Math.round(1000 * number(hit, "_score"))));
    return scores;
  }

  private static double sumOfSides(Map<String, Object> explanation) {
    if (explanation.get("description").toString().startsWith("cosine with the query, the sum")) {
      return number(explanation, "value");
    }
    List<Map<String, Object>> details = at(explanation, "details");
    double found = Double.NaN;
    for (Map<String, Object> detail : details) {
      double within = sumOfSides(detail);
      found = Double.isNaN(within) ? found : within;
    }
    return found;
  }

  private static List<Double> encoded(String body) throws IOException {
    List<Map<String, Object>> items =
        ok("POST", "/_plugins/_cross_modal/models/micro/_encode", body).at("items");
    return at(items.get(0), "embedding");
  }

  private static List<Double> embedding(int shards, String id) throws IOException {
    Answer found =
        ok(
            "POST",
            "/scenes" + shards + "/_search",
            "{'query':{'ids':{'values':['" + id + "']}},'docvalue_fields':['image']}");
    List<List<Double>> values = at(found.hits().get(0), "fields", "image");
    return values.get(0);
  }

  public void testBadSidesAreRefused() throws IOException {
    String path = "/scenes3/_search";
    for (String[] bad :
        new String[][] {
          {"'unlike':[{'id':'3'}]", "[unlike] goes with [like]"},
          {"'like':[]", "[like] must name at least one side"},
          {"'like':[{}]", "[like[0]]: a side needs exactly one of [text, image, id], got []"},
          {"'like':[{'text':'a','id':'3'}]", "exactly one of [text, image, id], got [text, id]"},
          {"'like':['a']", "[like[0]] must be an object with one of [text, image, id]"},
          {"'like':[{'text':' '}]", "[query_text] must not be empty"},
          {"'like':[{'text':'a','weight':0}]", "[weight] must be above 0"},
          {"'like':[{'text':'a','sensor':'s1'}]", "[sensor] goes with [image] only"},
          {"'like':[{'words':'a'}]", "unknown field [words]"},
          {"'like':[{'text':'a'}],'query_text':'a'", "got [query_text, like]"},
          {"'query_text':'a','unlike':[{'text':'a'}]", "[unlike] goes with [like] only"},
          {"'like':[{'text':'a'},{'id':'none'}]", "[like[1].id]: there is no document [none]"},
          {"'like':[{'image':'AAAA'}]", "[like[0].image]: "},
          {"'like':[{'id':'9'}]", "[like[0].id]: there is no document [9] in index [scenes3] with"},
          {"'like':[{'id':'3','index':'nowhere'}]", "[like[0].id]: there is no document [3] in"},
          {"'like':[{'id':'3','index':'sc*'}]", "there is no document [3] in index [sc*] with a"},
          {"'like':[{'id':'3','index':'sce,nes'}]", "there is no document [3] in"},
          {"'like':[{'id':'3','field':'place'}]", "a field [place] of type [cross_modal]"},
          {"'like':[{'id':''}]", "[query_id] must not be empty"},
          {"'like':[{'text':'a','weight':'NaN'}]", "[weight] must be above 0"},
          {"'like':[{'text':'a','weight':-1}]", "[weight] must be above 0"},
          {"'like':[{'text':'a','weight':1000.1}]", "at most 1000.0, got [1000.1]"},
          {"'like':[{'text':'a'}],'unlike':['b']", "[unlike[0]] must be an object"},
          {"'like':[{'text':'\\u200b\\u2028'}]", "[like[0].text]: "},
          {"'like':[{'id':'3'}],'unlike':[{'id':'3','weight':1}]", "cancel each other"},
          {"'like':[{'id':'3'},{'id':'5'}],'calibrate':true", "[calibrate] goes with an image"},
          {"'like':[" + "{'id':'3'},".repeat(50) + "{'id':'3'}]", "takes at most 50 sides"},
        }) {
      refused(
          400, bad[1], "POST", path, "{'query':{'cross_modal':{'field':'image'," + bad[0] + "}}}");
    }
  }
}
