/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.inference.InferenceStats.Counter;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rest.NodeReport;
import io.crossmodal.plugin.rest.NodesReportAction;
import io.crossmodal.plugin.rest.NodesReportRequest;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchIntegTestCase;

/** Three nodes in one JVM: several shards, replicas, and no shared state. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class CrossModalClusterIT extends OpenSearchIntegTestCase {
  private static final int DOCUMENTS = 30;

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

  private void indexImages() {
    prepareCreate("pictures")
        .setSettings(
            Settings.builder().put("number_of_shards", 3).put("number_of_replicas", 1))
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
        .get();
    BulkRequestBuilder bulk = client().prepareBulk();
    for (int i = 0; i < DOCUMENTS; i++) {
      bulk.add(
          client()
              .prepareIndex("pictures")
              .setId(Integer.toString(i))
              .setSource(
                  "{\"image\":{\"bytes\":\""
                      + TestModels.base64(TestModels.png(random(), 20))
                      + "\"}}",
                  XContentType.JSON));
    }
    BulkResponse response = bulk.get();
    assertFalse(response.buildFailureMessage(), response.hasFailures());
    refresh("pictures");
    ensureGreen("pictures");
  }

  private static SearchResponse search(int window) {
    return client()
        .prepareSearch("pictures")
        .setQuery(new CrossModalQueryBuilder("image", QuerySide.text("a pond"), 100, null))
        .addRescorer(
            new FusionRescorerBuilder("image", QuerySide.text("a pond"), FusionOptions.DEFAULT),
            window)
        .setSize(100)
        .get();
  }

  public void testSearchAcrossShardsAndReplicas() throws Exception {
    indexImages();
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
    Set<ModelService> services = new HashSet<>();
    internalCluster().getInstances(ModelService.class).forEach(services::add);
    assertEquals(3, services.size());
    String one = internalCluster().getNodeNames()[0];
    internalCluster()
        .getInstance(ModelService.class, one)
        .encodeTexts(TestModels.ID, List.of("a"))
        .join();
    for (NodeReport node :
        client()
            .execute(NodesReportAction.INSTANCE, new NodesReportRequest())
            .actionGet()
            .getNodes()) {
      boolean asked = node.getNode().getName().equals(one);
      assertEquals(asked ? 1L : 0L, (long) node.counts().get("encoded_texts"));
      assertEquals(
          asked ? ModelService.State.LOADED : ModelService.State.NOT_LOADED,
          node.models().get(TestModels.ID));
    }
  }
}
