/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.GeoTiffWriter;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
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

  /** A model of sensors alone that is calibrated, and one that is not. */
  public static final class SensorsPlugin extends CrossModalPlugin {
    public SensorsPlugin() {
      super(SensorsPlugin::models);
    }

    private static List<ModelBundle> models() {
      return List.of(
          TestModels.sensors().withSensorCalibrations(CALIBRATIONS, List.of()),
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

  private static QuerySide query(String sensor) {
    return QuerySide.image(tile(sensor), sensor);
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

  private static CrossModalQueryBuilder knn(QuerySide side, int k, Boolean calibrate) {
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
    QuerySide side = query(sensor);
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
    QuerySide side = query("s1");
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
    Map<String, Float> byImage = scores("tiles", knn(QuerySide.image(tile, "s2"), 100, true));
    Map<String, Float> byId =
        scores("tiles", knn(QuerySide.document("s2-own", null, null), 100, randomFrom(true, null)));
    assertEquals(byImage.keySet(), byId.keySet());
    byImage.forEach((id, score) -> assertEquals(id, score, byId.get(id), TOLERANCE));
    // A vector has no sensor, so it finds by cosine.
    float[] vector = TestModels.vector(random(), CONFIG.filterDimension());
    assertEquals(5, scores("tiles", new CrossModalQueryBuilder("image", vector, 5, null)).size());
  }

  /** kNN by calibrated scores, then late interaction, whose order holds. */
  public void testCalibratedHitsAreRescored() {
    create("tiles", "sensors");
    byte[] tile = tile("s1");
    put("tiles", "s1-own", "s1", tile);
    QuerySide side = QuerySide.image(tile, "s1");
    SearchHit[] hits =
        search("tiles", knn(side, 100, null))
            .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 100)
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
    QuerySide side = query("s1");
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
      refused("[query_image]: ", () -> ask(rescore, QuerySide.image(radar, "s2")));
      refused(
          "unknown sensor [s3], this model has [s1, s2]",
          () -> ask(rescore, QuerySide.image(radar, "s3")));
      refused(
          "[sensor] is missing, this model has [s1, s2]",
          () -> ask(rescore, QuerySide.image(radar, null)));
      refused("knows no text, it encodes images of [s1, s2]", () -> ask(rescore, words()));
      refused("[query_image]: ", () -> ask(rescore, QuerySide.image(undefined(), "s1")));
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

  private static QuerySide words() {
    return QuerySide.text("a pond");
  }

  private void ask(boolean rescore, QuerySide side) {
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
    return GeoTiffWriter.write(
        new BandImage(2, 20, 20, values), GeoTiffWriter.Values.FLOAT32, null);
  }
}
