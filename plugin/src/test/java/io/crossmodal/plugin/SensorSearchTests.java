/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestTiffs;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.DetailsFetchPhase;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** Radar and optical tiles in one field: one list, one scale, and what is no tile. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class SensorSearchTests extends OpenSearchSingleNodeTestCase {
  private static final List<String> SENSORS = List.of("s1", "s2");
  private static final ModelConfig CONFIG = TestModels.sensors().manifest().config();
  private static final int TILES = 12;
  private static final float TOLERANCE = 1e-5f;

  private static final List<SensorCalibration> CALIBRATIONS =
      List.of(
          new SensorCalibration("s1", "s1", 3, -4),
          new SensorCalibration("s1", "s2", 9, -3),
          new SensorCalibration("s2", "s1", 4, -1),
          new SensorCalibration("s2", "s2", 2, 1));

  /**
   * Patches of radar are alike by nature: 0.9 among them says less than 0.4 with an optical one.
   */
  private static final List<SensorCalibration> MAX_SIMS =
      List.of(
          new SensorCalibration("s1", "s1", 40, -36),
          new SensorCalibration("s1", "s2", 20, -7),
          new SensorCalibration("s2", "s2", 30, -9));

  /**
   * A model of sensors alone that is calibrated, of MaxSim for radar queries only, and one that is
   * not.
   */
  public static final class SensorsPlugin extends CrossModalPlugin {
    public SensorsPlugin() {
      super(SensorsPlugin::models);
    }

    private static List<ModelBundle> models() {
      return List.of(
          TestModels.sensors().withSensorCalibrations(CALIBRATIONS, MAX_SIMS),
          TestModels.sensors().withId("uncalibrated"));
    }
  }

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(SensorsPlugin.class);
  }

  private static byte[] tile(String sensor) {
    return TestModels.geoTiff(random(), CONFIG.sensor(sensor), 20);
  }

  private static QuerySource query(String sensor) {
    return new QuerySource.Image(tile(sensor), sensor);
  }

  private void put(String index, String id, String sensor, byte[] tile) {
    client()
        .prepareIndex(index)
        .setId(id)
        .setSource(
            String.format(
                Locale.ROOT,
                "{\"image\":{\"bytes\":\"%s\",\"sensor\":\"%s\"},\"sensor\":\"%2$s\"}",
                TestModels.base64(tile),
                sensor),
            XContentType.JSON)
        .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
        .get();
  }

  private void create(String index, String model) {
    client()
        .admin()
        .indices()
        .prepareCreate(index)
        .setMapping(
            "{\"properties\":{\"sensor\":{\"type\":\"keyword\"},"
                + "\"image\":{\"type\":\"cross_modal\",\"model\":\""
                + model
                + "\"}}}")
        .get();
    for (int i = 0; i < TILES; i++) {
      String sensor = SENSORS.get(i % 2);
      put(index, sensor + "-" + i, sensor, tile(sensor));
    }
  }

  private SearchRequestBuilder search(String index, QueryBuilder query) {
    return client().prepareSearch(index).setQuery(query).setSize(100);
  }

  private Map<String, Float> scores(String index, QueryBuilder query) {
    Map<String, Float> scores = new HashMap<>();
    for (SearchHit hit : search(index, query).get().getHits()) {
      scores.put(hit.getId(), hit.getScore());
    }
    return scores;
  }

  private static CrossModalQueryBuilder knn(QuerySource side, int k, Boolean calibrate) {
    return new CrossModalQueryBuilder("image", side, k, null, calibrate);
  }

  private static float expected(String sensor, String id, float score) {
    return CALIBRATIONS.stream()
        .filter(pair -> pair.query().equals(sensor) && id.startsWith(pair.archive()))
        .findFirst()
        .orElseThrow()
        .probability(2 * score - 1);
  }

  public void testHitsOfAllSensorsAreProbabilitiesOfOneList() {
    create("tiles", "sensors");
    String sensor = randomFrom(SENSORS);
    QuerySource side = query(sensor);
    Map<String, Float> cosines = scores("tiles", knn(side, TILES, false));
    assertEquals(TILES, cosines.size());
    SearchHit[] hits =
        search("tiles", knn(side, TILES, randomFrom(true, null)))
            .setExplain(true)
            .get()
            .getHits()
            .getHits();
    assertEquals(TILES, hits.length);
    float before = 1;
    for (SearchHit hit : hits) {
      assertEquals(
          expected(sensor, hit.getId(), cosines.get(hit.getId())), hit.getScore(), TOLERANCE);
      assertTrue(hit.getScore() <= before);
      before = hit.getScore();
      assertEquals(hit.getScore(), hit.getExplanation().getValue().floatValue(), TOLERANCE);
      assertThat(
          hit.getExplanation().toString(),
          containsString(
              "calibrated from sensor [" + sensor + "] to [" + hit.getId().substring(0, 2) + "]"));
    }

    // However near the one sensor is, the other has its k hits.
    Map<String, Float> few = scores("tiles", knn(side, 3, null));
    for (String each : SENSORS) {
      List<Float> nearest =
          cosines.entrySet().stream()
              .filter(hit -> hit.getKey().startsWith(each))
              .map(Map.Entry::getValue)
              .sorted(Comparator.reverseOrder())
              .limit(3)
              .toList();
      List<Float> found =
          few.keySet().stream()
              .filter(id -> id.startsWith(each))
              .map(cosines::get)
              .sorted(Comparator.reverseOrder())
              .toList();
      assertEquals(nearest, found);
    }
  }

  public void testFilterAndBoostBySensor() {
    create("tiles", "sensors");
    QuerySource side = query("s1");
    Map<String, Float> all = scores("tiles", knn(side, TILES, null));
    Map<String, Float> optical =
        scores(
            "tiles",
            new CrossModalQueryBuilder(
                "image", side, TILES, QueryBuilders.termQuery("sensor", "s2")));
    assertEquals(TILES / 2, optical.size());
    optical.forEach(
        (id, score) -> {
          assertTrue(id, id.startsWith("s2"));
          assertEquals(all.get(id), score, TOLERANCE);
        });
    Map<String, Float> boosted =
        scores(
            "tiles",
            QueryBuilders.boolQuery()
                .must(knn(side, TILES, null).boost(2))
                .should(
                    QueryBuilders.constantScoreQuery(QueryBuilders.termQuery("sensor", "s2"))
                        .boost(3)));
    boosted.forEach(
        (id, score) ->
            assertEquals(2 * all.get(id) + (id.startsWith("s2") ? 3 : 0), score, TOLERANCE));
  }

  public void testADocumentIsAQueryOfItsSensor() {
    create("tiles", "sensors");
    byte[] tile = tile("s2");
    put("tiles", "s2-own", "s2", tile);
    Map<String, Float> byImage = scores("tiles", knn(new QuerySource.Image(tile, "s2"), 100, true));
    Map<String, Float> byId =
        scores(
            "tiles",
            knn(new QuerySource.Document("s2-own", null, null), 100, randomFrom(true, null)));
    assertEquals(byImage.keySet(), byId.keySet());
    byImage.forEach((id, score) -> assertEquals(id, score, byId.get(id), TOLERANCE));
    // A vector has no sensor, so it finds by cosine.
    float[] vector = TestModels.vector(random(), CONFIG.embeddingDimension());
    assertEquals(5, scores("tiles", new CrossModalQueryBuilder("image", vector, 5, null)).size());
  }

  /**
   * An image whose n-th patch has a cosine of so much with the n-th of the query's, 0 with others.
   */
  private static TokenBlock tokens(double cosine) {
    int count = CONFIG.imageTokens(CONFIG.sensor("s1"));
    int hidden = CONFIG.hidden();
    float[] values = new float[count * hidden];
    // Class tokens point to the other side: MaxSim leaves them out.
    values[hidden - 1] = (float) (1 - 2 * cosine);
    for (int n = 1; n < count; n++) {
      // The query keeps to the first half of the axes.
      int axis = n % (hidden / 2);
      double length = 0.5 + n;
      values[n * hidden + axis] = (float) (length * cosine);
      values[n * hidden + hidden / 2 + axis] = (float) (length * Math.sqrt(1 - cosine * cosine));
    }
    return new TokenBlock(count, hidden, values);
  }

  /** As the field stores it. */
  private static byte[] block(TokenBlock tokens) {
    return TokenBlockFormat.write(
        tokens, TokenEncoding.FP16, TestModels.sensors().manifest().fingerprints().tokenSpace());
  }

  /** By sensor and number of the place; place 0 is the query's. */
  private static final Map<String, Double> PLACES =
      Map.of(
          "s1-0", 0.95, "s1-1", 0.85, "s1-2", 0.8, "s1-3", 0.75, "s1-4", 0.7, //
          "s2-0", 0.5, "s2-1", 0.25, "s2-2", 0.2, "s2-3", 0.15, "s2-4", 0.1);

  private void createPlaces(int shards) {
    client()
        .admin()
        .indices()
        .prepareCreate("places")
        .setSettings(
            Settings.builder().put("number_of_shards", shards).put("number_of_replicas", 0))
        .setMapping(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"sensors\","
                + "\"tokens\":\"fp16\"}}}")
        .get();
    PLACES.forEach((id, cosine) -> putTokens(id, tokens(cosine)));
    for (String sensor : SENSORS) {
      putTokens(sensor + "-query", tokens(1));
    }
    client().admin().indices().prepareRefresh("places").get();
  }

  private void putTokens(String id, TokenBlock tokens) {
    client()
        .prepareIndex("places")
        .setId(id)
        .setSource(
            String.format(
                Locale.ROOT,
                "{\"image\":{\"sensor\":\"%s\",\"embedding\":%s,\"tokens\":\"%s\"}}",
                id.substring(0, 2),
                Arrays.toString(TestModels.vector(random(), CONFIG.embeddingDimension())),
                TestModels.base64(block(tokens))),
            XContentType.JSON)
        .get();
  }

  /** All places but the query's own document, re-ranked by it, best first. */
  private SearchHit[] rescored(String sensor, Boolean calibrate, int globalWindow) {
    QuerySource side = new QuerySource.Document(sensor + "-query", null, null);
    return client()
        .prepareSearch("places")
        .setSource(
            new SearchSourceBuilder()
                .ext(List.of(new CrossModalExtBuilder(true, false, globalWindow))))
        .setQuery(
            QueryBuilders.boolQuery()
                .must(QueryBuilders.matchAllQuery())
                .mustNot(QueryBuilders.idsQuery().addIds("s1-query", "s2-query")))
        .addRescorer(
            new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT, calibrate), 100)
        .setSize(PLACES.size())
        .setExplain(globalWindow == 0)
        .get()
        .getHits()
        .getHits();
  }

  private static List<String> ids(SearchHit[] hits) {
    return Arrays.stream(hits).map(SearchHit::getId).toList();
  }

  /** MaxSim by the plain formula, of tokens as they are stored. */
  private static float maxSim(String id) {
    byte[] query = block(tokens(1));
    byte[] document = block(tokens(PLACES.get(id)));
    return TestModels.maxSim(
        TokenBlockFormat.read(query, 0, query.length),
        TokenBlockFormat.read(document, 0, document.length));
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> details(SearchHit hit) {
    return (Map<String, Object>) hit.field(DetailsFetchPhase.FIELD).getValue();
  }

  /** The point of calibrating MaxSim: by itself it puts all of one sensor first. */
  public void testPartnersOfBothSensorsStandAboveAllOthers() {
    int shards = randomIntBetween(1, 3);
    createPlaces(shards);
    SearchHit[] plain = rescored("s1", false, 0);
    assertEquals(
        List.of("s1-0", "s1-1", "s1-2", "s1-3", "s1-4", "s2-0", "s2-1", "s2-2", "s2-3", "s2-4"),
        ids(plain));
    for (SearchHit hit : plain) {
      assertEquals(1 + (1 + maxSim(hit.getId())) / 2, hit.getScore(), TOLERANCE);
      assertThat(hit.getExplanation().toString(), containsString(": (1 + max_sim) / 2"));
      assertFalse(details(hit).containsKey("scale"));
    }

    SearchHit[] hits = rescored("s1", randomFrom(true, null), 0);
    assertEquals(Set.of("s1-0", "s2-0"), Set.copyOf(ids(hits).subList(0, 2)));
    for (SearchHit hit : hits) {
      String sensor = hit.getId().substring(0, 2);
      double logit =
          sensor.equals("s1") ? 40 * maxSim(hit.getId()) - 36 : 20 * maxSim(hit.getId()) - 7;
      double p = 1 / (1 + Math.exp(-logit));
      assertEquals(hit.getId(), 1 + p, hit.getScore(), 1e-4);
      assertEquals(hit.getScore(), hit.getExplanation().getValue().floatValue(), TOLERANCE);
      assertThat(
          hit.getExplanation().toString(),
          containsString(
              "calibrated from sensor [s1] to [" + sensor + "]: sigmoid(scale * max_sim + bias)"));
      assertEquals(p, ((Number) details(hit).get("p")).doubleValue(), 1e-4);
      assertEquals(
          maxSim(hit.getId()), ((Number) details(hit).get("max_sim")).floatValue(), TOLERANCE);
      assertEquals("s1", details(hit).get("query_sensor"));
      assertEquals(sensor, details(hit).get("sensor"));
      assertTrue(details(hit).containsKey("scale") && details(hit).containsKey("bias"));
    }
    // Chosen by the coordinating node, they score the same.
    SearchHit[] global = rescored("s1", null, PLACES.size());
    assertEquals(ids(hits), ids(global));
    for (int i = 0; i < hits.length; i++) {
      assertEquals(hits[i].getScore(), global[i].getScore(), TOLERANCE);
    }
  }

  /** Of all pairs or of none: p and (1 + MaxSim) / 2 are two scales. */
  public void testAWindowIsCalibratedForAllSensorsOrForNone() {
    createPlaces(1);
    for (SearchHit hit : rescored("s2", randomFrom(false, null), 0)) {
      assertEquals(1 + (1 + maxSim(hit.getId())) / 2, hit.getScore(), TOLERANCE);
    }
    refused(
        "got [query_id]: model [sensors] has none of MaxSim for this query",
        () -> rescored("s2", true, 0));

    // Nor where tokens are pooled, on either side, or in one of several indices.
    client()
        .admin()
        .indices()
        .prepareCreate("pooled")
        .setMapping(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"sensors\","
                + "\"token_pooling\":2}}}")
        .get();
    byte[] tile = tile("s1");
    put("pooled", "s1-tile", "s1", tile);
    QuerySource byImage = new QuerySource.Image(tile, "s1");
    QuerySource byDocument = new QuerySource.Document("s1-tile", "pooled", null);
    assertCalibrated(true, byImage, "places");
    assertCalibrated(false, byImage, "pooled");
    assertCalibrated(false, byImage, "places", "pooled");
    assertCalibrated(false, byDocument, "places");
  }

  private void assertCalibrated(boolean expected, QuerySource side, String... indices) {
    SearchHit[] hits =
        client()
            .prepareSearch(indices)
            .setQuery(QueryBuilders.matchAllQuery())
            .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 100)
            .setExplain(true)
            .setSize(100)
            .get()
            .getHits()
            .getHits();
    assertTrue(hits.length > 0);
    for (SearchHit hit : hits) {
      String explanation = hit.getExplanation().toString();
      assertEquals(explanation, expected, explanation.contains("calibrated from sensor [s1]"));
      assertEquals(explanation, expected, !explanation.contains("(1 + max_sim) / 2"));
    }
  }

  /** kNN by calibrated scores, then late interaction, whose order holds. */
  public void testCalibratedHitsAreRescored() {
    create("tiles", "sensors");
    byte[] tile = tile("s1");
    put("tiles", "s1-own", "s1", tile);
    QuerySource side = new QuerySource.Image(tile, "s1");
    SearchHit[] hits =
        search("tiles", knn(side, 100, null))
            .addRescorer(
                new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT, false), 100)
            .get()
            .getHits()
            .getHits();
    assertEquals(TILES + 1, hits.length);
    for (SearchHit hit : hits) {
      if (hit.getId().equals("s1-own")) {
        assertEquals("every patch finds itself", 2, hit.getScore(), 1e-3);
      }
    }
    assertTrue(Arrays.stream(hits).allMatch(hit -> hit.getScore() >= 1));
  }

  private void refused(String message, ThrowingRunnable action) {
    Exception e = expectThrows(Exception.class, action);
    assertEquals(
        e.toString(),
        RestStatus.BAD_REQUEST,
        ExceptionsHelper.status(ExceptionsHelper.unwrapCause(e)));
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }

  public void testWhatCannotBeCalibratedIsRefused() {
    create("plain", "uncalibrated");
    QuerySource side = query("s1");
    refused(
        "got [query_image]: model [uncalibrated] has no calibrations for this query",
        () -> scores("plain", knn(side, 5, true)));
    // And by default hits are found as ever.
    Map<String, Float> byDefault = scores("plain", knn(side, 5, null));
    assertEquals(5, byDefault.size());
    assertEquals(scores("plain", knn(side, 5, false)), byDefault);
  }

  public void testWhatIsNoTileIsRefused() {
    create("tiles", "sensors");
    byte[] radar = tile("s1");
    for (boolean rescore : new boolean[] {true, false}) {
      refused("[query_image]: ", () -> ask(rescore, new QuerySource.Image(radar, "s2")));
      refused(
          "unknown sensor [s3], this model has [s1, s2]",
          () -> ask(rescore, new QuerySource.Image(radar, "s3")));
      refused(
          "[sensor] is missing, this model has [s1, s2]",
          () -> ask(rescore, new QuerySource.Image(radar, null)));
      refused("knows no text, it encodes images of [s1, s2]", () -> ask(rescore, words()));
      refused("[query_image]: ", () -> ask(rescore, new QuerySource.Image(undefined(), "s1")));
    }
    refused("image", () -> put("tiles", "wrong", "s2", radar));
    refused("unknown sensor [s3]", () -> put("tiles", "wrong", "s3", radar));
    refused("image", () -> put("tiles", "wrong", "s1", undefined()));
    refused(
        "[sensor] is missing, this model has [s1, s2]",
        () ->
            client()
                .prepareIndex("tiles")
                .setSource(
                    "{\"image\":{\"embedding\":" + "[1,0,0,0,0,0,0,0]" + "}}", XContentType.JSON)
                .get());
  }

  private static QuerySource words() {
    return new QuerySource.Text("a pond");
  }

  private void ask(boolean rescore, QuerySource side) {
    if (rescore) {
      search("tiles", QueryBuilders.matchAllQuery())
          .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 5)
          .get();
    } else {
      scores("tiles", knn(side, 5, null));
    }
  }

  /** Half of its pixels are no numbers. */
  private static byte[] undefined() {
    float[] values = new float[2 * 20 * 20];
    Arrays.fill(values, 0, 400, Float.NaN);
    return TestTiffs.write(new BandImage(2, 20, 20, values));
  }
}
