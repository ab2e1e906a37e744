/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.action.EncodeAction;
import io.crossmodal.plugin.action.EncodeRequest;
import io.crossmodal.plugin.action.EncodeResponse;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.codec.CrossModalCodecService;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.mapper.VectorEncoding;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.ScoreCombiner;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.lucene.codecs.hnsw.HnswGraphProvider;
import org.apache.lucene.codecs.perfield.PerFieldKnnVectorsFormat;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.apache.lucene.util.VectorUtil;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.admin.indices.template.put.PutIndexTemplateRequest;
import org.opensearch.action.bulk.BulkItemResponse;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.support.PlainActionFuture;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.action.update.UpdateRequest;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.Strings;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.core.indices.breaker.CircuitBreakerService;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.IndexSettings;
import org.opensearch.index.engine.Engine;
import org.opensearch.index.mapper.MapperParsingException;
import org.opensearch.index.query.BoolQueryBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.index.shard.IndexShard;
import org.opensearch.indices.IndicesService;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** The whole chain on one node: documents in, encoded, searched, rescored. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class CrossModalSingleNodeTests extends OpenSearchSingleNodeTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final int DIMENSION = MODEL.manifest().config().embeddingDimension();
  private static final float TOLERANCE = 1e-4f;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  private long count(Counter counter) {
    return getInstanceFromNode(NodeInference.class).stats().get(counter);
  }

  private void create(String index, String properties) {
    create(index, Settings.EMPTY, properties);
  }

  private void create(String index, Settings settings, String properties) {
    client()
        .admin()
        .indices()
        .prepareCreate(index)
        .setSettings(
            Settings.builder()
                .put("number_of_shards", 1)
                .put("number_of_replicas", 0)
                .put(settings))
        .setMapping("{\"properties\":{" + properties + "}}")
        .get();
  }

  private static final String IMAGE_FIELD =
      "\"image\":{\"type\":\"cross_modal\"},\"label\":{\"type\":\"keyword\"}";

  private static String bytes(byte[] image) {
    return "{\"bytes\":\"" + TestModels.base64(image) + "\",\"sensor\":\"rgb\"}";
  }

  private static IndexRequest doc(String index, String id, String json) {
    return new IndexRequest(index).id(id).source(json, XContentType.JSON);
  }

  private BulkResponse bulk(Object... requests) {
    BulkRequestBuilder bulk =
        client().prepareBulk().setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE);
    for (Object request : requests) {
      if (request instanceof UpdateRequest update) {
        bulk.add(update);
      } else {
        bulk.add((IndexRequest) request);
      }
    }
    return bulk.get();
  }

  private static void assertAllIndexed(BulkResponse response) {
    assertFalse(response.buildFailureMessage(), response.hasFailures());
  }

  @SuppressWarnings("unchecked")
  private Map<String, Object> image(String index, String id) {
    Map<String, Object> image =
        (Map<String, Object>)
            client().prepareGet(index, id).setFetchSource(true).get().getSourceAsMap().get("image");
    // The formats differ in how wide a number comes back.
    image.computeIfPresent(
        "embedding",
        (key, values) ->
            ((List<?>) values).stream().map(value -> ((Number) value).floatValue()).toList());
    return image;
  }

  private SearchRequestBuilder search(String index, QueryBuilder query) {
    return client().prepareSearch(index).setQuery(query).setSize(100);
  }

  private static CrossModalQueryBuilder text(String text, int k) {
    return new CrossModalQueryBuilder("image", new QuerySource.Text(text), k, null);
  }

  private static FusionRescorerBuilder fusion(String field, QuerySource side) {
    return new FusionRescorerBuilder(field, side, FusionOptions.DEFAULT);
  }

  private void indexImages(String index, int count) {
    Object[] requests = new Object[count];
    for (int i = 0; i < count; i++) {
      requests[i] =
          doc(
              index,
              Integer.toString(i),
              "{\"label\":\"l"
                  + i % 3
                  + "\",\"image\":"
                  + bytes(TestModels.png(random(), 20))
                  + "}");
    }
    assertAllIndexed(bulk(requests));
  }

  public void testImagesAreEncodedInBatchesAndFound() {
    create("pictures", IMAGE_FIELD);
    long images = count(Counter.ENCODED_IMAGES);
    long batches = count(Counter.BATCHES);
    indexImages("pictures", 12);
    assertEquals(12, count(Counter.ENCODED_IMAGES) - images);
    assertEquals("one batch", 1, count(Counter.BATCHES) - batches);

    long texts = count(Counter.ENCODED_TEXTS);
    // A text of its own, for the node and its cache of queries serve the other tests too.
    String words = randomAlphaOfLength(12);
    SearchResponse response =
        search("pictures", text(words, 100))
            .addRescorer(fusion("image", new QuerySource.Text(words)), 5)
            .get();
    assertEquals("query and rescorer share one encoding", 1, count(Counter.ENCODED_TEXTS) - texts);
    assertEquals(0, response.getFailedShards());
    SearchHit[] hits = response.getHits().getHits();
    assertEquals(12, hits.length);
    for (int i = 0; i < hits.length; i++) {
      assertEquals("rescored first", i < 5, hits[i].getScore() >= 1);
    }
    assertEquals(hits[0].getScore(), response.getHits().getMaxScore(), 0);
  }

  public void testABulkWhoseEncodingsDoNotFitIntoTheHeapIsRefused() {
    create("pictures", IMAGE_FIELD);
    CircuitBreaker heap =
        getInstanceFromNode(CircuitBreakerService.class).getBreaker(CircuitBreaker.REQUEST);
    indexImages("pictures", 3);
    assertEquals("given back", 0, heap.getUsed());
    requestBreaker("1kb");
    try {
      Object[] many = new Object[50];
      for (int i = 0; i < many.length; i++) {
        many[i] =
            doc("pictures", "m" + i, "{\"image\":" + bytes(TestModels.png(random(), 8)) + "}");
      }
      for (BulkItemResponse item : bulk(many)) {
        assertEquals(RestStatus.TOO_MANY_REQUESTS, item.getFailure().getStatus());
        assertThat(
            item.getFailureMessage(),
            containsString("keeping the encodings of the 50 values of this bulk needs"));
        assertThat(item.getFailureMessage(), containsString("send less in one request"));
      }
      assertAllIndexed(bulk(doc("pictures", "plain", "{\"label\":\"none\"}")));
      assertEquals(0, heap.getUsed());
    } finally {
      requestBreaker(null);
    }
    indexImages("pictures", 3);
  }

  /** 25 MB that a file of some kilobytes unpacks to. */
  public void testAPictureThatDoesNotFitIntoTheHeapIsRefusedAlone() throws Exception {
    create("pictures", IMAGE_FIELD);
    CircuitBreaker heap =
        getInstanceFromNode(CircuitBreakerService.class).getBreaker(CircuitBreaker.REQUEST);
    byte[] tile = TestModels.tile(5000);
    assertTrue(tile.length < 100_000);
    requestBreaker("20mb");
    try {
      BulkItemResponse[] items =
          bulk(
                  doc("pictures", "a", "{\"image\":" + bytes(TestModels.png(random(), 20)) + "}"),
                  doc("pictures", "b", "{\"image\":" + bytes(tile) + "}"),
                  doc("pictures", "c", "{\"image\":" + bytes(TestModels.png(random(), 20)) + "}"))
              .getItems();
      assertFalse(items[0].isFailed());
      assertEquals(RestStatus.TOO_MANY_REQUESTS, items[1].getFailure().getStatus());
      assertThat(items[1].getFailureMessage(), containsString("decoding a picture needs"));
      assertFalse(items[2].isFailed());
      assertFails(
          search(
              "pictures",
              new CrossModalQueryBuilder("image", new QuerySource.Image(tile, null), 1, null)),
          RestStatus.TOO_MANY_REQUESTS,
          "decoding a picture needs");
      assertBusy(() -> assertEquals(0, heap.getUsed()));
    } finally {
      requestBreaker(null);
    }
    assertAllIndexed(bulk(doc("pictures", "b", "{\"image\":" + bytes(tile) + "}")));
  }

  public void testAnEncodeWhoseAnswerDoesNotFitIntoTheHeapIsRefused() throws Exception {
    CircuitBreaker heap =
        getInstanceFromNode(CircuitBreakerService.class).getBreaker(CircuitBreaker.REQUEST);
    String texts = "{\"text\":[\"a\"" + ",\"a\"".repeat(999) + "]";
    assertEquals(1000, encode(texts + "}").size());
    requestBreaker("200kb");
    try {
      assertEquals(1000, encode(texts + "}").size());
      Exception e = expectThrows(Exception.class, () -> encode(texts + ",\"tokens\":true}"));
      assertEquals(RestStatus.TOO_MANY_REQUESTS, ExceptionsHelper.status(e));
      assertThat(e.getMessage(), containsString("the answer with 1000 encodings needs"));
      assertBusy(() -> assertEquals(0, heap.getUsed()));
    } finally {
      requestBreaker(null);
    }
  }

  private void requestBreaker(String limit) {
    client()
        .admin()
        .cluster()
        .prepareUpdateSettings()
        .setTransientSettings(Settings.builder().put("indices.breaker.request.limit", limit))
        .get();
  }

  /** Which is often the network's, and would parse mappings. */
  public void testAQueryIsNotEncodedOnTheThreadThatTookIt() {
    create("pictures", IMAGE_FIELD);
    Thread caller = Thread.currentThread();
    PlainActionFuture<Thread> answered = new PlainActionFuture<>();
    search("pictures", new CrossModalQueryBuilder("label", new QuerySource.Text("a pond"), 1, null))
        .execute(
            ActionListener.wrap(
                response -> answered.onFailure(new IllegalStateException("no such field")),
                e -> answered.onResponse(Thread.currentThread())));
    assertNotSame(caller, answered.actionGet());
  }

  public void testIndicesOfRemoteClustersAreLeftToThem() {
    create("pictures", IMAGE_FIELD);
    indexImages("pictures", 3);
    remoteCluster("127.0.0.1:1", true);
    try {
      SearchResponse response =
          client().prepareSearch("pictures", "other:pictures").setQuery(text("a pond", 10)).get();
      assertEquals(3, response.getHits().getHits().length);
      assertEquals(1, response.getClusters().getSkipped());
      assertFails(
          search("other:pict*", text("a pond", 10)),
          RestStatus.BAD_REQUEST,
          "only remote clusters are searched, [other]");
    } finally {
      remoteCluster(null, null);
    }
  }

  private void remoteCluster(String seed, Boolean skipUnavailable) {
    client()
        .admin()
        .cluster()
        .prepareUpdateSettings()
        .setTransientSettings(
            Settings.builder()
                .put("cluster.remote.other.seeds", seed)
                .put(
                    "cluster.remote.other.skip_unavailable",
                    skipUnavailable == null ? null : skipUnavailable.toString()))
        .get();
  }

  public void testScoreIsHalfOfOnePlusCosine() {
    create("pictures", IMAGE_FIELD);
    indexImages("pictures", 5);
    float[] vector = TestModels.vector(random(), DIMENSION);
    float[] unit = VectorUtil.l2normalize(vector.clone());
    float boost = 1 + randomFloat();
    for (SearchHit hit :
        search("pictures", new CrossModalQueryBuilder("image", vector, 10, null).boost(boost))
            .get()
            .getHits()) {
      List<?> embedding = (List<?>) image("pictures", hit.getId()).get("embedding");
      float dot = 0;
      for (int i = 0; i < DIMENSION; i++) {
        dot += unit[i] * ((Number) embedding.get(i)).floatValue();
      }
      assertEquals((1 + dot) / 2 * boost, hit.getScore(), TOLERANCE);
    }
  }

  public void testFilterIsAppliedInsideTheSearch() {
    create("pictures", IMAGE_FIELD);
    indexImages("pictures", 12);
    SearchResponse response =
        search(
                "pictures",
                new CrossModalQueryBuilder(
                    "image",
                    new QuerySource.Text("a pond"),
                    4,
                    QueryBuilders.termQuery("label", "l1")))
            .get();
    assertEquals(4, response.getHits().getHits().length);
    for (SearchHit hit : response.getHits()) {
      assertEquals("l1", hit.getSourceAsMap().get("label"));
    }
  }

  public void testImageFindsCaptions() {
    create(
        "captions",
        "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\",\"tokens\":\"fp16\"}");
    assertAllIndexed(
        bulk(
            doc("captions", "1", "{\"image\":{\"text\":\"a pond beside a road\"}}"),
            doc("captions", "2", "{\"image\":\"six white storage tanks\"}"),
            doc("captions", "3", "{\"image\":{\"text\":\"a\"}}")));
    QuerySource picture = new QuerySource.Image(TestModels.png(random(), 30), null);
    SearchResponse response =
        search("captions", new CrossModalQueryBuilder("image", picture, 10, null))
            .addRescorer(fusion("image", picture), 10)
            .get();
    assertEquals(3, response.getHits().getHits().length);
    for (SearchHit hit : response.getHits()) {
      assertTrue(hit.getScore() >= 1);
    }
    assertFails(
        search("captions", QueryBuilders.matchAllQuery())
            .addRescorer(fusion("image", new QuerySource.Text("x")), 10),
        RestStatus.BAD_REQUEST,
        "[query_text] does not go with field [image] of modality [text]");
  }

  public void testBadItemsOfABulkFailAlone() {
    create("mixed", IMAGE_FIELD + ",\"caption\":{\"type\":\"cross_modal\",\"modality\":\"text\"}");
    String good = bytes(TestModels.png(random(), 20));
    String noImage =
        "{\"bytes\":\"" + Base64.getEncoder().encodeToString(new byte[] {1, 2, 3}) + "\"}";
    String foreignBlock =
        TestModels.base64(
            TokenBlockFormat.write(
                TestModels.tokens(random(), TestModels.foreign(), TestModels.imageTokens(MODEL)),
                TokenEncoding.INT8,
                TestModels.foreign().manifest().fingerprints().tokenSpace()));
    float[] unit = new float[DIMENSION];
    unit[0] = 1;
    String embedding = Arrays.toString(unit);
    String[] bad = {
      "{\"image\":" + noImage + "}",
      "{\"image\":" + bytes(TestModels.png(random(), 1)) + "}",
      "{\"image\":{\"bytes\":\"%%\"}}",
      "{\"image\":{\"bytes\":17}}",
      "{\"image\":{\"bytes\":\"AAAA\",\"sensor\":\"s1\"}}",
      "{\"image\":{\"embedding\":[1,2,3]}}",
      "{\"image\":{\"embedding\":[" + "\"NaN\",".repeat(DIMENSION - 1) + "1]}}",
      "{\"image\":{\"embedding\":" + embedding + ",\"tokens\":\"" + foreignBlock + "\"}}",
      "{\"image\":{\"bytes\":\"AAAA\",\"embedding\":" + embedding + "}}",
      "{\"image\":{\"text\":\"a pond\"}}",
      "{\"image\":[" + good + "," + good + "]}",
      "{\"image\":\"x\"}",
      "{\"caption\":{\"text\":\" \"}}",
      "{\"caption\":\"\"}"
    };
    List<Object> requests = new ArrayList<>();
    requests.add(doc("mixed", "before", "{\"image\":" + good + "}"));
    for (int i = 0; i < bad.length; i++) {
      requests.add(doc("mixed", "bad" + i, bad[i]));
      requests.add(
          doc(
              "mixed",
              "good" + i,
              "{\"image\":" + good + ",\"caption\":\"" + "a pond " + i + "\"}"));
    }
    BulkResponse response = bulk(requests.toArray());
    for (BulkItemResponse item : response) {
      String id = item.getId();
      assertEquals(id + ": " + item.getFailureMessage(), id.startsWith("bad"), item.isFailed());
      if (item.isFailed()) {
        assertEquals(id + ": " + item.getFailureMessage(), RestStatus.BAD_REQUEST, item.status());
        assertThat(
            item.getFailureMessage(),
            containsString(id.compareTo("bad12") >= 0 && id.length() == 5 ? "caption" : "image"));
      }
    }
    assertEquals(
        bad.length + 1,
        search("mixed", QueryBuilders.matchAllQuery()).get().getHits().getHits().length);
  }

  public void testUpdateAndReindexDoNotEncodeAgain() {
    create("pictures", IMAGE_FIELD);
    create("copy", IMAGE_FIELD);
    indexImages("pictures", 3);
    Map<String, Object> before = image("pictures", "1");
    long images = count(Counter.ENCODED_IMAGES);

    client().prepareUpdate("pictures", "1").setDoc("label", "single").get();
    assertAllIndexed(bulk(new UpdateRequest("pictures", "2").doc("label", "bulk")));
    assertAllIndexed(
        bulk(
            new IndexRequest("copy")
                .id("1")
                .source(
                    client()
                        .prepareGet("pictures", "1")
                        .setFetchSource(true)
                        .get()
                        .getSourceAsMap())));
    assertEquals("nothing was encoded", images, count(Counter.ENCODED_IMAGES));
    assertEquals(before, image("pictures", "1"));
    assertEquals(before, image("copy", "1"));
    assertEquals(1, search("copy", text("a pond", 10)).get().getHits().getHits().length);

    String other = "{\"image\":" + bytes(TestModels.png(random(), 20)) + "}";
    client().prepareUpdate("pictures", "1").setDoc(other, XContentType.JSON).get();
    assertEquals(images + 1, count(Counter.ENCODED_IMAGES));
    assertNotEquals(before.get("embedding"), image("pictures", "1").get("embedding"));
    assertAllIndexed(bulk(new UpdateRequest("pictures", "2").doc(other, XContentType.JSON)));
    assertEquals(images + 2, count(Counter.ENCODED_IMAGES));
    assertEquals(image("pictures", "1"), image("pictures", "2"));
    assertAllIndexed(
        bulk(new UpdateRequest("pictures", "new").doc(other, XContentType.JSON).docAsUpsert(true)));
    assertEquals(image("pictures", "1"), image("pictures", "new"));
  }

  public void testAPartialUpdateCannotLeaveAStaleEmbedding() {
    create("captions", "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\"}");
    assertAllIndexed(bulk(doc("captions", "1", "{\"image\":\"a pond\"}")));
    String mark = (String) image("captions", "1").get("encoded_from");
    // As a script on the shard would leave it: the text is new, its mark is old.
    client()
        .admin()
        .cluster()
        .prepareUpdateSettings()
        .setTransientSettings(
            Settings.builder().put("cluster.ingest.system_pipeline_enabled", false))
        .get();
    try {
      BulkResponse response =
          bulk(
              new UpdateRequest("captions", "1")
                  .doc("{\"image\":{\"text\":\"a lake\"}}", XContentType.JSON),
              doc("captions", "2", "{\"image\":\"a road\"}"));
      assertThat(response.getItems()[0].getFailureMessage(), containsString("was changed"));
      assertThat(
          response.getItems()[1].getFailureMessage(),
          containsString("[cluster.ingest.system_pipeline_enabled]"));
      assertEquals(RestStatus.BAD_REQUEST, response.getItems()[0].status());
      assertEquals(mark, image("captions", "1").get("encoded_from"));
    } finally {
      client()
          .admin()
          .cluster()
          .prepareUpdateSettings()
          .setTransientSettings(
              Settings.builder().putNull("cluster.ingest.system_pipeline_enabled"))
          .get();
    }
  }

  public void testNestedObjectsDottedNamesAndTemplates() {
    client()
        .admin()
        .indices()
        .putTemplate(
            new PutIndexTemplateRequest("made")
                .patterns(List.of("made-*"))
                .mapping(
                    "{\"properties\":{\"site\":{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}}}",
                    XContentType.JSON))
        .actionGet();
    String image = bytes(TestModels.png(random(), 20));
    try {
      assertAllIndexed(
          bulk(
              doc("made-1", "1", "{\"site\":{\"image\":" + image + "}}"),
              doc("made-1", "2", "{\"site.image\":" + image + "}"),
              doc("made-1", "3", "{\"site\":{\"image\":null}}"),
              doc("made-1", "4", "{}")));
    } finally {
      client().admin().indices().prepareDeleteTemplate("made").get();
    }
    CrossModalQueryBuilder query =
        new CrossModalQueryBuilder("site.image", new QuerySource.Text("a pond"), 10, null);
    assertEquals(2, search("made-1", query).get().getHits().getHits().length);
    assertEquals(
        2,
        search("made-1", QueryBuilders.existsQuery("site.image")).get().getHits().getHits().length);
  }

  public void testExplainEqualsScore() {
    create("pictures", IMAGE_FIELD);
    indexImages("pictures", 8);
    assertAllIndexed(bulk(doc("pictures", "none", "{\"label\":\"l0\"}")));
    for (FusionScoreMode mode : FusionScoreMode.values()) {
      boolean weights = mode != FusionScoreMode.REPLACE;
      FusionOptions options =
          new FusionOptions(
              new ScoreCombiner(mode, weights ? randomFloat() : 1, weights ? randomFloat() : 1),
              randomFrom(MissingPolicy.KEEP_FIRST_PASS, MissingPolicy.SCORE_ZERO),
              FailurePolicy.FAIL,
              null,
              0);
      SearchResponse response =
          search(
                  "pictures",
                  new BoolQueryBuilder()
                      .should(text("a pond", 100))
                      .should(QueryBuilders.termQuery("label", "l0")))
              .addRescorer(
                  new FusionRescorerBuilder("image", new QuerySource.Text("a pond"), options),
                  randomIntBetween(1, 12))
              .setExplain(true)
              .get();
      assertEquals(9, response.getHits().getHits().length);
      for (SearchHit hit : response.getHits()) {
        assertEquals(
            mode + ": " + hit.getExplanation(),
            hit.getScore(),
            hit.getExplanation().getValue().floatValue(),
            TOLERANCE);
      }
    }
  }

  public void testDeletedDocumentsAndASegmentWithoutTheField() {
    create("pictures", IMAGE_FIELD);
    assertEquals(
        "an empty index",
        0,
        search("pictures", text("a pond", 5))
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 5)
            .get()
            .getHits()
            .getHits()
            .length);
    indexImages("pictures", 6);
    assertAllIndexed(bulk(doc("pictures", "none", "{\"label\":\"l0\"}")));
    client()
        .prepareDelete("pictures", "2")
        .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
        .get();
    SearchResponse response =
        search("pictures", QueryBuilders.matchAllQuery())
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 100)
            .get();
    assertEquals(6, response.getHits().getHits().length);
    SearchHit last = response.getHits().getAt(5);
    assertEquals("none", last.getId());
    assertEquals(0.5f, last.getScore(), 1e-6f);
  }

  public void testSearchErrorsAreTheUsers() {
    create("pictures", IMAGE_FIELD + ",\"bare\":{\"type\":\"cross_modal\",\"tokens\":\"none\"}");
    indexImages("pictures", 2);
    assertFails(
        search("pictures", new CrossModalQueryBuilder("label", new QuerySource.Text("x"), 1, null)),
        RestStatus.BAD_REQUEST,
        "[label] is no field of type [cross_modal]");
    assertFails(
        search(
            "pictures", new CrossModalQueryBuilder("nothing", new QuerySource.Text("x"), 1, null)),
        RestStatus.BAD_REQUEST,
        "[nothing] is no field of type [cross_modal]");
    assertFails(
        search(
            "pictures",
            new CrossModalQueryBuilder("image", new QuerySource.Image(new byte[3], null), 1, null)),
        RestStatus.BAD_REQUEST,
        "[query_image]");
    assertFails(
        search(
            "pictures",
            new CrossModalQueryBuilder(
                "image", new QuerySource.Image(TestModels.png(random(), 20), "s1"), 1, null)),
        RestStatus.BAD_REQUEST,
        "unknown sensor [s1]");
    assertFails(
        search("pictures", new CrossModalQueryBuilder("image", new float[] {1}, 1, null)),
        RestStatus.BAD_REQUEST,
        "must have " + DIMENSION + " values");
    FusionOptions filtered =
        new FusionOptions(
            FusionOptions.DEFAULT.combiner(),
            MissingPolicy.KEEP_FIRST_PASS,
            FailurePolicy.KEEP_FIRST_PASS,
            null,
            3);
    QuerySource picture = new QuerySource.Image(TestModels.png(random(), 20), null);
    assertFails(
        search("pictures", QueryBuilders.matchAllQuery())
            .addRescorer(new FusionRescorerBuilder("image", picture, filtered), 5),
        RestStatus.BAD_REQUEST,
        "[filter_size] must be 0, got [3]: [query_image] is an image");
    assertFails(
        search("pictures", QueryBuilders.matchAllQuery())
            .addRescorer(fusion("bare", new QuerySource.Text("x")), 5),
        RestStatus.BAD_REQUEST,
        "[bare] stores no tokens");
    assertFails(
        search("pictures", QueryBuilders.matchAllQuery())
            .addRescorer(fusion("image", new QuerySource.Text("x")), 100_000),
        RestStatus.BAD_REQUEST,
        "[window_size] must be at most 1000, got 100000");
  }

  private static void assertFails(SearchRequestBuilder search, RestStatus status, String message) {
    Exception e = expectThrows(Exception.class, search::get);
    assertEquals(e.toString(), status, ExceptionsHelper.status(e));
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }

  public void testADocumentIsAQuery() {
    create("pictures", IMAGE_FIELD);
    create(
        "captions",
        "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\"},"
            + "\"bare\":{\"type\":\"cross_modal\",\"modality\":\"text\",\"tokens\":\"none\"}");
    indexImages("pictures", 6);
    assertAllIndexed(
        bulk(
            doc("captions", "pond", "{\"image\":\"a pond\",\"bare\":\"a pond\"}"),
            doc("captions", "empty", "{}")));
    long encoded = count(Counter.ENCODED_TEXTS) + count(Counter.ENCODED_IMAGES);

    // A picture of the archive finds itself.
    QuerySource picture = new QuerySource.Document("3", null, null);
    SearchResponse same =
        search("pictures", new CrossModalQueryBuilder("image", picture, 3, null)).get();
    assertEquals("3", same.getHits().getAt(0).getId());
    assertEquals(1, same.getHits().getAt(0).getScore(), TOLERANCE);

    // A stored caption ranks as its text does, but for the rounding of its stored tokens.
    QuerySource caption = new QuerySource.Document("pond", "captions", null);
    SearchResponse byId =
        search("pictures", new CrossModalQueryBuilder("image", caption, 10, null))
            .addRescorer(fusion("image", caption), 10)
            .get();
    assertEquals("nothing was encoded", encoded, encodings());
    SearchResponse byText =
        search("pictures", text("a pond", 10))
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 10)
            .get();
    assertEquals(6, byId.getHits().getHits().length);
    Map<String, Float> expected = new HashMap<>();
    byText.getHits().forEach(hit -> expected.put(hit.getId(), hit.getScore()));
    for (SearchHit hit : byId.getHits()) {
      assertEquals(expected.get(hit.getId()), hit.getScore(), 2e-2f);
    }

    // A stored picture finds captions, from a field of another name.
    QuerySource stored = new QuerySource.Document("0", "pictures", "image");
    SearchResponse captions =
        search("captions", new CrossModalQueryBuilder("bare", stored, 10, null))
            .addRescorer(fusion("image", stored), 10)
            .get();
    assertEquals("pond", captions.getHits().getAt(0).getId());
    assertTrue(captions.getHits().getAt(0).getScore() >= 1);
  }

  private long encodings() {
    return count(Counter.ENCODED_TEXTS) + count(Counter.ENCODED_IMAGES);
  }

  public void testADocumentThatCannotBeAQuery() {
    create("pictures", IMAGE_FIELD);
    create(
        "captions",
        "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\",\"tokens\":\"none\"}");
    indexImages("pictures", 1);
    assertAllIndexed(
        bulk(doc("captions", "pond", "{\"image\":\"a pond\"}"), doc("captions", "empty", "{}")));
    assertIdFails(
        "pictures,captions", new QuerySource.Document("0", null, null), "2 indices are searched");
    // One answer for all that is not there: no document, value, field, field of that type, index.
    for (String[] none :
        new String[][] {
          {"9", "pictures", "image"},
          {"empty", "captions", "image"},
          {"0", "pictures", "nothing"},
          {"0", "pictures", "label"},
          {"0", "gone", "image"}
        }) {
      assertIdFails(
          "pictures",
          new QuerySource.Document(none[0], none[1], none[2]),
          String.format(
              Locale.ROOT,
              "[query_id]: there is no document [%s] in index [%s] with a value in a field [%s] of"
                  + " type [cross_modal]; name another field with [query_field]",
              (Object[]) none));
    }
    assertFails(
        search("pictures", QueryBuilders.matchAllQuery())
            .addRescorer(fusion("image", new QuerySource.Document("pond", "captions", null)), 5),
        RestStatus.BAD_REQUEST,
        "the document stores no tokens");
  }

  private void assertIdFails(String indices, QuerySource side, String message) {
    assertFails(
        client()
            .prepareSearch(indices.split(","))
            .setQuery(new CrossModalQueryBuilder("image", side, 1, null)),
        RestStatus.BAD_REQUEST,
        message);
  }

  public void testEncodeGivesWhatADocumentStores() throws IOException {
    create("pictures", IMAGE_FIELD);
    byte[] picture = TestModels.png(random(), 20);
    assertAllIndexed(bulk(doc("pictures", "1", "{\"image\":" + bytes(picture) + "}")));
    Map<String, Object> stored = image("pictures", "1");
    List<Map<String, Object>> items =
        encode(
            "{\"images\":[\"" + TestModels.base64(picture) + "\",\"aGVsbG8=\"],\"tokens\":true}");
    assertEquals(2, items.size());
    List<?> expected = (List<?>) stored.get("embedding");
    List<?> found = (List<?>) items.get(0).get("embedding");
    assertEquals(DIMENSION, found.size());
    for (int d = 0; d < DIMENSION; d++) {
      assertEquals(
          ((Number) expected.get(d)).doubleValue(),
          ((Number) found.get(d)).doubleValue(),
          TOLERANCE);
    }
    assertEquals(stored.get("tokens"), items.get(0).get("tokens"));
    assertThat((String) items.get(1).get("error"), containsString("JPEG"));

    List<Map<String, Object>> texts =
        encode("{\"text\":[\"a pond\",\" \",\"" + "abc ".repeat(100) + "\"]}");
    assertNull("no tokens unless asked for", texts.get(0).get("tokens"));
    assertNotNull(texts.get(1).get("error"));
    assertThat((String) texts.get(2).get("notice"), containsString("text cut"));

    Exception e =
        expectThrows(
            Exception.class,
            () ->
                client()
                    .execute(EncodeAction.INSTANCE, request("none", "{\"text\":[\"a\"]}"))
                    .get());
    assertEquals(
        RestStatus.NOT_FOUND, ExceptionsHelper.status(ExceptionsHelper.unwrapCause(e.getCause())));
    Exception sensor =
        expectThrows(Exception.class, () -> encode("{\"images\":[\"AAAA\"],\"sensor\":\"s1\"}"));
    assertThat(sensor.toString(), containsString("unknown sensor [s1]"));
  }

  private EncodeRequest request(String model, String body) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      return EncodeRequest.parse(model, parser);
    }
  }

  @SuppressWarnings("unchecked")
  private List<Map<String, Object>> encode(String body) throws IOException {
    EncodeRequest request = request(MODEL.manifest().id(), body);
    EncodeResponse response = client().execute(EncodeAction.INSTANCE, request).actionGet();
    return (List<Map<String, Object>>)
        XContentHelper.convertToMap(
                JsonXContent.jsonXContent, Strings.toString(MediaTypeRegistry.JSON, response), true)
            .get("items");
  }

  public void testALongTextIsCutAndFound() {
    create("captions", "\"image\":{\"type\":\"cross_modal\",\"modality\":\"text\"}");
    String text = "abc ".repeat(100).strip();
    assertAllIndexed(bulk(doc("captions", "1", "{\"image\":\"" + text + "\"}")));
    SearchResponse response =
        search("captions", new CrossModalQueryBuilder("image", new QuerySource.Text(text), 1, null))
            .get();
    assertEquals("the same text", 1, response.getHits().getAt(0).getScore(), TOLERANCE);
  }

  public void testSeveralIndicesOfWhichOneHasTheField() {
    create("pictures", IMAGE_FIELD);
    create("plain", "\"label\":{\"type\":\"keyword\"}");
    indexImages("pictures", 3);
    assertAllIndexed(bulk(doc("plain", "1", "{\"label\":\"l0\"}")));
    SearchResponse response =
        client()
            .prepareSearch("pictures", "plain")
            .setQuery(
                new BoolQueryBuilder()
                    .should(text("a pond", 10))
                    .should(QueryBuilders.termQuery("label", "l0")))
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 10)
            .get();
    assertEquals(response.toString(), 0, response.getFailedShards());
    assertEquals(4, response.getHits().getHits().length);
    assertEquals("plain", response.getHits().getAt(3).getIndex());
  }

  public void testGraphParametersTakeEffectWithTheCodec() throws IOException {
    create(
        "tuned",
        Settings.builder()
            .put("index.cross_modal", true)
            .put("index.codec", randomFrom("default", "best_compression"))
            .build(),
        "\"image\":{\"type\":\"cross_modal\",\"m\":8,\"ef_construction\":50}");
    create("usual", IMAGE_FIELD);
    for (String index : List.of("tuned", "usual")) {
      // Lucene builds no graph for fewer than about 650 vectors.
      Object[] requests = new Object[800];
      for (int i = 0; i < requests.length; i++) {
        requests[i] =
            doc(
                index,
                Integer.toString(i),
                "{\"image\":{\"embedding\":"
                    + Arrays.toString(TestModels.vector(random(), DIMENSION))
                    + "}}");
      }
      assertAllIndexed(bulk(requests));
      client().admin().indices().prepareForceMerge(index).setMaxNumSegments(1).setFlush(true).get();
      client().admin().indices().prepareRefresh(index).get();
    }
    assertEquals(8, neighbours("tuned"));
    assertEquals(16, neighbours("usual"));
    SearchResponse response =
        search("tuned", text("a pond", 10))
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 10)
            .get();
    assertEquals(10, response.getHits().getHits().length);
  }

  /** As a start without this plugin leaves an index: with its setting put aside, or taken away. */
  public void testGraphParametersOutliveAStartWithoutThePlugin() throws IOException {
    create(
        "tuned",
        Settings.builder().put("index.cross_modal", true).build(),
        "\"image\":{\"type\":\"cross_modal\",\"m\":32,\"vector_encoding\":\"int8\"}");
    indexImages("tuned", 3);
    IndexMetadata before =
        client().admin().cluster().prepareState().get().getState().metadata().index("tuned");
    for (boolean archived : new boolean[] {true, false}) {
      Settings.Builder settings = Settings.builder().put(before.getSettings());
      settings.remove("index.cross_modal");
      if (archived) {
        settings.put("archived.index.cross_modal", true);
      }
      IndexMetadata after = IndexMetadata.builder(before).settings(settings).build();
      // What a node does before it opens an index's shards.
      getInstanceFromNode(IndicesService.class).verifyIndexMetadata(after, after);
      assertTrue(CrossModalCodecService.serves(new IndexSettings(after, Settings.EMPTY)));
    }
    // A mapping that is made still needs it.
    String mapping = before.mapping().source().string();
    assertThat(mapping, containsString("spaces"));
    MapperParsingException e =
        expectThrows(
            MapperParsingException.class,
            () -> client().admin().indices().prepareCreate("copy").setMapping(mapping).get());
    assertThat(e.getMessage(), containsString("[index.cross_modal: true]"));
  }

  /** Quantised graphs choose the candidates, exact embeddings give the scores and the order. */
  public void testQuantisedGraphsFindByExactScores() {
    for (VectorEncoding encoding : VectorEncoding.values()) {
      String index = "vectors_" + encoding.key();
      create(
          index,
          Settings.builder().put("index.cross_modal", true).build(),
          "\"label\":{\"type\":\"keyword\"},\"image\":{\"type\":\"cross_modal\","
              + "\"vector_encoding\":\""
              + encoding.key()
              + "\"}");
      float[][] stored = new float[1000][];
      for (int from = 0; from < stored.length; from += 250) {
        Object[] requests = new Object[250];
        for (int i = 0; i < requests.length; i++) {
          int id = from + i;
          stored[id] = VectorUtil.l2normalize(TestModels.vector(random(), DIMENSION));
          requests[i] =
              doc(
                  index,
                  Integer.toString(id),
                  "{\"label\":\"l"
                      + id % 2
                      + "\",\"image\":{\"embedding\":"
                      + Arrays.toString(stored[id])
                      + "}}");
        }
        assertAllIndexed(bulk(requests));
      }
      client().prepareIndex(index).setId("bare").setSource("label", "l0").get();
      if (randomBoolean()) {
        client().admin().indices().prepareForceMerge(index).setMaxNumSegments(1).get();
      }
      client().admin().indices().prepareRefresh(index).get();
      float[] target = VectorUtil.l2normalize(TestModels.vector(random(), DIMENSION));
      boolean filtered = randomBoolean();
      int[] nearest =
          IntStream.range(0, stored.length)
              .filter(id -> !filtered || id % 2 == 0)
              .boxed()
              .sorted(Comparator.comparingDouble(id -> -VectorUtil.dotProduct(target, stored[id])))
              .mapToInt(id -> id)
              .toArray();
      SearchHit[] hits =
          search(
                  index,
                  new CrossModalQueryBuilder(
                      "image",
                      target,
                      20,
                      filtered ? QueryBuilders.termQuery("label", "l0") : null))
              .get()
              .getHits()
              .getHits();
      assertEquals(20, hits.length);
      Set<Integer> found = new HashSet<>();
      for (SearchHit hit : hits) {
        int id = Integer.parseInt(hit.getId());
        found.add(id);
        assertEquals(
            (1 + VectorUtil.dotProduct(target, stored[id])) / 2, hit.getScore(), TOLERANCE);
      }
      long right = Arrays.stream(nearest).limit(20).filter(found::contains).count();
      // Eight dimensions of a bit each tell little; the others tell nearly all.
      int least = encoding == VectorEncoding.BIT1 ? 4 : 17;
      assertTrue(encoding + " finds " + right + " of 20", right >= least);
    }
  }

  /** M of the graph in an index's first segment. */
  private int neighbours(String index) throws IOException {
    IndexShard shard =
        getInstanceFromNode(IndicesService.class).indexServiceSafe(resolveIndex(index)).getShard(0);
    try (Engine.Searcher searcher = shard.acquireSearcher("test")) {
      LeafReader leaf = searcher.getDirectoryReader().leaves().get(0).reader();
      PerFieldKnnVectorsFormat.FieldsReader vectors =
          (PerFieldKnnVectorsFormat.FieldsReader)
              ((CodecReader) FilterLeafReader.unwrap(leaf)).getVectorReader();
      return ((HnswGraphProvider) vectors.getFieldReader("image")).getGraph("image").maxConn();
    }
  }

  public void testOwnEmbeddingAndTokens() {
    create("pictures", IMAGE_FIELD);
    TokenBlock tokens = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
    String block =
        TestModels.base64(
            TokenBlockFormat.write(
                tokens, TokenEncoding.FP16, MODEL.manifest().fingerprints().tokenSpace()));
    assertAllIndexed(
        bulk(
            doc(
                "pictures",
                "1",
                String.format(
                    Locale.ROOT,
                    "{\"image\":{\"embedding\":%s,\"tokens\":\"%s\",\"sensor\":\"rgb\"}}",
                    Arrays.toString(TestModels.vector(random(), DIMENSION)),
                    block))));
    SearchResponse response =
        search("pictures", text("a pond", 10))
            .addRescorer(fusion("image", new QuerySource.Text("a pond")), 10)
            .get();
    assertTrue(response.getHits().getAt(0).getScore() >= 1);
  }
}
