/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;


import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.details.DetailsExtBuilder;
import io.crossmodal.plugin.inference.InferenceStats.Counter;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.rescore.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.FusionScoreMode;
import io.crossmodal.plugin.rescore.MissingPolicy;
import io.crossmodal.plugin.rescore.RescoreReport;
import io.crossmodal.plugin.rescore.ScoreCombiner;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.index.query.BoolQueryBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.index.query.functionscore.ScoreFunctionBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.SearchHit;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.OpenSearchIntegTestCase;

/** One window over all shards, on three nodes: the same documents in 1, 3 and 7 shards. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class GlobalWindowIT extends OpenSearchIntegTestCase {
  private static final int PICTURES = 40;
  private static final int BARE = 6;
  private static final int WINDOW = 16;
  private static final List<Integer> SHARDS = List.of(1, 3, 7);
  private static final QuerySide WORDS = QuerySide.text("a pond beside a road");
  private static final float TOLERANCE = 1e-5f;

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(MicroModelPlugin.class);
  }

  private static long total(Counter counter) {
    long total = 0;
    for (ModelService service : internalCluster().getInstances(ModelService.class)) {
      total += service.stats().get(counter);
    }
    return total;
  }

  private static String index(int shards) {
    return "pictures" + shards;
  }

  /** The same documents in an index of each number of shards. */
  private void indexAll() {
    List<String> documents = new ArrayList<>();
    for (int i = 0; i < PICTURES + BARE; i++) {
      String image =
          i < PICTURES
              ? ",\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}"
              : "";
      documents.add(
          "{\"label\":\"l"
              + i % 3
              + "\",\"rank\":"
              + (100 - i)
              + ",\"words\":\"pond\""
              + image
              + "}");
    }
    for (int shards : SHARDS) {
      prepareCreate(index(shards))
          .setSettings(
              Settings.builder().put("number_of_shards", shards).put("number_of_replicas", 1))
          .setMapping(
              "{\"properties\":{\"image\":{\"type\":\"cross_modal\"},"
                  + "\"label\":{\"type\":\"keyword\"},\"rank\":{\"type\":\"integer\"},"
                  + "\"words\":{\"type\":\"text\"}}}")
          .get();
      BulkRequestBuilder bulk = client().prepareBulk();
      for (int i = 0; i < documents.size(); i++) {
        bulk.add(
            client()
                .prepareIndex(index(shards))
                .setId(Integer.toString(i))
                .setSource(documents.get(i), XContentType.JSON));
      }
      BulkResponse response = bulk.get();
      assertFalse(response.buildFailureMessage(), response.hasFailures());
      refresh(index(shards));
    }
    ensureGreen();
  }

  private static FusionRescorerBuilder fusion(FusionOptions options) {
    return new FusionRescorerBuilder("image", WORDS, options);
  }

  private static FusionOptions options(
      FusionScoreMode mode, MissingPolicy missing, FailurePolicy onFailure, int filterSize) {
    return new FusionOptions(
        mode == FusionScoreMode.REPLACE
            ? new ScoreCombiner(mode, 1, 1)
            : new ScoreCombiner(mode, 0.5f, 2),
        missing,
        onFailure,
        null,
        filterSize);
  }

  /** All documents, the bare ones among the first; scores are the same in every shard. */
  private static QueryBuilder everything() {
    return QueryBuilders.functionScoreQuery(
        new BoolQueryBuilder()
            .should(new CrossModalQueryBuilder("image", WORDS, 100, null).boost(0.1f))
            .should(QueryBuilders.matchAllQuery()),
        ScoreFunctionBuilders.scriptFunction(
            new org.opensearch.script.Script(
                org.opensearch.script.ScriptType.INLINE, "expression", "1", Map.of())));
  }

  private static QueryBuilder knn() {
    return new CrossModalQueryBuilder("image", WORDS, 100, null);
  }

  private static SearchRequestBuilder search(String index, QueryBuilder query, int window) {
    return client()
        .prepareSearch(index)
        .setSource(
            new SearchSourceBuilder().ext(List.of(new DetailsExtBuilder(false, false, window))))
        .setQuery(query)
        .setSize(10);
  }

  private static List<RescoreReport> reports(SearchResponse response) {
    for (SearchExtBuilder ext : response.getInternalResponse().getSearchExtBuilders()) {
      if (ext instanceof RescoreReportExt found) {
        return found.reports();
      }
    }
    throw new AssertionError("no report: " + response);
  }

  private static void assertSameHits(SearchResponse expected, SearchResponse found) {
    assertEquals(found.toString(), 0, found.getFailedShards());
    SearchHit[] first = expected.getHits().getHits();
    SearchHit[] second = found.getHits().getHits();
    assertEquals(first.length, second.length);
    for (int i = 0; i < first.length; i++) {
      assertEquals(i + ": " + found, first[i].getId(), second[i].getId());
      assertEquals(first[i].getId(), first[i].getScore(), second[i].getScore(), TOLERANCE);
    }
    assertEquals(expected.getHits().getTotalHits().value(), found.getHits().getTotalHits().value());
    assertEquals(found.getHits().getAt(0).getScore(), found.getHits().getMaxScore(), 0);
  }

  public void testResultDoesNotDependOnTheNumberOfShards() {
    indexAll();
    for (FusionScoreMode mode : FusionScoreMode.values()) {
      for (int filterSize : new int[] {0, 5}) {
        FusionOptions options =
            options(
                mode,
                randomFrom(MissingPolicy.KEEP_FIRST_PASS, MissingPolicy.SCORE_ZERO),
                FailurePolicy.FAIL,
                filterSize);
        SearchResponse one = null;
        for (int shards : SHARDS) {
          long pairs = total(Counter.PAIRS);
          SearchResponse response =
              search(index(shards), knn(), WINDOW).addRescorer(fusion(options), 3).get();
          assertEquals(
              mode + " on " + shards,
              filterSize == 0 ? WINDOW : filterSize,
              total(Counter.PAIRS) - pairs);
          one = one == null ? response : one;
          assertSameHits(one, response);
          RescoreReport report = reports(response).get(0);
          assertTrue(report.global());
          assertEquals(WINDOW, report.hits());
          assertEquals(filterSize == 0 ? WINDOW : filterSize, report.rescored());
          assertEquals(List.of(), report.degraded());
          assertEquals(TestModels.ID, report.model());
          assertTrue(report.toString(), report.times().model() > 0);
        }
      }
    }
  }
}
