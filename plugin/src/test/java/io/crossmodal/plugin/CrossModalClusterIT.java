/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.action.NodeReport;
import io.crossmodal.plugin.action.NodesReportAction;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.client.Request;
import org.opensearch.client.RequestOptions;
import org.opensearch.client.Response;
import org.opensearch.client.ResponseException;
import org.opensearch.client.WarningsHandler;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchIntegTestCase;

/** Three nodes in one JVM: several shards, replicas, and no shared state. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class CrossModalClusterIT extends ClusterTestCase {
  private static final int DOCUMENTS = 30;

  private static SearchResponse search(int window) {
    return client()
        .prepareSearch("pictures")
        .setQuery(new CrossModalQueryBuilder("image", new QuerySource.Text("a pond"), 100, null))
        .addRescorer(
            new FusionRescorerBuilder(
                "image", new QuerySource.Text("a pond"), FusionOptions.DEFAULT),
            window)
        .setSize(100)
        .get();
  }

  public void testSearchAcrossShardsAndReplicas() throws Exception {
    indexPictures("pictures", 3, 1, DOCUMENTS);
    assertEquals("replicas do not encode", DOCUMENTS, total(Counter.ENCODED_IMAGES));

    int window = randomIntBetween(1, 5);
    SearchResponse response = search(window);
    assertEquals(response.toString(), 0, response.getFailedShards());
    assertEquals(DOCUMENTS, response.getHits().getHits().length);
    assertEquals("the query is encoded once", 1, total(Counter.ENCODED_TEXTS));
    int rescored = 0;
    for (SearchHit hit : response.getHits()) {
      if (hit.getScore() >= 1) {
        assertEquals("no rescored hit below an untouched one", rescored, indexOf(response, hit));
        rescored++;
      }
    }
    assertEquals("pairs", rescored, total(Counter.PAIRS));

    Map<String, Float> before = scores(search(100));
    internalCluster().restartRandomDataNode();
    ensureGreen("pictures");
    Map<String, Float> after = scores(search(100));
    assertEquals(before.keySet(), after.keySet());
    before.forEach((id, score) -> assertEquals(id, score, after.get(id), 1e-4f));
  }

  private static int indexOf(SearchResponse response, SearchHit hit) {
    return List.of(response.getHits().getHits()).indexOf(hit);
  }

  private static Map<String, Float> scores(SearchResponse response) {
    assertEquals(response.toString(), 0, response.getFailedShards());
    Map<String, Float> scores = new HashMap<>();
    for (SearchHit hit : response.getHits()) {
      scores.put(hit.getId(), hit.getScore());
    }
    return scores;
  }

  public void testNodesShareNoState() {
    Set<NodeInference> services = new HashSet<>();
    internalCluster().getInstances(NodeInference.class).forEach(services::add);
    assertEquals(3, services.size());
    String one = internalCluster().getNodeNames()[0];
    TestService.encodeTexts(
            internalCluster().getInstance(NodeInference.class, one), TestModels.ID, List.of("a"))
        .join();
    for (NodeReport node :
        client()
            .execute(NodesReportAction.INSTANCE, new NodesReportAction.Request())
            .actionGet()
            .getNodes()) {
      boolean asked = node.getNode().getName().equals(one);
      assertEquals(asked ? 1L : 0L, (long) node.usage().counts().get("encoded_texts"));
      assertEquals(
          asked ? ModelStatus.State.LOADED : ModelStatus.State.NOT_LOADED,
          node.models().get(TestModels.ID).status().state());
    }
  }

  public void testOverHttp() throws Exception {
    indexPictures("pictures", 3, 1, DOCUMENTS);
    String longText = "abc ".repeat(100).strip();
    Request search = new Request("POST", "/pictures/_search");
    search.setJsonEntity(
        "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\""
            + longText
            + "\"}},\"rescore\":{\"window_size\":5,\"fusion\":{\"field\":\"image\",\"query_text\":\""
            + longText
            + "\",\"missing\":\"score_zero\"}}}");
    RequestOptions.Builder options = RequestOptions.DEFAULT.toBuilder();
    options.setWarningsHandler(WarningsHandler.PERMISSIVE);
    search.setOptions(options);
    Response found = getRestClient().performRequest(search);
    assertThat(body(found), containsString("\"_score\":1."));
    assertThat(found.getWarnings().toString(), containsString("[query_text]: text cut to the 16"));

    search.setJsonEntity(
        "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a\",\"top\":3}}}");
    ResponseException refused =
        expectThrows(ResponseException.class, () -> getRestClient().performRequest(search));
    assertEquals(400, refused.getResponse().getStatusLine().getStatusCode());
    assertThat(refused.getMessage(), containsString("unknown field [top]"));

    String models =
        body(getRestClient().performRequest(new Request("GET", "/_plugins/_cross_modal/models")));
    assertThat(models, containsString("\"id\":\"micro\",\"default\":true"));
    assertThat(
        models,
        containsString(
            "\"token_space\":\"" + TestModels.micro().manifest().fingerprints().tokenSpace()));
    assertThat(models, containsString("\"state\":\"loaded\""));
    String stats =
        body(getRestClient().performRequest(new Request("GET", "/_plugins/_cross_modal/stats")));
    assertThat(stats, containsString("\"successful\":3"));
    assertThat(stats, containsString("\"pairs\":"));
  }

  private static String body(Response response) throws IOException {
    return new String(response.getEntity().getContent().readAllBytes(), StandardCharsets.UTF_8);
  }
}
