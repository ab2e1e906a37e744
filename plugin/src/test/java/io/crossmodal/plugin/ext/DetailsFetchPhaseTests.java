/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Footprint;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.io.IOException;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.search.join.ScoreMode;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.search.SearchPhaseExecutionException;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.document.DocumentField;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.Strings;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.index.query.InnerHitBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.aggregations.AggregationBuilders;
import org.opensearch.search.aggregations.metrics.TopHits;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** What hits say of their fusion score, against the model asked directly. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class DetailsFetchPhaseTests extends OpenSearchSingleNodeTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final QuerySource WORDS = new QuerySource.Text("a b, unwordly c");
  private static final float TOLERANCE = 1e-4f;
  private static final int PICTURES = 12;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  private long count(Counter counter) {
    return getInstanceFromNode(NodeInference.class).stats().get(counter);
  }

  private void create(String index, int shards, String properties) {
    client()
        .admin()
        .indices()
        .prepareCreate(index)
        .setSettings(
            Settings.builder().put("number_of_shards", shards).put("number_of_replicas", 0))
        .setMapping("{\"properties\":{" + properties + "}}")
        .get();
  }

  private void index(String index, String... documents) {
    BulkRequestBuilder bulk =
        client().prepareBulk().setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE);
    for (String document : documents) {
      bulk.add(client().prepareIndex(index).setSource(document, XContentType.JSON));
    }
    BulkResponse response = bulk.get();
    assertFalse(response.buildFailureMessage(), response.hasFailures());
  }

  private static String picture() {
    return "{\"label\":\"p\",\"image\":{\"bytes\":\""
        + TestModels.base64(TestModels.png(random(), 20))
        + "\"}}";
  }

  /** Pictures, and two documents without one. */
  private void pictures(int shards) {
    create("pictures", shards, "\"image\":{\"type\":\"cross_modal\"}");
    for (int i = 0; i < PICTURES; i++) {
      index("pictures", picture());
    }
    index("pictures", "{\"label\":\"none\"}", "{\"label\":\"none\"}");
  }

  private static QueryBuilder all(QuerySource side) {
    return QueryBuilders.boolQuery()
        .should(new CrossModalQueryBuilder("image", side, 100, null))
        .should(QueryBuilders.matchAllQuery());
  }

  private static FusionRescorerBuilder fusion(
      QuerySource side, MissingPolicy missing, FailurePolicy onFailure) {
    return new FusionRescorerBuilder(
        "image",
        side,
        new FusionOptions(FusionOptions.DEFAULT.combiner(), missing, onFailure, null, 0));
  }

  private static FusionRescorerBuilder fusion(QuerySource side) {
    return fusion(side, MissingPolicy.KEEP_FIRST_PASS, FailurePolicy.FAIL);
  }

  /** Any search with the part; the rest of the request is the caller's. */
  private SearchRequestBuilder search(String indices, boolean details, boolean heatMap) {
    return client()
        .prepareSearch(indices.split(","))
        .setSource(
            new SearchSourceBuilder().ext(List.of(new CrossModalExtBuilder(details, heatMap, 0))));
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> described(SearchHit hit) {
    DocumentField field = hit.field(DetailsFetchPhase.FIELD);
    assertNotNull(hit.toString(), field);
    assertEquals(1, field.getValues().size());
    return (Map<String, Object>) field.getValue();
  }

  private static float number(Map<String, Object> object, String key) {
    assertTrue(object.toString(), object.containsKey(key));
    return ((Number) object.get(key)).floatValue();
  }

  public void testWhatOneShardSays() throws Exception {
    sayWhatTheModelSays(1);
  }

  public void testWhatThreeShardsSay() throws Exception {
    sayWhatTheModelSays(3);
  }

  private void sayWhatTheModelSays(int shards) throws Exception {
    pictures(shards);
    long heatMaps = count(Counter.HEAT_MAPS);
    SearchResponse response =
        search("pictures", true, true)
            .setQuery(all(WORDS))
            .addRescorer(fusion(WORDS), 3)
            .setFetchSource(true)
            .setSize(PICTURES)
            .get();
    assertEquals(0, response.getFailedShards());
    assertEquals(PICTURES, response.getHits().getHits().length);
    int rescored = 0;
    try (FusionModel model = FusionModel.load(MODEL, createTempDir())) {
      Tokenizer tokenizer = MODEL.tokenizer();
      TokenizedText text = tokenizer.tokenize("a b, unwordly c");
      TokenBlock query = model.encodeTexts(List.of(text)).get(0).tokens();
      for (SearchHit hit : response.getHits()) {
        Map<String, Object> object = described(hit);
        assertEquals("image", object.get("field"));
        assertEquals(TestModels.ID, object.get("model"));
        assertEquals(hit.getScore() >= 1, object.get("rescored"));
        if (hit.getScore() < 1) {
          assertEquals(object.toString(), 3, object.size());
          continue;
        }
        rescored++;
        assertSurvivesTheWire(hit.field(DetailsFetchPhase.FIELD));
        TokenBlock image = stored(hit);
        PairLogits logits = model.score(List.of(query), List.of(image));
        assertEquals(1, ((Number) object.get("version")).longValue());
        assertEquals(hit.getScore() - 1, number(object, "p"), TOLERANCE);
        assertEquals(logits.itm()[0], number(object, "itm"), TOLERANCE);
        assertEquals(logits.biEncoder()[0], number(object, "filter"), TOLERANCE);
        double linear = number(object, "itm") + number(object, "lambda") * number(object, "filter");
        double p = 1 / (1 + Math.exp(-number(object, "scale") * linear - number(object, "bias")));
        assertEquals(p, number(object, "p"), TOLERANCE);
        assertHeatMap(
            object, tokenizer.spans(text), model.attention(List.of(query), List.of(image)).get(0));
      }
    }
    assertTrue("some, not all: " + rescored, rescored > 0 && rescored < PICTURES);
    assertEquals("for the page only", rescored, count(Counter.HEAT_MAPS) - heatMaps);
  }

  private void assertSurvivesTheWire(DocumentField field) throws IOException {
    DocumentField copy =
        copyWriteable(field, new NamedWriteableRegistry(List.of()), DocumentField::new);
    assertEquals(
        Strings.toString(MediaTypeRegistry.JSON, field),
        Strings.toString(MediaTypeRegistry.JSON, copy));
  }

  @SuppressWarnings("unchecked")
  private static TokenBlock stored(SearchHit hit) {
    Map<String, Object> image = (Map<String, Object>) hit.getSourceAsMap().get("image");
    byte[] block = Base64.getDecoder().decode((String) image.get("tokens"));
    return TokenBlockFormat.read(block, 0, block.length);
  }

  /**
   * @param spans [CLS] first and [SEP] last
   */
  @SuppressWarnings("unchecked")
  private static void assertHeatMap(
      Map<String, Object> object, List<WordSpan> spans, WordPatchWeights expected) {
    Map<String, Object> heatMap = (Map<String, Object>) object.get("heat_map");
    assertNotNull(object.toString(), heatMap);
    assertEquals(expected.grid(), heatMap.get("grid"));
    List<WordSpan> words = spans.subList(1, spans.size() - 1);
    assertEquals(words.stream().map(WordSpan::word).toList(), heatMap.get("words"));
    List<float[]> weights = (List<float[]>) heatMap.get("weights");
    assertEquals(words.size(), weights.size());
    for (int i = 0; i < weights.size(); i++) {
      float[] row = weights.get(i);
      assertEquals(expected.patches(0).length, row.length);
      assertArrayEquals(
          expected.patches(words.get(i).from(), words.get(i).to()), row, 0.5e-4f + TOLERANCE);
      double sum = 0;
      for (float weight : row) {
        assertEquals("4 digits", Math.rint(weight * 1e4), weight * 1e4, 1e-3);
        sum += weight;
      }
      assertTrue("what [CLS] leaves: " + sum, sum > 0 && sum <= 1 + row.length * 0.5e-4);
    }
  }

  public void testNothingIsSaidOrComputedUnlessAskedFor() {
    pictures(1);
    SearchRequestBuilder plain =
        client()
            .prepareSearch("pictures")
            .setQuery(all(WORDS))
            .addRescorer(fusion(WORDS), PICTURES + 2);
    SearchRequestBuilder neither =
        search("pictures", false, false)
            .setQuery(all(WORDS))
            .addRescorer(fusion(WORDS), PICTURES + 2);
    SearchRequestBuilder unrescored = search("pictures", false, false).setQuery(all(WORDS));
    plain.get(); // encodes the query
    for (SearchRequestBuilder search : List.of(plain, neither, unrescored)) {
      long pairs = count(Counter.PAIRS);
      long batches = count(Counter.BATCHES);
      long heatMaps = count(Counter.HEAT_MAPS);
      for (SearchHit hit : search.get().getHits()) {
        assertNull(hit.field(DetailsFetchPhase.FIELD));
      }
      boolean rescores = search != unrescored;
      assertEquals(rescores ? PICTURES : 0, count(Counter.PAIRS) - pairs);
      assertEquals(rescores ? 1 : 0, count(Counter.BATCHES) - batches);
      assertEquals(0, count(Counter.HEAT_MAPS) - heatMaps);
    }
    long pairs = count(Counter.PAIRS);
    SearchResponse heatMapsOnly =
        search("pictures", false, true)
            .setQuery(all(WORDS))
            .addRescorer(fusion(WORDS), PICTURES + 2)
            .get();
    assertEquals("no score again", PICTURES, count(Counter.PAIRS) - pairs);
    Map<String, Object> best = described(heatMapsOnly.getHits().getAt(0));
    assertTrue(best.containsKey("heat_map"));
    assertFalse(best.containsKey("p"));
  }

  public void testHitsWithoutTokens() {
    pictures(1);
    create("plain", 1, "\"label\":{\"type\":\"keyword\"}");
    index("plain", "{\"label\":\"none\"}");
    FusionRescorerBuilder zero = fusion(WORDS, MissingPolicy.SCORE_ZERO, FailurePolicy.FAIL);
    SearchResponse response =
        search("pictures,plain", true, true)
            .setQuery(all(WORDS))
            .addRescorer(zero, 100)
            .setSize(100)
            .setExplain(true)
            .get();
    assertEquals(response.toString(), 0, response.getFailedShards());
    int without = 0;
    for (SearchHit hit : response.getHits()) {
      Map<String, Object> object = described(hit);
      assertEquals(true, object.get("rescored"));
      assertEquals(hit.getScore() - 1, number(object, "p"), TOLERANCE);
      assertEquals(hit.getScore(), hit.getExplanation().getValue().floatValue(), TOLERANCE);
      if (hit.getSourceAsMap().get("label").equals("none")) {
        without++;
        assertEquals("score_zero", object.get("missing"));
        assertEquals("the document stores no tokens", object.get("heat_map_unavailable"));
        assertEquals(hit.getIndex().equals("pictures"), object.containsKey("model"));
      }
    }
    assertEquals(3, without);
  }

  public void testQueriesWithoutWordsSayWhyTheyHaveNoHeatMap() {
    create("captions", 1, "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\"}");
    client()
        .prepareIndex("captions")
        .setId("1")
        .setSource("{\"image\":\"a pond\"}", XContentType.JSON)
        .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
        .get();
    pictures(1);
    QuerySource image = new QuerySource.Image(TestModels.png(random(), 30), null);
    QuerySource stored = new QuerySource.Document("1", "captions", null);
    long heatMaps = count(Counter.HEAT_MAPS);
    for (QuerySource side : List.of(image, stored)) {
      SearchResponse response =
          search(side.equals(image) ? "captions" : "pictures", true, true)
              .setQuery(new CrossModalQueryBuilder("image", side, 5, null))
              .addRescorer(fusion(side), 5)
              .get();
      assertTrue(response.getHits().getHits().length > 0);
      for (SearchHit hit : response.getHits()) {
        Map<String, Object> object = described(hit);
        assertEquals(hit.getScore() - 1, number(object, "p"), TOLERANCE);
        assertFalse(object.containsKey("heat_map"));
        assertEquals(
            "[" + side.key() + "] brings no words to draw, search with [query_text] for a heat map",
            object.get("heat_map_unavailable"));
      }
    }
    assertEquals(0, count(Counter.HEAT_MAPS) - heatMaps);
  }

  public void testInnerAndTopHitsAreLeftAlone() {
    create("pictures", 1, "\"image\":{\"type\":\"cross_modal\"},\"parts\":{\"type\":\"nested\"}");
    index(
        "pictures", picture().replaceFirst("\\{", "{\"parts\":[{\"n\":1},{\"n\":2}],"), picture());
    long pairs = count(Counter.PAIRS);
    SearchResponse response =
        search("pictures", true, false)
            .setQuery(
                QueryBuilders.boolQuery()
                    .should(new CrossModalQueryBuilder("image", WORDS, 5, null))
                    .should(
                        QueryBuilders.nestedQuery(
                                "parts", QueryBuilders.matchAllQuery(), ScoreMode.None)
                            .innerHit(new InnerHitBuilder("parts"))))
            .addRescorer(fusion(WORDS), 5)
            .addAggregation(AggregationBuilders.topHits("top"))
            .get();
    assertEquals(response.toString(), 0, response.getFailedShards());
    assertEquals(2, response.getHits().getHits().length);
    // Core has the top hits rescored too.
    assertEquals("window, top hits, page", 3 * 2, count(Counter.PAIRS) - pairs);
    int inner = 0;
    for (SearchHit hit : response.getHits()) {
      assertEquals(true, described(hit).get("rescored"));
      for (SearchHit part : hit.getInnerHits().get("parts")) {
        inner++;
        assertNull(part.field(DetailsFetchPhase.FIELD));
      }
    }
    assertEquals(2, inner);
    TopHits top = response.getAggregations().get("top");
    assertEquals(2, top.getHits().getHits().length);
    for (SearchHit hit : top.getHits()) {
      assertNull(hit.field(DetailsFetchPhase.FIELD));
    }
  }

  /** A heat map needs more memory than a score: a limit in between fails the one alone. */
  public void testFailuresFollowThePolicy() {
    pictures(1);
    SearchRequestBuilder keeps =
        search("pictures", true, true)
            .setQuery(all(WORDS))
            .addRescorer(
                fusion(WORDS, MissingPolicy.KEEP_FIRST_PASS, FailurePolicy.KEEP_FIRST_PASS), 3);
    SearchRequestBuilder fails =
        search("pictures", true, true).setQuery(all(WORDS)).addRescorer(fusion(WORDS), 3);
    keeps.get();
    TokenizedText text = MODEL.tokenizer().tokenize("a b, unwordly c");
    long score =
        Footprint.score(MODEL.manifest().config(), 1, text.length(), TestModels.imageTokens(MODEL));
    limit(Settings.builder().put("breaker.cross_modal.limit", MODEL.weightBytes() + score + "b"));
    try {
      int errors = 0;
      for (SearchHit hit : keeps.get().getHits()) {
        Map<String, Object> object = described(hit);
        assertEquals(hit.getScore() >= 1, object.get("rescored"));
        if (hit.getScore() >= 1) {
          errors++;
          assertEquals("scores fit", hit.getScore() - 1, number(object, "p"), TOLERANCE);
          assertThat((String) object.get("error"), containsString("[breaker.cross_modal.limit]"));
          assertFalse(object.containsKey("heat_map"));
        }
      }
      assertEquals(3, errors);
      SearchPhaseExecutionException failure =
          expectThrows(SearchPhaseExecutionException.class, fails::get);
      assertEquals(RestStatus.TOO_MANY_REQUESTS, failure.status());
      assertThat(
          ExceptionsHelper.stackTrace(failure), containsString("[breaker.cross_modal.limit]"));
    } finally {
      limit(Settings.builder().putNull("breaker.cross_modal.limit"));
    }
  }

  private void limit(Settings.Builder settings) {
    client().admin().cluster().prepareUpdateSettings().setTransientSettings(settings).get();
  }

  /** Patches on the ground, of pictures with footprints of several kinds and without one. */
  @SuppressWarnings("unchecked")
  public void testAHeatMapOnTheGround() throws IOException {
    // As geo_shape takes them, whose module is not on the class path; they are read of the source.
    create(
        "placed",
        randomFrom(1, 3),
        "\"image\":{\"type\":\"cross_modal\"},\"site\":{\"properties\":{\"footprint\":"
            + "{\"type\":\"object\",\"enabled\":false}}}");
    String square =
        "{\"type\":\"polygon\",\"coordinates\":[[[10,51],[10,50],[12,50],[12,51],[10,51]]]}";
    for (String footprint :
        List.of(
            square,
            "{\"type\":\"envelope\",\"coordinates\":[[10,51],[12,50]]}",
            "\"POLYGON ((12 50, 12 51, 10 51, 10 50, 12 50))\"",
            "{\"type\":\"point\",\"coordinates\":[10,51]}",
            "null")) {
      index(
          "placed", picture().replaceFirst("\\{", "{\"site\":{\"footprint\":" + footprint + "},"));
    }
    SearchResponse response =
        client()
            .prepareSearch("placed")
            .setSource(
                new SearchSourceBuilder()
                    .ext(
                        List.of(
                            new CrossModalExtBuilder(false, true, 0)
                                .onTheGround("site.footprint"))))
            .setQuery(all(WORDS))
            .addRescorer(fusion(WORDS), 10)
            .setFetchSource(randomBoolean())
            .get();
    assertEquals(5, response.getHits().getHits().length);
    int placed = 0;
    for (SearchHit hit : response.getHits()) {
      assertSurvivesTheWire(hit.field(DetailsFetchPhase.FIELD));
      Map<String, Object> heatMap = (Map<String, Object>) described(hit).get("heat_map");
      int grid = (int) number(heatMap, "grid");
      if (!heatMap.containsKey("geo")) {
        assertTrue(
            heatMap.toString(),
            String.valueOf(heatMap.get("geo_unavailable"))
                .matches(
                    "the document has no footprint in field \\[site.footprint\\]|.*is no"
                        + " quadrilateral.*it is a point"));
        continue;
      }
      placed++;
      List<Map<String, Object>> features =
          (List<Map<String, Object>>) ((Map<String, Object>) heatMap.get("geo")).get("features");
      assertEquals((long) grid * grid, features.size());
      List<float[]> weights = (List<float[]>) heatMap.get("weights");
      for (int patch = 0; patch < features.size(); patch++) {
        Map<String, Object> shape = (Map<String, Object>) features.get(patch).get("geometry");
        List<List<Double>> ring = ((List<List<List<Double>>>) shape.get("coordinates")).get(0);
        assertEquals(10 + 2.0 * (patch % grid) / grid, ring.get(0).get(0), 1e-6);
        int row = patch / grid;
        assertEquals(51 - (double) row / grid, ring.get(0).get(1), 1e-6);
        Map<String, Object> properties =
            (Map<String, Object>) features.get(patch).get("properties");
        List<Float> own = (List<Float>) properties.get("weights");
        for (int word = 0; word < weights.size(); word++) {
          assertEquals(weights.get(word)[patch], own.get(word), 0);
        }
      }
    }
    assertEquals(3, placed);
  }
}
