/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.plugin.inference.InferenceStats.Counter;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.rescore.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.MissingPolicy;
import io.crossmodal.plugin.rest.EncodeAction;
import io.crossmodal.plugin.rest.EncodeRequest;
import io.crossmodal.plugin.rest.EncodeResponse;
import java.io.IOException;
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
  private static final QuerySide WORDS = QuerySide.text("a pond");
  private static final int IMAGES = 5;

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

  /** Calls that are not full wait for company that never comes: a model that hangs. */
  private void hang() {
    set(Settings.builder().put(CrossModalSettings.BATCH_WAIT.getKey(), "1m"));
  }

  private long count(Counter counter) {
    return getInstanceFromNode(ModelService.class).stats().get(counter);
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
    ModelService service = getInstanceFromNode(ModelService.class);
    assertBusy(() -> assertEquals(0, service.queued()));
  }

  private SearchRequestBuilder unknownWords() {
    return client()
        .prepareSearch("pictures")
        .setQuery(
            new CrossModalQueryBuilder("image", QuerySide.text(randomAlphaOfLength(12)), 10, null));
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
    ModelService service = getInstanceFromNode(ModelService.class);
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
    ModelService service = getInstanceFromNode(ModelService.class);
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
    ModelService service = getInstanceFromNode(ModelService.class);
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
