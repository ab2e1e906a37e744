/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import static org.hamcrest.Matchers.containsString;
import static org.opensearch.test.hamcrest.OpenSearchAssertions.assertAcked;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.CrossModalPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.search.SearchAction;
import org.opensearch.action.search.SearchPhaseExecutionException;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.action.ActionFuture;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.tasks.Task;
import org.opensearch.test.InternalTestCluster;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.test.transport.MockTransportService;
import org.opensearch.transport.Netty4ModulePlugin;
import org.opensearch.transport.TransportChannel;
import org.opensearch.transport.TransportService;

/** Two nodes with the data and one, without, that scores for them. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 2,
    numClientNodes = 0)
public class RemoteScoringIT extends ClusterTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final QuerySource WORDS = new QuerySource.Text("a pond");
  private static final int PICTURES = 20;
  private static final float TOLERANCE = 1e-4f;

  /** A model that a node may serve instead of the one of that name. */
  public static final class OddModelPlugin extends CrossModalPlugin {
    static final String ODD = "node.attr.odd";

    public OddModelPlugin(Settings settings) {
      super(
          () ->
              List.of(
                  settings.getAsBoolean(ODD, false)
                      ? TestModels.foreign().withId(TestModels.ID)
                      // Pictures that are compared score probabilities where a search says so.
                      : TestModels.micro()
                          .withSensorCalibrations(
                              List.of(), List.of(new SensorCalibration("rgb", "rgb", 9, -7)))));
    }
  }

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(
        OddModelPlugin.class, Netty4ModulePlugin.class, MockTransportService.TestPlugin.class);
  }

  private static String startScorer(Settings settings) {
    return internalCluster()
        .startCoordinatingOnlyNode(
            Settings.builder().put(settings).put("node.attr." + Scorers.ATTRIBUTE, true).build());
  }

  private static void stop(String node) throws Exception {
    internalCluster().stopRandomNode(InternalTestCluster.nameFilter(node));
    assertBusy(
        () -> {
          for (ClusterService each : internalCluster().getInstances(ClusterService.class)) {
            each.state().nodes().forEach(known -> assertNotEquals(node, known.getName()));
          }
        });
  }

  private static NodeInference service(String node) {
    return internalCluster().getInstance(NodeInference.class, node);
  }

  private static long onData(Counter counter) {
    long total = 0;
    for (NodeInference service : internalCluster().getDataNodeInstances(NodeInference.class)) {
      total += service.stats().get(counter);
    }
    return total;
  }

  private void place(ScoringPlace place) {
    set(CrossModalSettings.SCORING.getKey(), place.name().toLowerCase(Locale.ROOT));
  }

  private void set(String key, String value) {
    assertAcked(
        client()
            .admin()
            .cluster()
            .prepareUpdateSettings()
            .setTransientSettings(Settings.builder().put(key, value)));
  }

  private static SearchRequestBuilder search(FailurePolicy onFailure, int filterSize) {
    return search(WORDS, onFailure, filterSize);
  }

  private static SearchRequestBuilder search(
      QuerySource query, FailurePolicy onFailure, int filterSize) {
    FusionOptions options =
        new FusionOptions(
            FusionOptions.DEFAULT.combiner(),
            MissingPolicy.KEEP_FIRST_PASS,
            onFailure,
            null,
            filterSize);
    // By way of a data node: that one encodes the query, and no scorer is needed for it.
    return internalCluster()
        .dataNodeClient()
        .prepareSearch("pictures")
        .setSource(new SearchSourceBuilder().ext(List.of(new CrossModalExtBuilder(true, true, 0))))
        .setQuery(new CrossModalQueryBuilder("image", query, 100, null))
        .addRescorer(new FusionRescorerBuilder("image", query, options), PICTURES)
        .setSize(PICTURES);
  }

  private static Map<String, Float> scores(SearchResponse response) {
    assertEquals(response.toString(), 0, response.getFailedShards());
    Map<String, Float> scores = new TreeMap<>();
    for (SearchHit hit : response.getHits()) {
      scores.put(hit.getId(), hit.getScore());
    }
    assertEquals(PICTURES, scores.size());
    return scores;
  }

  private static void assertSame(Map<String, Float> expected, Map<String, Float> found) {
    assertEquals(expected.keySet(), found.keySet());
    expected.forEach((id, score) -> assertEquals(id, score, found.get(id), TOLERANCE));
  }

  private static void assertFirstPass(SearchResponse response) {
    scores(response).values().forEach(score -> assertTrue("not rescored: " + score, score < 1));
  }

  /** What the details of all hits say, with the heat maps. */
  private static List<String> details(SearchResponse response) {
    List<String> details = new ArrayList<>();
    for (SearchHit hit : response.getHits()) {
      Map<?, ?> object = hit.field("_cross_modal").getValue();
      details.add(
          hit.getId()
              + " "
              + object.get("model")
              + " "
              + object.get("version")
              + " "
              + object.keySet()
              + " "
              + (object.get("heat_map") != null));
    }
    details.sort(null);
    return details;
  }

  /** Calls that are not full wait for company that never comes: a model that hangs. */
  private void hang() {
    set(CrossModalSettings.BATCH_WAIT.getKey(), "1m");
  }

  private void goOn() {
    set(CrossModalSettings.BATCH_WAIT.getKey(), "0ms");
  }

  public void testAScorerScoresAsTheNodesThemselvesDo() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    int filterSize = randomFrom(0, 4);
    SearchRequestBuilder search = search(FailurePolicy.FAIL, filterSize);
    SearchResponse alone = search.get();
    assertEquals("nobody scores for others", 0, onData(Counter.REMOTE_ANSWERS));
    long pairs = onData(Counter.PAIRS);
    long heatMaps = onData(Counter.HEAT_MAPS);

    String scorer = startScorer(Settings.EMPTY);
    SearchResponse remote = search.get();
    assertSame(scores(alone), scores(remote));
    assertEquals(details(alone), details(remote));
    assertEquals("the data nodes score nothing", pairs, onData(Counter.PAIRS));
    assertEquals(pairs, service(scorer).stats().get(Counter.PAIRS));
    assertEquals(heatMaps, service(scorer).stats().get(Counter.HEAT_MAPS));
    assertTrue(onData(Counter.REMOTE_ANSWERS) > 0);
    assertEquals(0, onData(Counter.REMOTE_FALLBACKS));

    place(ScoringPlace.LOCAL);
    assertSame(scores(alone), scores(search.get()));
    assertEquals(pairs, service(scorer).stats().get(Counter.PAIRS));

    place(ScoringPlace.REMOTE);
    assertSame(scores(alone), scores(search.get()));
    stop(scorer);
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, search::get);
    assertEquals(RestStatus.SERVICE_UNAVAILABLE, failure.status());
    assertThat(
        ExceptionsHelper.stackTrace(failure), containsString("node.attr.cross_modal.scorer"));
    assertFirstPass(search(FailurePolicy.KEEP_FIRST_PASS, 0).get());

    place(ScoringPlace.AUTO);
    assertSame(scores(alone), scores(search.get()));
  }

  public void testAScorerThatGoesAwayLeavesTheWorkToThePolicy() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    SearchRequestBuilder search = search(FailurePolicy.KEEP_FIRST_PASS, 0);
    Map<String, Float> alone = scores(search.get());

    String scorer = startScorer(Settings.EMPTY);
    hang();
    ActionFuture<SearchResponse> running = search.execute();
    assertBusy(() -> assertEquals(2, service(scorer).queued()));
    stop(scorer);
    assertBusy(
        () -> {
          int queued = 0;
          for (NodeInference data : internalCluster().getDataNodeInstances(NodeInference.class)) {
            queued += data.queued();
          }
          assertEquals("each shard's window waits on its own node now", 2, queued);
        });
    goOn();
    assertSame(alone, scores(running.actionGet()));
    assertEquals(2, onData(Counter.REMOTE_UNREACHABLE) + onData(Counter.REMOTE_UNAVAILABLE));
    assertEquals(2, onData(Counter.REMOTE_FALLBACKS));

    place(ScoringPlace.REMOTE);
    String second = startScorer(Settings.EMPTY);
    hang();
    ActionFuture<SearchResponse> lost = search.execute();
    assertBusy(() -> assertEquals(2, service(second).queued()));
    stop(second);
    assertFirstPass(lost.actionGet());
    assertEquals(2, onData(Counter.REMOTE_FALLBACKS));
    assertTrue(onData(Counter.UNAVAILABLE) >= 2);
  }

  public void testTheOtherScorerTakesOver() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    SearchRequestBuilder search = search(FailurePolicy.FAIL, 0);
    Map<String, Float> alone = scores(search.get());
    long pairs = onData(Counter.PAIRS);
    String odd = startScorer(Settings.builder().put(OddModelPlugin.ODD, true).build());
    place(ScoringPlace.REMOTE);
    SearchPhaseExecutionException failure =
        expectThrows(SearchPhaseExecutionException.class, search::get);
    assertEquals(RestStatus.SERVICE_UNAVAILABLE, failure.status());
    assertThat(ExceptionsHelper.stackTrace(failure), containsString("has the token space"));
    assertTrue(onData(Counter.REMOTE_UNAVAILABLE) > 0);

    String fitting = startScorer(Settings.EMPTY);
    for (int i = 0; i < 2; i++) {
      assertSame(alone, scores(search.get()));
    }
    assertEquals(0, service(odd).stats().get(Counter.PAIRS));
    assertEquals(2 * pairs, service(fitting).stats().get(Counter.PAIRS));
    assertEquals(pairs, onData(Counter.PAIRS));
  }

  public void testTimeAndCancellationReachTheScorer() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    SearchRequestBuilder search = search(FailurePolicy.FAIL, 0);
    search.get();
    String scorer = startScorer(Settings.EMPTY);
    search.get();
    hang();
    ActionFuture<SearchResponse> running = search.execute();
    assertBusy(() -> assertEquals(2, service(scorer).queued()));
    client().admin().cluster().prepareCancelTasks().setActions(SearchAction.NAME).get();
    Exception failure = expectThrows(Exception.class, running::actionGet);
    assertNotNull(ExceptionsHelper.unwrap(failure, TaskCancelledException.class));
    assertBusy(() -> assertEquals(0, service(scorer).queued()));
    assertBusy(RemoteScoringIT::assertNothingLeftBehind);

    search.setTimeout(TimeValue.timeValueMillis(500));
    SearchResponse late = search.get();
    assertTrue(late.isTimedOut());
    assertFirstPass(late);
    assertBusy(() -> assertEquals(0, service(scorer).queued()));
    assertBusy(RemoteScoringIT::assertNothingLeftBehind);
  }

  /** Has a scorer keep what it is asked, without an answer. */
  private static Queue<TransportChannel> silence(String scorer) {
    Queue<TransportChannel> asked = new ConcurrentLinkedQueue<>();
    ((MockTransportService) internalCluster().getInstance(TransportService.class, scorer))
        .addRequestHandlingBehavior(
            ScorePairsAction.NAME, (handler, request, channel, task) -> asked.add(channel));
    return asked;
  }

  /** As a process that was stopped, and goes on later. */
  public void testAScorerThatNeverAnswersHasHalfOfTheTime() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    SearchRequestBuilder search = search(FailurePolicy.FAIL, 0);
    Map<String, Float> alone = scores(search.get());
    String scorer = startScorer(Settings.EMPTY);
    Queue<TransportChannel> asked = silence(scorer);
    try {
      // Were it to wait for the whole time, the search would say that it ran out of it.
      search.setTimeout(TimeValue.timeValueSeconds(6));
      SearchResponse response = search.get();
      assertFalse(response.toString(), response.isTimedOut());
      assertSame(alone, scores(response));
      int asks = asked.size();
      assertEquals("each shard's node asked once", 2, asks);
      assertEquals(2, onData(Counter.REMOTE_TIMEOUTS));
      long fallbacks = onData(Counter.REMOTE_FALLBACKS);
      assertSame(alone, scores(search.get()));
      assertEquals("who was late is not asked again at once", asks, asked.size());
      assertTrue(onData(Counter.REMOTE_FALLBACKS) > fallbacks);

      place(ScoringPlace.REMOTE);
      String other = startScorer(Settings.EMPTY);
      long pairs = service(other).stats().get(Counter.PAIRS);
      for (int i = 0; i < 2; i++) {
        assertSame(alone, scores(search.get()));
      }
      assertEquals("who was late comes last", asks, asked.size());
      assertTrue(service(other).stats().get(Counter.PAIRS) > pairs);
    } finally {
      for (TransportChannel channel : asked) {
        channel.sendResponse(new IllegalStateException("it goes on"));
      }
    }
    assertBusy(RemoteScoringIT::assertNothingLeftBehind);
  }

  public void testOneQuestionTriesAScorerThatWasLateAgain() {
    AtomicLong clock = new AtomicLong(randomLong());
    ScorerBackoff resting = new ScorerBackoff(clock::get);
    assertTrue(resting.mayAsk("a"));
    resting.late("a");
    assertFalse(resting.mayAsk("a"));
    assertTrue(resting.mayAsk("b"));
    clock.addAndGet(ScorerBackoff.NANOS - 1);
    assertFalse(resting.mayAsk("a"));
    clock.addAndGet(1);
    assertTrue("the one that tries", resting.mayAsk("a"));
    assertFalse("the others go on without it", resting.mayAsk("a"));
    resting.answered("a");
    assertTrue(resting.mayAsk("a"));
    assertTrue(resting.mayAsk("a"));
  }

  private static void assertNothingLeftBehind() {
    for (TransportService transport : internalCluster().getInstances(TransportService.class)) {
      for (Task task : transport.getTaskManager().getTasks().values()) {
        assertNotEquals(task.toString(), ScorePairsAction.NAME, task.getAction());
      }
      assertEquals(0, transport.getTaskManager().getBanCount());
    }
  }

  /** Asks as another node would. */
  private PairsResponse ask(String node, Pairs pairs) throws IOException {
    PairsRequest request =
        new PairsRequest(PairOperation.SCORE, pairs, Deadline.after(Duration.ofMinutes(1)));
    return internalCluster()
        .client(node)
        .execute(
            ScorePairsAction.INSTANCE,
            copyWriteable(request, writableRegistry(), PairsRequest::new))
        .actionGet();
  }

  public void testAScorerComparesImages() throws Exception {
    indexPictures("pictures", 2, 0, PICTURES);
    QuerySource picture = new QuerySource.Image(TestModels.png(random(), 20), null);
    boolean calibrate = randomBoolean();
    SearchRequestBuilder search = search(picture, FailurePolicy.FAIL, 0);
    search.request().source().clearRescorers();
    search.addRescorer(
        new FusionRescorerBuilder("image", picture, FusionOptions.DEFAULT, calibrate), PICTURES);
    SearchResponse alone = search.get();
    long pairs = onData(Counter.IMAGE_PAIRS);
    assertTrue("the window, and the page's details", pairs >= PICTURES);
    String scorer = startScorer(Settings.EMPTY);
    SearchResponse remote = search.get();
    assertSame(scores(alone), scores(remote));
    assertEquals(details(alone), details(remote));
    assertTrue(details(remote).get(0), details(remote).get(0).contains("max_sim"));
    assertEquals(calibrate, details(remote).get(0).contains("query_sensor"));
    assertEquals(pairs, onData(Counter.IMAGE_PAIRS));
    assertEquals(pairs, service(scorer).stats().get(Counter.IMAGE_PAIRS));
  }

  public void testForeignBlocksAreRefused() throws Exception {
    String scorer = startScorer(Settings.EMPTY);
    String space = MODEL.manifest().fingerprints().tokenSpace();
    TokenBlock query = TestModels.tokens(random(), MODEL, 3);
    TokenBlock image = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
    TokenEncoding encoding = randomFrom(TokenEncoding.values());
    byte[] stored = TokenBlockFormat.write(image, encoding, space);
    StoredTokens fitting = StoredTokens.of(stored, 0, stored.length);

    PairsResponse answer =
        ask(scorer, new Pairs(TestModels.ID, space, query, true, List.of(fitting)));
    assertNull(answer.why(), answer.refusal());
    Scores scores = answer.answer(PairOperation.SCORE);
    Scores expected =
        service(scorer)
            .scoring()
            .score(
                new ScoringService.Request(
                    TestModels.ID, List.of(query), List.of(fitting.block()), Deadline.none()))
            .get();
    assertEquals(expected.itm()[0], scores.itm()[0], TOLERANCE);
    assertEquals(expected.model(), scores.model());

    String other = TestModels.foreign().manifest().fingerprints().tokenSpace();
    byte[] foreign = TokenBlockFormat.write(image, encoding, other);
    StoredTokens strangers = StoredTokens.of(foreign, 0, foreign.length);
    byte[] bent = stored.clone();
    StoredTokens damaged = StoredTokens.of(bent, 0, bent.length);
    bent[randomInt(3)]++;
    assertRefused(
        PairsResponse.Refusal.FOREIGN_TOKENS,
        "they are of the token space [" + other.substring(0, 16),
        ask(scorer, new Pairs(TestModels.ID, space, query, true, List.of(fitting, strangers))));
    assertRefused(
        PairsResponse.Refusal.FOREIGN_TOKENS,
        "no token block",
        ask(
            scorer,
            new Pairs(TestModels.ID, space, query, true, List.of(fitting, damaged, fitting))));
    assertRefused(
        PairsResponse.Refusal.UNAVAILABLE,
        "has the token space [" + space,
        ask(scorer, new Pairs(TestModels.ID, other, query, true, List.of(strangers))));
    assertRefused(
        PairsResponse.Refusal.UNAVAILABLE,
        "does not know the model [gone]",
        ask(scorer, new Pairs("gone", space, query, true, List.of(fitting))));
  }

  private static void assertRefused(
      PairsResponse.Refusal refusal, String why, PairsResponse response) {
    assertEquals(refusal, response.refusal());
    assertThat(response.why(), containsString(why));
  }
}
