/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.RescoreReportExt;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.ScoreCombiner;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.action.search.SearchType;
import org.opensearch.action.search.ShardSearchFailure;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.SearchHit;
import org.opensearch.search.SearchService;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.tasks.CancellableTask;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.test.transport.MockTransportService;
import org.opensearch.transport.Netty4ModulePlugin;
import org.opensearch.transport.NodeNotConnectedException;
import org.opensearch.transport.TransportChannel;
import org.opensearch.transport.TransportService;

/** One window over all shards, on three nodes: the same documents in 1, 3 and 7 shards. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class GlobalWindowIT extends ClusterTestCase {
  private static final int PICTURES = 40;
  private static final int WINDOW = 16;
  private static final List<Integer> SHARDS = List.of(1, 3, 7);
  private static final QuerySource WORDS = new QuerySource.Text("a pond beside a road");
  private static final float TOLERANCE = 1e-5f;

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(
        MicroModelPlugin.class, Netty4ModulePlugin.class, MockTransportService.TestPlugin.class);
  }

  private static String index(int shards) {
    return "pictures" + shards;
  }

  private static List<String> documents() {
    List<String> documents = new ArrayList<>();
    for (int i = 0; i < PICTURES; i++) {
      documents.add(
          "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}");
    }
    return documents;
  }

  private void index(List<String> documents, int shards, int replicas) {
    prepareCreate(index(shards))
        .setSettings(
            Settings.builder().put("number_of_shards", shards).put("number_of_replicas", replicas))
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
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
    ensureGreen(index(shards));
  }

  private static FusionRescorerBuilder fusion(FusionOptions options) {
    return new FusionRescorerBuilder("image", WORDS, options);
  }

  private static FusionOptions options(
      FusionScoreMode mode, MissingPolicy missing, FailurePolicy onFailure, int filterSize) {
    return new FusionOptions(
        mode == FusionScoreMode.REPLACE
            ? new ScoreCombiner(mode, 1, 1)
            // Heavy enough that no hit behind the window overtakes one in it: but for replace,
            // shards
            // are merged by score as after core's rescorer.
            : new ScoreCombiner(mode, 0.5f, 8),
        missing,
        onFailure,
        null,
        filterSize);
  }

  private static QueryBuilder knn() {
    return new CrossModalQueryBuilder("image", WORDS, 100, null);
  }

  private static SearchRequestBuilder search(String index, QueryBuilder query, int window) {
    return client()
        .prepareSearch(index)
        .setSource(
            new SearchSourceBuilder().ext(List.of(new CrossModalExtBuilder(false, false, window))))
        .setSearchType(SearchType.QUERY_THEN_FETCH)
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
    List<String> documents = documents();
    SHARDS.forEach(shards -> index(documents, shards, 1));
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

  /** Between a shard's first answer and its scores its node is not reached any more. */
  public void testANodeThatIsLostInTheMiddle() {
    index(documents(), 7, 0);
    String coordinator = internalCluster().getNodeNames()[0];
    String lost = internalCluster().getNodeNames()[1];
    MockTransportService transport =
        (MockTransportService) internalCluster().getInstance(TransportService.class, coordinator);
    DiscoveryNode node = internalCluster().getInstance(ClusterService.class, lost).localNode();
    transport.addSendBehavior(
        (connection, requestId, action, request, options) -> {
          if (action.equals(SearchTransportService.QUERY_ID_ACTION_NAME)
              && connection.getNode().equals(node)) {
            throw new NodeNotConnectedException(node, "lost");
          }
          connection.sendRequest(requestId, action, request, options);
        });
    try {
      // Whatever the policy: there is nobody to fetch the first pass's hits from.
      for (FailurePolicy onFailure : FailurePolicy.values()) {
        assertShardsFailed(searchFrom(coordinator, onFailure));
      }
    } finally {
      transport.clearAllRules();
    }
  }

  /** Failed shards have no hits, the others have theirs, rescored. */
  private static void assertShardsFailed(SearchResponse response) {
    assertTrue(response.toString(), response.getFailedShards() > 0);
    RescoreReport report = reports(response).get(0);
    assertTrue(report.toString(), report.rescored() > 0);
    assertEquals(report.rescored(), scoredByFusion(response));
    for (ShardSearchFailure failure : response.getShardFailures()) {
      assertThat(failure.reason(), containsString("could not rescore its part"));
      // A shard of that node which has no part in the window is not asked, and may fill the page.
      for (SearchHit hit : response.getHits()) {
        assertNotEquals(failure.shardId(), hit.getShard().getShardId().id());
      }
    }
  }

  /**
   * Core frees the reader of a shard whose second query fails, and the hits of the first with it.
   */
  public void testAShardThatRefusesTheSecondRound() {
    index(documents(), 7, 0);
    String coordinator = internalCluster().getNodeNames()[0];
    String busy = internalCluster().getNodeNames()[1];
    SearchService shards = internalCluster().getInstance(SearchService.class, busy);
    MockTransportService transport =
        (MockTransportService) internalCluster().getInstance(TransportService.class, busy);
    transport.addRequestHandlingBehavior(
        SearchTransportService.QUERY_ID_ACTION_NAME,
        (handler, request, channel, task) -> {
          shards.freeReaderContext(((QuerySearchRequest) request).contextId());
          channel.sendResponse(new OpenSearchRejectedExecutionException("its queue is full"));
        });
    try {
      for (FailurePolicy onFailure : FailurePolicy.values()) {
        SearchResponse response = searchFrom(coordinator, onFailure);
        assertShardsFailed(response);
        for (ShardSearchFailure failure : response.getShardFailures()) {
          assertEquals(failure.toString(), RestStatus.TOO_MANY_REQUESTS, failure.status());
        }
      }
    } finally {
      transport.clearAllRules();
    }
  }

  /** A shard that does not answer the second round is given up, and its query is taken back. */
  public void testAShardThatDoesNotAnswerTheSecondRound() throws Exception {
    index(documents(), 7, 0);
    String coordinator = internalCluster().getNodeNames()[0];
    String silent = internalCluster().getNodeNames()[1];
    Queue<Asked> asked = new ConcurrentLinkedQueue<>();
    MockTransportService transport =
        (MockTransportService) internalCluster().getInstance(TransportService.class, silent);
    transport.addRequestHandlingBehavior(
        SearchTransportService.QUERY_ID_ACTION_NAME,
        (handler, request, channel, task) -> asked.add(new Asked((CancellableTask) task, channel)));
    try {
      SearchRequestBuilder search =
          request(
              coordinator,
              new FusionOptions(
                  new ScoreCombiner(FusionScoreMode.REPLACE, 1, 1),
                  MissingPolicy.KEEP_FIRST_PASS,
                  FailurePolicy.FAIL,
                  TimeValue.timeValueSeconds(2),
                  0));
      SearchResponse response = search.get();
      assertTrue(response.toString(), response.getFailedShards() > 0);
      assertFalse(asked.isEmpty());
      assertBusy(() -> asked.forEach(one -> assertTrue(one.toString(), one.task().isCancelled())));
    } finally {
      transport.clearAllRules();
      for (Asked one : asked) {
        one.channel().sendResponse(new TaskCancelledException("cancelled"));
      }
    }
  }

  /** A second query on the shard's node, and who waits for its answer. */
  private record Asked(CancellableTask task, TransportChannel channel) {}

  private static SearchResponse searchFrom(String coordinator, FailurePolicy onFailure) {
    return request(
            coordinator,
            options(FusionScoreMode.REPLACE, MissingPolicy.KEEP_FIRST_PASS, onFailure, 0))
        .get();
  }

  private static SearchRequestBuilder request(String coordinator, FusionOptions options) {
    return client(coordinator)
        .prepareSearch(index(7))
        .setSource(
            new SearchSourceBuilder().ext(List.of(new CrossModalExtBuilder(false, false, WINDOW))))
        .setSearchType(SearchType.QUERY_THEN_FETCH)
        .setAllowPartialSearchResults(true)
        .setQuery(knn())
        .setSize(WINDOW)
        .addRescorer(fusion(options), WINDOW);
  }

  private static long scoredByFusion(SearchResponse response) {
    return Arrays.stream(response.getHits().getHits()).filter(hit -> hit.getScore() >= 1).count();
  }
}
