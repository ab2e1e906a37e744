/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.junit.After;
import org.junit.Before;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.OriginalIndices;
import org.opensearch.action.search.SearchShardTask;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.index.shard.ShardId;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.core.transport.TransportResponse;
import org.opensearch.search.RescoreDocIds;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.fetch.ShardFetchSearchRequest;
import org.opensearch.search.internal.AliasFilter;
import org.opensearch.search.internal.ShardSearchContextId;
import org.opensearch.search.internal.ShardSearchRequest;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.threadpool.TestThreadPool;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportChannel;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportRequestHandler;

/** The door before core's handlers, with handlers that answer when the test says so. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class RescoreAdmissionTests extends OpenSearchTestCase {
  private static final int THREADS = 5;
  private static final int PLACES = 2;
  private static final int MAY_WAIT = 3;
  private static final String USER = "_user";

  private final Queue<Running> running = new ConcurrentLinkedQueue<>();
  private ThreadPool threadPool;
  private TestService service;
  private TransportRequestHandler<TransportRequest> door;

  /** What core's handler was given. */
  private record Running(TransportRequest request, TransportChannel channel, String user) {}

  /** Keeps the answer. */
  private static final class Asker implements TransportChannel {
    private final Queue<Object> answers = new ConcurrentLinkedQueue<>();

    @Override
    public String getProfileName() {
      return "test";
    }

    @Override
    public String getChannelType() {
      return "test";
    }

    @Override
    public void sendResponse(TransportResponse response) {
      answers.add(response);
    }

    @Override
    public void sendResponse(Exception failure) {
      answers.add(failure);
    }

    private Exception failure() {
      assertEquals(answers.toString(), 1, answers.size());
      return (Exception) answers.peek();
    }
  }

  @Before
  public void start() {
    threadPool =
        new TestThreadPool(
            getTestName(), Settings.builder().put("thread_pool.search.size", THREADS).build());
    service = new TestService(createTempDir(), 100, 10);
    RescoreAdmission admission =
        new RescoreAdmission(
            threadPool, service.get().scoring(), new RescoreLimits(1000, 100, MAY_WAIT));
    door = door(admission, SearchTransportService.QUERY_ACTION_NAME);
  }

  @After
  public void stop() {
    service.close();
    terminate(threadPool);
  }

  private TransportRequestHandler<TransportRequest> door(
      RescoreAdmission admission, String action) {
    return admission.interceptHandler(
        action,
        ThreadPool.Names.SAME,
        false,
        (request, channel, task) ->
            running.add(
                new Running(request, channel, threadPool.getThreadContext().getHeader(USER))));
  }

  private static FusionRescorerBuilder fusion(FailurePolicy onFailure, TimeValue timeout) {
    return new FusionRescorerBuilder(
        "image",
        new QuerySource.Text("a pond"),
        new FusionOptions(
            FusionOptions.DEFAULT.combiner(),
            MissingPolicy.KEEP_FIRST_PASS,
            onFailure,
            timeout,
            0));
  }

  private static ShardSearchRequest search(FusionRescorerBuilder rescorer) {
    ShardSearchRequest request =
        new ShardSearchRequest(new ShardId("pictures", "_na_", 0), 0, AliasFilter.EMPTY);
    SearchSourceBuilder source = new SearchSourceBuilder();
    request.source(rescorer == null ? source : source.addRescorer(rescorer));
    return request;
  }

  private static SearchShardTask task() {
    return new SearchShardTask(1, "test", "test", "", TaskId.EMPTY_TASK_ID, Map.of(), () -> "");
  }

  private Asker ask(TransportRequest request, SearchShardTask task) throws Exception {
    Asker asker = new Asker();
    door.messageReceived(request, asker, task);
    return asker;
  }

  private Asker ask(FailurePolicy onFailure) throws Exception {
    return ask(search(fusion(onFailure, null)), task());
  }

  private void answerOne() throws IOException {
    Running one = running.remove();
    if (randomBoolean()) {
      one.channel.sendResponse(TransportResponse.Empty.INSTANCE);
    } else {
      one.channel.sendResponse(new IllegalStateException("broke"));
    }
  }

  private long count(Counter counter) {
    return service.get().stats().get(counter);
  }

  public void testHalfOfTheSearchThreadsRescoreAndTheOthersWait() throws Exception {
    List<Asker> askers = new ArrayList<>();
    for (int i = 0; i < PLACES + MAY_WAIT; i++) {
      ThreadContext.StoredContext before = threadPool.getThreadContext().stashContext();
      try {
        threadPool.getThreadContext().putHeader(USER, "user-" + i);
        askers.add(ask(FailurePolicy.FAIL));
      } finally {
        before.restore();
      }
    }
    assertEquals(PLACES, running.size());
    assertEquals(MAY_WAIT, count(Counter.QUEUED_RESCORES));
    assertEquals(0, count(Counter.SEARCH_THREADS_BUSY));
    ask(search(null), task());
    assertEquals("a search without a rescore passes", PLACES + 1, running.size());
    running.removeIf(
        one -> RescoredSearch.fusions(((ShardSearchRequest) one.request).source()).isEmpty());

    for (int i = 0; i < PLACES + MAY_WAIT; i++) {
      int expected = i;
      assertBusy(
          () -> assertEquals(Math.min(PLACES, PLACES + MAY_WAIT - expected), running.size()));
      // In the order in which they came, as who they are.
      assertEquals("user-" + i, running.peek().user);
      answerOne();
      assertEquals(1, askers.get(i).answers.size());
    }
    assertTrue(running.isEmpty());
    ask(FailurePolicy.FAIL);
    assertEquals("all places are free again", 1, running.size());
  }

  public void testMoreThanMayWaitFollowThePolicy() throws Exception {
    for (int i = 0; i < PLACES + MAY_WAIT; i++) {
      ask(FailurePolicy.FAIL);
    }
    Exception refused = ask(FailurePolicy.FAIL).failure();
    assertTrue(refused.toString(), refused instanceof OpenSearchRejectedExecutionException);
    assertEquals(RestStatus.TOO_MANY_REQUESTS, ExceptionsHelper.status(refused));
    assertThat(refused.getMessage(), containsString("[2], and [3] searches wait"));
    assertEquals(1, count(Counter.SEARCH_THREADS_BUSY));
    assertEquals(PLACES, running.size());

    Asker keeps = ask(FailurePolicy.KEEP_FIRST_PASS);
    assertTrue(keeps.answers.isEmpty());
    assertEquals("it goes on, without its rescore", PLACES + 1, running.size());
    ShardSearchRequest passed =
        (ShardSearchRequest) running.toArray(new Running[0])[PLACES].request;
    FusionRescorerBuilder rescorer = RescoredSearch.fusions(passed.source()).get(0);
    assertEquals(fusion(FailurePolicy.KEEP_FIRST_PASS, null).toString(), rescorer.toString());
    Running last = running.toArray(new Running[0])[PLACES];
    last.channel.sendResponse(TransportResponse.Empty.INSTANCE);
    assertEquals("it had no place to give back", PLACES + 1, running.size());
  }

  public void testAWaitEndsWithTheRescoresTime() throws Exception {
    for (int i = 0; i < PLACES; i++) {
      ask(FailurePolicy.FAIL);
    }
    TimeValue timeout = TimeValue.timeValueMillis(20);
    Asker fails = ask(search(fusion(FailurePolicy.FAIL, timeout)), task());
    assertBusy(() -> assertEquals(1, fails.answers.size()));
    assertThat(fails.failure().getMessage(), containsString("waited [20ms] for one of the node's"));
    assertEquals(RestStatus.GATEWAY_TIMEOUT, ExceptionsHelper.status(fails.failure()));
    // The end of the search's own time is nobody's failure: the first pass goes on.
    ShardSearchRequest timed = search(fusion(randomFrom(FailurePolicy.values()), null));
    timed.source().timeout(timeout);
    ask(timed, task());
    assertBusy(() -> assertEquals(PLACES + 1, running.size()));
    assertEquals(2, count(Counter.QUEUED_RESCORES));
    assertEquals("the other is counted where it is not rescored", 1, count(Counter.TIMEOUTS));
    assertEquals(0, count(Counter.SEARCH_THREADS_BUSY));
    for (int i = 0; i < PLACES; i++) {
      answerOne();
    }
    ask(FailurePolicy.FAIL);
    ask(FailurePolicy.FAIL);
    assertEquals("what ended left no trace in the queue", PLACES + 1, running.size());
  }

  public void testACancelledSearchDoesNotRun() throws Exception {
    for (int i = 0; i < PLACES; i++) {
      ask(FailurePolicy.FAIL);
    }
    SearchShardTask cancelled = task();
    Asker gone = ask(search(fusion(FailurePolicy.FAIL, null)), cancelled);
    ask(FailurePolicy.FAIL);
    cancelled.cancel("nobody wants it");
    answerOne();
    assertBusy(() -> assertEquals(1, gone.answers.size()));
    assertTrue(gone.failure() instanceof TaskCancelledException);
    assertBusy(() -> assertEquals(PLACES, running.size()));
  }

  public void testAHandlerThatThrowsGivesItsPlaceBack() {
    RescoreAdmission admission =
        new RescoreAdmission(threadPool, service.get().scoring(), new RescoreLimits(1000, 100, 0));
    TransportRequestHandler<TransportRequest> throwing =
        admission.interceptHandler(
            SearchTransportService.QUERY_ID_ACTION_NAME,
            ThreadPool.Names.SAME,
            false,
            (request, channel, task) -> {
              throw new IllegalStateException("no reader");
            });
    for (int i = 0; i < 2 * PLACES; i++) {
      QuerySearchRequest request =
          new QuerySearchRequest(
              OriginalIndices.NONE,
              new ShardSearchContextId("", 1),
              search(fusion(FailurePolicy.FAIL, null)),
              null);
      assertThat(
          expectThrows(
                  IllegalStateException.class,
                  () -> throwing.messageReceived(request, new Asker(), task()))
              .getMessage(),
          containsString("no reader"));
    }
    assertEquals(0, count(Counter.SEARCH_THREADS_BUSY));
  }

  /** Hits whose rescore is described ask the model once more; others do not. */
  public void testAPageThatIsDescribedWaitsToo() throws Exception {
    RescoreAdmission admission =
        new RescoreAdmission(threadPool, service.get().scoring(), new RescoreLimits(1000, 100, 0));
    TransportRequestHandler<TransportRequest> fetch =
        door(admission, SearchTransportService.FETCH_ID_ACTION_NAME);
    boolean heatMap = randomBoolean();
    for (int i = 0; i < PLACES; i++) {
      fetch.messageReceived(page(!heatMap, heatMap), new Asker(), task());
    }
    Asker waits = new Asker();
    fetch.messageReceived(page(!heatMap, heatMap), waits, task());
    assertEquals("whoever has hits is not refused, though nobody may wait", PLACES, running.size());
    assertTrue(waits.answers.isEmpty());
    fetch.messageReceived(page(false, false), new Asker(), task());
    assertEquals(PLACES + 1, running.size());
    answerOne();
    assertBusy(() -> assertEquals(PLACES + 1, running.size()));
  }

  private static ShardFetchSearchRequest page(boolean details, boolean heatMap) {
    ShardSearchRequest search = search(fusion(FailurePolicy.FAIL, null));
    search.source().ext(List.of(new CrossModalExtBuilder(details, heatMap, 0)));
    return new ShardFetchSearchRequest(
        OriginalIndices.NONE,
        new ShardSearchContextId("", 1),
        search,
        List.of(1),
        null,
        RescoreDocIds.EMPTY,
        null);
  }

  /** Where the coordinating node chooses the hits, a shard's first answer needs no model. */
  public void testTheFirstRoundOfAGlobalWindowNeedsNoPlace() throws Exception {
    FusionRescorerBuilder deferred = fusion(FailurePolicy.FAIL, null).deferred(10);
    for (int i = 0; i < 2 * PLACES; i++) {
      ShardSearchRequest request = search(deferred);
      assertNotEquals("a request of several shards", 1, request.numberOfShards());
      ask(request, task());
    }
    assertEquals(2 * PLACES, running.size());
  }
}
