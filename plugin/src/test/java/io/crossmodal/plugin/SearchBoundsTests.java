/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.action.EncodeAction;
import io.crossmodal.plugin.action.EncodeRequest;
import io.crossmodal.plugin.action.EncodeResponse;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.search.SearchAction;
import org.opensearch.action.search.SearchPhaseExecutionException;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.action.ActionFuture;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.core.indices.breaker.CircuitBreakerService;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** What ends a rescore before the model has answered: time, a user, memory. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class SearchBoundsTests extends OpenSearchSingleNodeTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final QuerySource WORDS = new QuerySource.Text("a pond");
  private static final int IMAGES = 5;
  private static final int SEARCH_THREADS = 4;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  @Override
  public void tearDown() throws Exception {
    set(
        Settings.builder()
            .putNull(CrossModalSettings.BATCH_WAIT.getKey())
            .putNull(CrossModalSettings.LONGEST_WAIT.getKey())
            .putNull(CrossModalSettings.QUEUE_SIZE.getKey())
            .putNull(CrossModalSettings.MAX_WINDOW.getKey())
            .putNull(CrossModalSettings.MAX_HEAT_MAPS.getKey())
            .putNull("cluster.search.enabled_system_generated_factories")
            .putNull("indices.breaker.request.limit")
            .putNull("breaker.cross_modal.limit"));
    super.tearDown();
  }

  private void set(Settings.Builder settings) {
    assertTrue(
        client()
            .admin()
            .cluster()
            .prepareUpdateSettings()
            .setTransientSettings(settings)
            .get()
            .isAcknowledged());
  }

  @Override
  protected Settings nodeSettings() {
    return Settings.builder()
        .put(super.nodeSettings())
        .put("thread_pool.search.size", SEARCH_THREADS)
        .build();
  }

  /** Calls that are not full wait for company that never comes: a model that hangs. */
  private void hang() {
    set(Settings.builder().put(CrossModalSettings.BATCH_WAIT.getKey(), "1m"));
  }

  private long count(Counter counter) {
    return getInstanceFromNode(NodeInference.class).stats().get(counter);
  }

  private void index() {
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setSettings(Settings.builder().put("number_of_shards", 1).put("number_of_replicas", 0))
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
        .get();
    for (int i = 0; i < IMAGES; i++) {
      client()
          .prepareIndex("pictures")
          .setId(Integer.toString(i))
          .setSource(
              "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}",
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
  }

  private SearchRequestBuilder search(FailurePolicy onFailure, TimeValue timeout) {
    // The first encodes the query, which the others find in the cache.
    CrossModalQueryBuilder query = new CrossModalQueryBuilder("image", WORDS, 10, null);
    client().prepareSearch("pictures").setQuery(query).get();
    FusionOptions options =
        new FusionOptions(
            FusionOptions.DEFAULT.combiner(), MissingPolicy.KEEP_FIRST_PASS, onFailure, timeout, 0);
    return client()
        .prepareSearch("pictures")
        .setQuery(query)
        .addRescorer(new FusionRescorerBuilder("image", WORDS, options), IMAGES);
  }

  private static void assertFirstPass(SearchResponse response) {
    assertEquals(IMAGES, response.getHits().getHits().length);
    for (SearchHit hit : response.getHits()) {
      assertTrue("not rescored: " + hit.getScore(), hit.getScore() < 1);
    }
  }

  public void testTheSearchsTimeoutBoundsTheRescore() throws Exception {
    index();
    long degraded = count(Counter.DEGRADED);
    // Even where failures are errors: running out of the search's own time is none.
    SearchRequestBuilder search = search(FailurePolicy.FAIL, null);
    hang();
    SearchResponse response = search.setTimeout(TimeValue.timeValueSeconds(2)).get();
    assertTrue(response.isTimedOut());
    assertFirstPass(response);
    assertEquals(1, count(Counter.DEGRADED) - degraded);

    SearchPhaseExecutionException refused =
        expectThrows(
            SearchPhaseExecutionException.class,
            () -> search.setAllowPartialSearchResults(false).get());
    assertThat(ExceptionsHelper.stackTrace(refused), containsString("Time exceeded"));
    assertQueueIsEmpty();
  }

  /** Whoever waits is told first; the queue learns of it a moment later. */
  private void assertQueueIsEmpty() throws Exception {
    NodeInference service = getInstanceFromNode(NodeInference.class);
    assertBusy(() -> assertEquals(0, service.queued()));
  }

  private SearchRequestBuilder unknownWords() {
    return client()
        .prepareSearch("pictures")
        .setQuery(
            new CrossModalQueryBuilder(
                "image", new QuerySource.Text(randomAlphaOfLength(12)), 10, null));
  }

  public void testTheSearchsTimeoutBoundsTheEncodingOfItsQuery() throws Exception {
    index();
    hang();
    SearchRequestBuilder search = unknownWords().setTimeout(TimeValue.timeValueMillis(100));
    Exception late = expectThrows(Exception.class, search::get);
    assertEquals(RestStatus.GATEWAY_TIMEOUT, ExceptionsHelper.status(late));
    assertThat(late.getMessage(), containsString("the encoding of [query_text] by model [micro]"));
    assertThat(late.getMessage(), containsString("had [100ms]"));
    assertQueueIsEmpty();
  }

  public void testACancelledSearchTakesItsQueryOutOfTheQueue() throws Exception {
    index();
    NodeInference service = getInstanceFromNode(NodeInference.class);
    hang();
    ActionFuture<SearchResponse> running = unknownWords().execute();
    assertBusy(() -> assertEquals(1, service.queued()));
    client().admin().cluster().prepareCancelTasks().setActions(SearchAction.NAME).get();
    Exception failure = expectThrows(Exception.class, running::actionGet);
    assertNotNull(ExceptionsHelper.unwrap(failure, TaskCancelledException.class));
    assertQueueIsEmpty();
  }

  private ActionFuture<EncodeResponse> encode() throws IOException {
    String body = "{\"text\":[\"a pond\",\"a road\"],\"tokens\":true}";
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      return client()
          .execute(EncodeAction.INSTANCE, EncodeRequest.parse(MODEL.manifest().id(), parser));
    }
  }

  public void testEncodeEndsWithItsTask() throws Exception {
    NodeInference service = getInstanceFromNode(NodeInference.class);
    hang();
    ActionFuture<EncodeResponse> running = encode();
    assertBusy(() -> assertEquals(1, service.queued()));
    client().admin().cluster().prepareCancelTasks().setActions(EncodeAction.INSTANCE.name()).get();
    Exception failure = expectThrows(Exception.class, running::actionGet);
    assertNotNull(ExceptionsHelper.unwrap(failure, TaskCancelledException.class));
    assertQueueIsEmpty();
    assertHeapIsFree();
  }

  public void testEncodeEndsWithTheLongestWait() throws Exception {
    hang();
    set(Settings.builder().put(CrossModalSettings.LONGEST_WAIT.getKey(), "100ms"));
    ActionFuture<EncodeResponse> running = encode();
    Exception late = expectThrows(Exception.class, running::actionGet);
    assertEquals(RestStatus.GATEWAY_TIMEOUT, ExceptionsHelper.status(late));
    assertThat(late.getMessage(), containsString("the encoding of [2] items by model [micro]"));
    assertThat(late.getMessage(), containsString("send fewer in one request"));
    assertQueueIsEmpty();
    assertHeapIsFree();
  }

  private void assertHeapIsFree() throws Exception {
    CircuitBreakerService breakers = getInstanceFromNode(CircuitBreakerService.class);
    assertBusy(() -> assertEquals(0, breakers.getBreaker(CircuitBreaker.REQUEST).getUsed()));
  }

  /** The model hangs, and a search of another index is answered all the same. */
  public void testRescoresLeaveHalfOfTheSearchThreads() throws Exception {
    index();
    createIndex("plain");
    NodeInference service = getInstanceFromNode(NodeInference.class);
    SearchRequestBuilder search = search(FailurePolicy.FAIL, null);
    SearchRequestBuilder keeps = search(FailurePolicy.KEEP_FIRST_PASS, null);
    search.get();
    int places = SEARCH_THREADS / 2;
    long waited = count(Counter.QUEUED_RESCORES);
    long refused = count(Counter.SEARCH_THREADS_BUSY);
    long degraded = count(Counter.DEGRADED);
    hang();
    List<ActionFuture<SearchResponse>> running = new ArrayList<>();
    for (int i = 0; i < 2 * SEARCH_THREADS; i++) {
      running.add(search.execute());
    }
    int waiting = 2 * SEARCH_THREADS - places;
    assertBusy(() -> assertEquals(waiting, count(Counter.QUEUED_RESCORES) - waited));
    assertBusy(() -> assertEquals(places, service.queued()));
    assertEquals(0, client().prepareSearch("plain").get().getHits().getHits().length);

    // As many wait as may: what comes now follows its policy.
    set(Settings.builder().put(CrossModalSettings.QUEUE_SIZE.getKey(), waiting));
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, search::get);
    assertEquals(RestStatus.TOO_MANY_REQUESTS, failure.status());
    assertThat(
        ExceptionsHelper.stackTrace(failure), containsString("half of the node's search threads"));
    assertFirstPass(keeps.get());
    assertEquals(2, count(Counter.SEARCH_THREADS_BUSY) - refused);
    assertEquals(1, count(Counter.DEGRADED) - degraded);

    set(Settings.builder().put(CrossModalSettings.BATCH_WAIT.getKey(), "0ms"));
    for (ActionFuture<SearchResponse> each : running) {
      for (SearchHit hit : each.actionGet().getHits()) {
        assertTrue(hit.toString(), hit.getScore() >= 1);
      }
    }
    assertQueueIsEmpty();
    assertHeapIsFree();
  }

  public void testARescoreThatWaitsEndsWithItsSearch() throws Exception {
    index();
    SearchRequestBuilder search = search(FailurePolicy.FAIL, null);
    search.get();
    long waited = count(Counter.QUEUED_RESCORES);
    hang();
    List<ActionFuture<SearchResponse>> running = new ArrayList<>();
    for (int i = 0; i < SEARCH_THREADS; i++) {
      running.add(search.execute());
    }
    assertBusy(() -> assertEquals(SEARCH_THREADS / 2, count(Counter.QUEUED_RESCORES) - waited));
    client().admin().cluster().prepareCancelTasks().setActions(SearchAction.NAME).get();
    for (ActionFuture<SearchResponse> each : running) {
      Exception failure = expectThrows(Exception.class, each::actionGet);
      assertNotNull(ExceptionsHelper.unwrap(failure, TaskCancelledException.class));
    }
    assertQueueIsEmpty();
    assertHeapIsFree();
  }

  public void testTheRequestBreakerBoundsTheTokensOfAWindow() throws Exception {
    index();
    SearchRequestBuilder keeps = search(FailurePolicy.KEEP_FIRST_PASS, null);
    SearchRequestBuilder fails = search(FailurePolicy.FAIL, null);
    CrossModalExtBuilder heatMaps = new CrossModalExtBuilder(true, true, 0);
    fails.request().source().ext(List.of(heatMaps));
    fails.get();
    assertHeapIsFree();
    set(Settings.builder().put("indices.breaker.request.limit", "100b"));
    long refused = count(Counter.OUT_OF_MEMORY);
    assertFirstPass(keeps.get());
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, fails::get);
    assertEquals(RestStatus.TOO_MANY_REQUESTS, failure.status());
    assertThat(
        ExceptionsHelper.stackTrace(failure), containsString("[indices.breaker.request.limit]"));
    assertThat(ExceptionsHelper.stackTrace(failure), containsString("a window of [5] hits"));
    assertEquals(2, count(Counter.OUT_OF_MEMORY) - refused);
    assertHeapIsFree();
  }

  private void assertRefused(SearchRequestBuilder search, String message) {
    Exception failure = expectThrows(Exception.class, search::get);
    assertEquals(failure.toString(), RestStatus.BAD_REQUEST, ExceptionsHelper.status(failure));
    assertThat(ExceptionsHelper.stackTrace(failure), containsString(message));
  }

  /** On the coordinating node, and on shards that were asked by one with other settings. */
  public void testWindowsAndHeatMapsAreLimited() {
    index();
    SearchRequestBuilder search = search(FailurePolicy.KEEP_FIRST_PASS, null);
    search.request().source().size(IMAGES).ext(List.of(new CrossModalExtBuilder(true, true, 0)));
    search.get();
    set(Settings.builder().put(CrossModalSettings.MAX_WINDOW.getKey(), IMAGES - 1));
    String window = "[window_size] must be at most 4, got 5: ask for fewer, or raise the setting";
    assertRefused(search, window + " [plugins.cross_modal.rescore.max_window]");
    String factories = "cluster.search.enabled_system_generated_factories";
    set(Settings.builder().putList(factories, "none"));
    assertRefused(search, window);
    set(Settings.builder().putNull(factories));
    search.request().source().rescores().get(0).windowSize(2);
    search.get();
    search.request().source().ext(List.of(new CrossModalExtBuilder(true, true, IMAGES)));
    assertRefused(search, "[ext.cross_modal.global_window] must be at most 4, got 5");
    search.request().source().ext(List.of(new CrossModalExtBuilder(true, true, 0)));

    set(Settings.builder().put(CrossModalSettings.MAX_HEAT_MAPS.getKey(), IMAGES - 1));
    String page = "[ext.cross_modal.heat_map] is drawn for at most 4 hits, [size] is 5";
    assertRefused(search, page);
    set(Settings.builder().putList(factories, "none"));
    assertRefused(search, page);
    search.request().source().ext(List.of(new CrossModalExtBuilder(true, false, 0)));
    search.get();
  }

  public void testTheRescorersTimeoutFollowsItsPolicy() {
    index();
    SearchRequestBuilder keeps =
        search(FailurePolicy.KEEP_FIRST_PASS, TimeValue.timeValueMillis(100));
    SearchRequestBuilder fails = search(FailurePolicy.FAIL, TimeValue.timeValueMillis(100));
    hang();
    SearchResponse response = keeps.get();
    assertTrue(response.isTimedOut());
    assertFirstPass(response);
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, fails::get);
    assertEquals(RestStatus.GATEWAY_TIMEOUT, failure.status());
  }

  public void testACancelledSearchLeavesTheQueue() throws Exception {
    index();
    SearchRequestBuilder search = search(FailurePolicy.FAIL, null);
    NodeInference service = getInstanceFromNode(NodeInference.class);
    hang();
    ActionFuture<SearchResponse> running = search.execute();
    assertBusy(() -> assertEquals(1, service.queued()));
    client().admin().cluster().prepareCancelTasks().setActions(SearchAction.NAME).get();
    Exception failure = expectThrows(Exception.class, running::actionGet);
    assertNotNull(ExceptionsHelper.unwrap(failure, TaskCancelledException.class));
    assertQueueIsEmpty();
    set(Settings.builder().put(CrossModalSettings.BATCH_WAIT.getKey(), "0ms"));
    long pairs = count(Counter.PAIRS);
    assertEquals(IMAGES, search.get().getHits().getHits().length);
    assertEquals(IMAGES, count(Counter.PAIRS) - pairs);
  }

  public void testTheBreakerBoundsTheModelsMemory() {
    index();
    SearchRequestBuilder keeps = search(FailurePolicy.KEEP_FIRST_PASS, null);
    SearchRequestBuilder fails = search(FailurePolicy.FAIL, null);
    keeps.get();
    CircuitBreakerService breakers = getInstanceFromNode(CircuitBreakerService.class);
    assertEquals(
        "between calls the weights alone are counted",
        MODEL.weightBytes(),
        breakers.stats("cross_modal").getEstimated());
    set(Settings.builder().put("breaker.cross_modal.limit", MODEL.weightBytes() + 1 + "b"));
    long refused = count(Counter.OUT_OF_MEMORY);
    SearchResponse response = keeps.get();
    assertFirstPass(response);
    assertFalse(response.isTimedOut());
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, fails::get);
    assertEquals(RestStatus.TOO_MANY_REQUESTS, failure.status());
    assertThat(ExceptionsHelper.stackTrace(failure), containsString("[breaker.cross_modal.limit]"));
    assertEquals(2, count(Counter.OUT_OF_MEMORY) - refused);
    assertTrue(breakers.stats("cross_modal").getTrippedCount() > 0);
    assertEquals(MODEL.weightBytes(), breakers.stats("cross_modal").getEstimated());
  }
}
