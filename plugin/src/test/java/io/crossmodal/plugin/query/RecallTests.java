/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.hasItem;

import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Embeddings;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.search.SearchPhaseExecutionException;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.common.settings.Settings;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.profile.ProfileResult;
import org.opensearch.search.profile.ProfileShardResult;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** What a request says of its kNN search is what the search does, and what it says of itself. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class RecallTests extends OpenSearchSingleNodeTestCase {
  private static final int DIMENSION = TestModels.micro().manifest().config().embeddingDimension();
  private static final int DOCUMENTS = 600;

  private final Map<String, float[]> embeddings = new TreeMap<>();
  private final Set<String> odd = new HashSet<>();

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  /** Several segments, with documents that are gone, changed or have no embedding. */
  private void index(String encoding) {
    client()
        .admin()
        .indices()
        .prepareCreate("archive")
        .setSettings(
            Settings.builder()
                .put("number_of_shards", 1)
                .put("number_of_replicas", 0)
                .put("index.cross_modal", true))
        .setMapping(
            String.format(
                Locale.ROOT,
                "{\"properties\":{\"odd\":{\"type\":\"boolean\"},\"image\":{\"type\":"
                    + "\"cross_modal\",\"m\":4,\"ef_construction\":8,\"vector_encoding\":\"%s\"}}}",
                encoding))
        .get();
    for (int from = 0; from < DOCUMENTS; from += 200) {
      BulkRequestBuilder bulk = client().prepareBulk();
      for (int i = from; i < from + 200; i++) {
        put(bulk, Integer.toString(i));
      }
      bulk.add(client().prepareIndex("archive").setId("none-" + from).setSource("odd", true));
      assertFalse(bulk.get().hasFailures());
      client().admin().indices().prepareFlush("archive").get();
    }
    BulkRequestBuilder changes = client().prepareBulk();
    for (int i = 0; i < DOCUMENTS; i++) {
      String id = Integer.toString(i);
      if (i % 7 == 0) {
        changes.add(client().prepareDelete("archive", id));
        embeddings.remove(id);
        odd.remove(id);
      } else if (i % 11 == 0) {
        put(changes, id);
      }
    }
    assertFalse(changes.get().hasFailures());
    client().admin().indices().prepareRefresh("archive").get();
  }

  private static float[] vector() {
    return Embeddings.unit("vector", TestModels.vector(random(), DIMENSION), DIMENSION);
  }

  private void put(BulkRequestBuilder bulk, String id) {
    float[] embedding = vector();
    embeddings.put(id, embedding);
    boolean isOdd = Integer.parseInt(id) % 2 == 1;
    if (isOdd) {
      odd.add(id);
    }
    List<Float> values = new ArrayList<>();
    for (float value : embedding) {
      values.add(value);
    }
    bulk.add(
        client()
            .prepareIndex("archive")
            .setId(id)
            .setSource("odd", isOdd, "image", Map.of("embedding", values)));
  }

  /** Scores of float32 may order two hits otherwise that are all but equally near. */
  private void assertNearest(float[] target, int k, boolean onlyOdd, SearchResponse found) {
    List<Double> expected =
        embeddings.keySet().stream()
            .filter(id -> !onlyOdd || odd.contains(id))
            .map(id -> (1 + dot(target, embeddings.get(id))) / 2)
            .sorted(Comparator.reverseOrder())
            .limit(k)
            .toList();
    SearchHit[] hits = found.getHits().getHits();
    assertEquals(expected.size(), hits.length);
    for (int i = 0; i < hits.length; i++) {
      assertEquals(expected.get(i), hits[i].getScore(), 1e-6);
      assertEquals(
          (1 + dot(target, embeddings.get(hits[i].getId()))) / 2, hits[i].getScore(), 1e-6);
      assertTrue(!onlyOdd || odd.contains(hits[i].getId()));
    }
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  private SearchResponse search(QueryBuilder query, int size) {
    return client()
        .prepareSearch("archive")
        .setQuery(query)
        .setSize(size)
        .setFetchSource(false)
        .setExplain(true)
        .setProfile(true)
        .get();
  }

  private static void says(String how, SearchResponse found) {
    for (SearchHit hit : found.getHits()) {
      assertThat(hit.getExplanation().toString(), containsString(how));
      assertEquals(
          hit.getScore(), hit.getExplanation().getValue().floatValue(), 1e-6f * hit.getScore());
    }
    ProfileShardResult profile = found.getProfileResults().values().iterator().next();
    List<String> profiled =
        profile.getQueryProfileResults().get(0).getQueryResults().stream()
            .map(ProfileResult::getLuceneDescription)
            .toList();
    assertThat(profiled, hasItem(containsString(how)));
  }

  public void testExactFindsTheNearestWhateverTheGraph() {
    index(randomFrom("float32", "int8", "int4", "bit1"));
    for (int round = 0; round < 20; round++) {
      float[] target = vector();
      boolean onlyOdd = randomBoolean();
      int k = randomFrom(1, 10, 50, 1000);
      QueryBuilder filter = onlyOdd ? QueryBuilders.termQuery("odd", true) : null;
      SearchResponse found =
          search(
              new CrossModalQueryBuilder("image", target, k, filter)
                  .with(new Recall(null, null, true)),
              1000);
      assertNearest(target, k, onlyOdd, found);
      says("the " + k + " nearest of all documents that pass the filter", found);
    }
    CrossModalQueryBuilder nothing =
        new CrossModalQueryBuilder(
            "image", vector(), 5, QueryBuilders.idsQuery().addIds("nowhere"));
    assertEquals(
        0, search(nothing.with(new Recall(null, null, true)), 10).getHits().getHits().length);
  }

  public void testCandidatesAreThoseOfTheRequest() {
    String encoding = randomFrom("int8", "int4", "bit1");
    int factor = Map.of("int8", 1, "int4", 2, "bit1", 4).get(encoding);
    index(encoding);
    float[] target = vector();
    QueryBuilder filter = randomBoolean() ? null : QueryBuilders.termQuery("odd", true);
    Map<Recall, Integer> candidates =
        Map.of(
            Recall.DEFAULT,
            Math.max(100, 60 * factor),
            new Recall(60, null, false),
            60 * factor,
            new Recall(500, null, false),
            500,
            new Recall(null, 3.01f, false),
            181,
            new Recall(null, 1f, false),
            100,
            new Recall(70, 1f, false),
            70);
    candidates.forEach(
        (recall, count) -> {
          SearchResponse found =
              search(new CrossModalQueryBuilder("image", target, 60, filter).with(recall), 1000);
          assertEquals(60, found.getHits().getHits().length);
          says(
              "the 60 nearest by exact embeddings of "
                  + count
                  + " candidates, by embeddings as "
                  + encoding
                  + " of a graph",
              found);
        });
    // As many candidates as documents: all of them are found, by whatever they are compared.
    assertNearest(
        target,
        60,
        filter != null,
        search(
            new CrossModalQueryBuilder("image", target, 60, filter)
                .with(new Recall(10_000, null, false)),
            1000));
  }

  public void testExactEmbeddingsAreNotOversampled() {
    index("float32");
    CrossModalQueryBuilder query =
        new CrossModalQueryBuilder("image", vector(), 10, null).with(new Recall(null, 2f, false));
    SearchPhaseExecutionException e =
        expectThrows(SearchPhaseExecutionException.class, () -> search(query, 10));
    assertEquals(400, e.status().getStatus());
    assertThat(e.toString(), containsString("[vector_encoding] of [image] is [float32]"));
  }
}
