/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.apache.lucene.util.BytesRef;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.admin.indices.shrink.ResizeType;
import org.opensearch.action.bulk.BulkItemResponse;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.action.get.GetResponse;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.index.reindex.ReindexAction;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.index.reindex.ReindexRequestBuilder;
import org.opensearch.index.reindex.UpdateByQueryAction;
import org.opensearch.index.reindex.UpdateByQueryRequestBuilder;
import org.opensearch.index.shard.IndexShard;
import org.opensearch.indices.IndicesService;
import org.opensearch.plugins.Plugin;
import org.opensearch.script.MockScriptPlugin;
import org.opensearch.script.Script;
import org.opensearch.script.ScriptType;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** Embeddings and tokens are stored once, and whatever is done to an index loses none of them. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class StorageTests extends OpenSearchSingleNodeTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final int DIMENSION = MODEL.manifest().config().embeddingDimension();

  private static final String FIELDS =
      "\"image\":{\"type\":\"cross_modal\"},\"label\":{\"type\":\"keyword\"},"
          + "\"number\":{\"type\":\"double\"},"
          + "\"site\":{\"properties\":{\"view\":{\"type\":\"cross_modal\",\"tokens\":\"fp16\"}}},"
          + "\"caption\":{\"type\":\"cross_modal\",\"modality\":\"text\",\"tokens\":\"none\"}";

  /** Sets a label, for update scripts. */
  public static final class LabelScripts extends MockScriptPlugin {
    @Override
    @SuppressWarnings("unchecked") // the context of an update script
    protected Map<String, Function<Map<String, Object>, Object>> pluginScripts() {
      return Map.of(
          "label",
          vars ->
              ((Map<String, Object>) ((Map<String, Object>) vars.get("ctx")).get("_source"))
                  .put("label", "scripted"));
    }
  }

  private static final Script LABEL =
      new Script(ScriptType.INLINE, MockScriptPlugin.NAME, "label", Map.of());

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class, ReindexModulePlugin.class, LabelScripts.class);
  }

  private long encoded() {
    var stats = getInstanceFromNode(NodeInference.class).stats();
    return stats.get(Counter.ENCODED_IMAGES) + stats.get(Counter.ENCODED_TEXTS);
  }

  private void create(String index, Settings.Builder settings, String mapping) {
    client()
        .admin()
        .indices()
        .prepareCreate(index)
        .setSettings(
            Settings.builder()
                .put("number_of_shards", 1)
                .put("number_of_replicas", 0)
                .put("refresh_interval", -1)
                .put(settings.build()))
        .setMapping(mapping)
        .get();
  }

  private void create(String index, Settings.Builder settings) {
    create(index, settings, "{\"properties\":{" + FIELDS + "}}");
  }

  private void index(String index, int id, XContentType type, Map<String, Object> source) {
    client()
        .index(new IndexRequest(index).id(Integer.toString(id)).source(source, type))
        .actionGet();
  }

  /** Documents with all, some and none of the fields, in every format; a few in each segment. */
  private void fill(String index, int count) {
    for (int i = 0; i < count; i++) {
      Map<String, Object> source = new LinkedHashMap<>();
      source.put("label", "l" + random().nextInt(100));
      source.put("number", randomBoolean() ? (Object) 1.5e30 : randomLong());
      if (!rarely()) {
        source.put("image", StoredDocuments.image(random(), randomBoolean()));
      }
      if (randomBoolean()) {
        Map<String, Object> view = StoredDocuments.image(random(), randomBoolean());
        switch (random().nextInt(3)) {
          case 0 -> source.put("site", Map.of("view", view, "name", "a \"quoted\" näme"));
          case 1 -> source.put("site", List.of(Map.of("name", "b"), Map.of("view", view)));
          default -> source.put("site.view", view);
        }
      }
      if (randomBoolean()) {
        source.put("caption", randomBoolean() ? "a pond" : Map.of("text", "a road"));
      }
      index(index, i, randomFrom(XContentType.values()), source);
      if (rarely()) {
        refresh(index);
      }
    }
  }

  private void refresh(String index) {
    client().admin().indices().prepareRefresh(index).get();
  }

  private Map<String, Object> get(String index, int id) {
    return client()
        .prepareGet(index, Integer.toString(id))
        .setFetchSource(true)
        .get()
        .getSourceAsMap();
  }

  /** All sources by id, from segments, in the two ways in which OpenSearch reads them. */
  private Map<String, Object> sources(String index) {
    refresh(index);
    Map<String, Object> sources = new TreeMap<>();
    SearchResponse all = client().prepareSearch(index).setFetchSource(true).setSize(1000).get();
    for (SearchHit hit : all.getHits()) {
      sources.put(hit.getId(), StoredDocuments.normal(hit.getSourceAsMap()));
      assertEquals(
          sources.get(hit.getId()),
          StoredDocuments.normal(
              client()
                  .prepareGet(index, hit.getId())
                  .setRealtime(false)
                  .setFetchSource(true)
                  .get()
                  .getSourceAsMap()));
    }
    return sources;
  }

  private IndexShard shard(String index) {
    return getInstanceFromNode(IndicesService.class)
        .indexServiceSafe(resolveIndex(index))
        .getShard(0);
  }

  private List<Map<String, Object>> onDisk(String index, String field) throws IOException {
    List<Map<String, Object>> sources = new ArrayList<>();
    for (BytesRef source : StoredDocuments.onDisk(shard(index), field)) {
      sources.add(XContentHelper.convertToMap(new BytesArray(source), true, (MediaType) null).v2());
    }
    return sources;
  }

  /** Every embedding and every block of tokens that the index keeps has left its source. */
  private void assertThin(String index) throws IOException {
    refresh(index);
    int values = 0;
    for (Map<String, Object> source : onDisk(index, "_source")) {
      values += assertThin(source, source.get("image"), true);
      values += assertThin(source, source.get("caption"), false);
    }
    assertTrue("the test stored something", values > 0);
  }

  private static int assertThin(Map<String, Object> source, Object value, boolean tokens) {
    if (value instanceof Map<?, ?> map) {
      assertTrue(source.toString(), map.get("embedding") instanceof Boolean);
      assertTrue(source.toString(), !tokens || map.get("tokens") instanceof Boolean);
      return 1;
    }
    return 0;
  }

  private void merge(String index) {
    client().admin().indices().prepareForceMerge(index).setMaxNumSegments(1).get();
    refresh(index);
  }

  public void testSourcesAreThinOnDiskAndWholeForEveryReader() throws IOException {
    Settings.Builder settings =
        Settings.builder().put("index.codec", randomFrom("default", "best_compression"));
    if (randomBoolean()) {
      settings.put("index.cross_modal", true);
    }
    create("pictures", settings);
    int count = 30;
    fill("pictures", count);
    Map<String, Object> fromTranslog = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      fromTranslog.put(Integer.toString(i), StoredDocuments.normal(get("pictures", i)));
    }
    long encoded = encoded();
    assertEquals(fromTranslog, sources("pictures"));
    assertThin("pictures");
    for (int i = 0; i < count; i++) {
      if (rarely()) {
        client().prepareDelete("pictures", Integer.toString(i)).get();
        fromTranslog.remove(Integer.toString(i));
      }
    }
    merge("pictures");
    assertEquals(fromTranslog, sources("pictures"));
    assertThin("pictures");
    client().admin().indices().prepareClose("pictures").get();
    client().admin().indices().prepareOpen("pictures").get();
    client().admin().cluster().prepareHealth("pictures").setWaitForYellowStatus().get();
    assertEquals(fromTranslog, sources("pictures"));
    assertEquals("nothing was encoded again", encoded, encoded());
  }

  /**
   * A document comes back in the form in which it was sent, from the translog and from segments.
   */
  public void testBytesComeBackAsBytes() throws IOException {
    create("pictures", Settings.builder());
    float[] embedding =
        Embeddings.unit("embedding", TestModels.vector(random(), DIMENSION), DIMENSION);
    byte[] bytes = Embeddings.toBytes(embedding);
    byte[] tokens =
        TokenBlockFormat.write(
            TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)),
            TokenEncoding.INT8,
            MODEL.manifest().fingerprints().tokenSpace());
    Map<String, Object> image = Map.of("embedding", bytes, "tokens", tokens);
    index("pictures", 0, XContentType.JSON, Map.of("image", image));
    index("pictures", 1, XContentType.CBOR, Map.of("image", image));
    index("pictures", 2, XContentType.SMILE, Map.of("image", image));
    for (boolean realtime : new boolean[] {true, false}) {
      Map<?, ?> json = image("pictures", 0, realtime);
      assertEquals(TestModels.base64(bytes), json.get("embedding"));
      assertEquals(TestModels.base64(tokens), json.get("tokens"));
      for (int id = 1; id < 3; id++) {
        Map<?, ?> binary = image("pictures", id, realtime);
        assertArrayEquals(bytes, (byte[]) binary.get("embedding"));
        assertArrayEquals(tokens, (byte[]) binary.get("tokens"));
      }
      refresh("pictures");
    }
    // The same embedding as numbers is the same document to whoever searches.
    index("pictures", 3, XContentType.JSON, Map.of("image", Map.of("embedding", embedding)));
    refresh("pictures");
    SearchResponse found =
        client()
            .prepareSearch("pictures")
            .setQuery(new CrossModalQueryBuilder("image", embedding, 10, null))
            .get();
    assertEquals(4, found.getHits().getHits().length);
    for (SearchHit hit : found.getHits()) {
      assertEquals(hit.getId(), found.getHits().getMaxScore(), hit.getScore(), 0);
    }
  }

  private Map<?, ?> image(String index, int id, boolean realtime) {
    return (Map<?, ?>)
        client()
            .prepareGet(index, Integer.toString(id))
            .setRealtime(realtime)
            .setFetchSource(true)
            .get()
            .getSourceAsMap()
            .get("image");
  }

  /** What is wrong with a document's bytes is said of it alone; its bulk goes on. */
  public void testBadBytesFailTheirItemAlone() {
    create("pictures", Settings.builder());
    byte[] good = Embeddings.toBytes(TestModels.vector(random(), DIMENSION));
    byte[] nan = good.clone();
    int at = 4 * random().nextInt(DIMENSION);
    ByteBuffer.wrap(nan).order(ByteOrder.LITTLE_ENDIAN).putFloat(at, Float.NaN);
    byte[] infinite = good.clone();
    ByteBuffer.wrap(infinite).order(ByteOrder.LITTLE_ENDIAN).putFloat(at, Float.NEGATIVE_INFINITY);
    Map<Object, String> bad = new LinkedHashMap<>();
    bad.put(new byte[0], "must have " + 4 * DIMENSION + " of them");
    int length = randomValueOtherThan(good.length, () -> 1 + random().nextInt(2 * good.length));
    bad.put(Arrays.copyOf(good, length), "got " + length);
    bad.put(Arrays.copyOf(good, good.length + 4), "little-endian, got " + (good.length + 4));
    bad.put(new byte[good.length], "must not be zero");
    bad.put(nan, "must be finite, got NaN at position " + at / 4);
    bad.put(infinite, "must be finite, got -Infinity at position " + at / 4);
    bad.put("1,2", "no base64");
    bad.put(Map.of(), "must be an array of " + DIMENSION + " numbers");
    BulkRequestBuilder bulk = client().prepareBulk();
    for (Object embedding : bad.keySet()) {
      XContentType type = randomFrom(XContentType.JSON, XContentType.CBOR, XContentType.SMILE);
      bulk.add(document(type, Map.of("embedding", good)));
      bulk.add(document(type, Map.of("embedding", embedding)));
      bulk.add(document(type, Map.of("embedding", good, "tokens", new byte[] {1, 2, 3})));
    }
    BulkResponse response = bulk.get();
    int item = 0;
    for (Map.Entry<Object, String> one : bad.entrySet()) {
      assertFalse(response.getItems()[item].isFailed());
      BulkItemResponse.Failure failure = response.getItems()[item + 1].getFailure();
      assertEquals(one.getValue(), RestStatus.BAD_REQUEST, failure.getStatus());
      assertThat(failure.getMessage(), containsString(one.getValue()));
      assertThat(failure.getMessage(), containsString("field [image]"));
      failure = response.getItems()[item + 2].getFailure();
      assertEquals(RestStatus.BAD_REQUEST, failure.getStatus());
      assertThat(failure.getMessage(), containsString("token block has 3 bytes"));
      item += 3;
    }
  }

  private static IndexRequest document(XContentType type, Map<String, Object> image) {
    return new IndexRequest("pictures").source(Map.of("image", image), type);
  }

  /** Asked for by name, the codec's own stored field is as one that is not there. */
  public void testWhatTheCodecKeepsForItselfStaysHidden() throws IOException {
    create("pictures", Settings.builder());
    fill("pictures", 2);
    client().admin().indices().prepareFlush("pictures").get();
    refresh("pictures");
    GetResponse found =
        client()
            .prepareGet("pictures", "1")
            .setRealtime(false)
            .setStoredFields("_cross_modal_kept")
            .get();
    assertTrue(found.isExists());
    assertNull(found.getField("_cross_modal_kept"));
  }

  public void testUpdatesOfOtherFieldsAndReindexKeepEverything() throws IOException {
    create("pictures", Settings.builder());
    create("copy", Settings.builder());
    fill("pictures", 20);
    Map<String, Object> before = sources("pictures");
    long encoded = encoded();
    client().prepareUpdate("pictures", "0").setDoc("label", "changed").get();
    client().prepareUpdate("pictures", "1").setScript(LABEL).get();
    client()
        .prepareBulk()
        .add(client().prepareUpdate("pictures", "2").setDoc("label", "changed"))
        .get();
    // Once more, from the translog.
    client().prepareUpdate("pictures", "0").setDoc("label", "again").get();
    new UpdateByQueryRequestBuilder(client(), UpdateByQueryAction.INSTANCE)
        .source("pictures")
        .filter(QueryBuilders.idsQuery().addIds("3", "4"))
        .script(LABEL)
        .refresh(true)
        .get();
    new ReindexRequestBuilder(client(), ReindexAction.INSTANCE)
        .source("pictures")
        .destination("copy")
        .refresh(true)
        .get();
    assertEquals("nothing was encoded again", encoded, encoded());
    Map<String, Object> after = sources("pictures");
    assertEquals(after, sources("copy"));
    Map<String, String> labels =
        Map.of("0", "again", "1", "scripted", "2", "changed", "3", "scripted", "4", "scripted");
    for (String id : before.keySet()) {
      Map<String, Object> expected = new HashMap<>(map(before.get(id)));
      if (labels.containsKey(id)) {
        expected.put("label", labels.get(id));
      }
      assertEquals(id, expected, after.get(id));
    }
    assertThin("pictures");
    assertThin("copy");
    assertEquals("nothing was encoded again", encoded, encoded());
    assertSameHits(hits("pictures"), hits("copy"));
  }

  @SuppressWarnings("unchecked") // a source
  private static Map<String, Object> map(Object source) {
    return (Map<String, Object>) source;
  }

  /** Scores of other batches differ in their last bits. */
  private static void assertSameHits(Map<String, Float> expected, Map<String, Float> hits) {
    assertEquals(expected.keySet(), hits.keySet());
    expected.forEach((id, score) -> assertEquals(id, score, hits.get(id), 1e-4f));
  }

  private Map<String, Float> hits(String index) {
    QuerySource side = new QuerySource.Text("a pond by the road");
    Map<String, Float> scores = new HashMap<>();
    for (SearchHit hit :
        client()
            .prepareSearch(index)
            .setQuery(new CrossModalQueryBuilder("image", side, 100, null))
            .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 100)
            .setSize(100)
            .get()
            .getHits()) {
      scores.put(hit.getId(), hit.getScore());
    }
    return scores;
  }

  public void testSplitShrinkAndCloneKeepEverything() throws IOException {
    create(
        "pictures",
        Settings.builder().put("number_of_shards", 2).put("index.number_of_routing_shards", 4));
    fill("pictures", 20);
    Map<String, Object> before = sources("pictures");
    long encoded = encoded();
    client()
        .admin()
        .indices()
        .prepareUpdateSettings("pictures")
        .setSettings(Settings.builder().put("index.blocks.write", true))
        .get();
    for (ResizeType type : ResizeType.values()) {
      int shards = type == ResizeType.SPLIT ? 4 : type == ResizeType.SHRINK ? 1 : 2;
      String name = type.name().toLowerCase(Locale.ROOT);
      client()
          .admin()
          .indices()
          .prepareResizeIndex("pictures", name)
          .setResizeType(type)
          .setSettings(
              Settings.builder()
                  .put("index.number_of_shards", shards)
                  .put("index.number_of_replicas", 0)
                  .putNull("index.blocks.write")
                  .build())
          .get();
      client().admin().cluster().prepareHealth(name).setWaitForGreenStatus().get();
      assertEquals(type.name(), before, sources(name));
      merge(name);
      assertEquals(type.name(), before, sources(name));
      assertThin(name);
    }
    assertEquals("nothing was encoded again", encoded, encoded());
    assertSameHits(hits("pictures"), hits("split"));
  }

  public void testASortedIndexKeepsEverything() throws IOException {
    create("pictures", Settings.builder().put("index.sort.field", "label"));
    fill("pictures", 30);
    Map<String, Object> before = sources("pictures");
    assertThin("pictures");
    merge("pictures");
    assertEquals(before, sources("pictures"));
    assertThin("pictures");
  }

  /** The user's own filters of sources, with OpenSearch's second source for recoveries. */
  public void testWhatTheUserExcludesStaysOut() throws IOException {
    create(
        "pictures",
        Settings.builder(),
        "{\"_source\":{\"excludes\":[\"image.bytes\"]},\"properties\":{" + FIELDS + "}}");
    create(
        "bare",
        Settings.builder(),
        "{\"_source\":{\"excludes\":[\"image\"]},\"properties\":{" + FIELDS + "}}");
    create(
        "none",
        Settings.builder(),
        "{\"_source\":{\"enabled\":false},\"properties\":{" + FIELDS + "}}");
    Map<String, Map<String, Float>> found = new HashMap<>();
    for (String index : List.of("pictures", "bare", "none")) {
      for (int i = 0; i < 12; i++) {
        index(
            index,
            i,
            XContentType.JSON,
            Map.of("label", "a", "image", StoredDocuments.image(random(), i % 3 == 0)));
        if (i % 4 == 0) {
          refresh(index);
        }
      }
      refresh(index);
      found.put(index, hits(index));
      for (Map<String, Object> whole : onDisk(index, "_recovery_source")) {
        assertEquals(1, assertThin(whole, whole.get("image"), true));
      }
    }
    assertThin("pictures");
    Map<String, Object> before = sources("pictures");
    for (Object source : before.values()) {
      Map<String, Object> image = map(map(source).get("image"));
      assertNull(image.get("bytes"));
      assertFalse(String.valueOf(image), image.get("embedding") instanceof Boolean);
      assertTrue(String.valueOf(image), image.get("tokens") instanceof String);
    }
    for (Object source : sources("bare").values()) {
      assertEquals(Set.of("label"), map(source).keySet());
    }
    long encoded = encoded();
    client().prepareUpdate("pictures", "1").setDoc("label", "changed").get();
    map(before.get("1")).put("label", "changed");
    for (String index : found.keySet()) {
      client()
          .admin()
          .indices()
          .prepareUpdateSettings(index)
          .setSettings(Settings.builder().put("index.soft_deletes.retention_lease.period", "0ms"))
          .get();
      client().admin().indices().prepareFlush(index).setForce(true).get();
      merge(index);
      assertSameHits(found.get(index), hits(index));
    }
    assertEquals(before, sources("pictures"));
    assertThin("pictures");
    assertEquals(encoded, encoded());
  }

  /** A value that nobody read when it was written is the user's, whatever is mapped later. */
  public void testAFieldThatIsMappedLater() throws IOException {
    create("pictures", Settings.builder(), "{\"dynamic\":false,\"properties\":{}}");
    index("pictures", 0, XContentType.JSON, Map.of("image", Map.of("embedding", true)));
    index("pictures", 1, XContentType.JSON, Map.of("image", StoredDocuments.image(random(), true)));
    Map<String, Object> unread = get("pictures", 1);
    client()
        .admin()
        .indices()
        .preparePutMapping("pictures")
        .setSource("{\"properties\":{" + FIELDS + "}}", XContentType.JSON)
        .get();
    index(
        "pictures", 2, XContentType.JSON, Map.of("image", StoredDocuments.image(random(), false)));
    Map<String, Object> before = sources("pictures");
    assertEquals(StoredDocuments.normal(unread), before.get("1"));
    assertEquals(Map.of("image", Map.of("embedding", true)), before.get("0"));
    client().admin().indices().prepareClose("pictures").get();
    client().admin().indices().prepareOpen("pictures").get();
    client().admin().cluster().prepareHealth("pictures").setWaitForYellowStatus().get();
    assertEquals(before, sources("pictures"));
    index("pictures", 3, XContentType.JSON, Map.of("image", StoredDocuments.image(random(), true)));
    before.put("3", StoredDocuments.normal(get("pictures", 3)));
    merge("pictures");
    assertEquals(before, sources("pictures"));
    int thin = 0;
    for (Map<String, Object> source : onDisk("pictures", "_source")) {
      thin += Boolean.TRUE.equals(map(source.get("image")).get("tokens")) ? 1 : 0;
    }
    assertEquals("the two that were read", 2, thin);
  }

  /** By the request itself or a template; else the index would be red, and nobody told. */
  public void testAnotherCodecBesideOursIsRefusedWithTheIndex() {
    Settings.Builder both =
        Settings.builder().put("index.codec", "lucene_default").put("index.cross_modal", true);
    Exception e = expectThrows(IllegalArgumentException.class, () -> create("both", both));
    assertThat(e.getMessage(), containsString("[index.codec: lucene_default] does not go with"));
    client()
        .admin()
        .indices()
        .preparePutTemplate("codecs")
        .setPatterns(List.of("templated*"))
        .setSettings(Settings.builder().put("index.codec", "lucene_default"))
        .get();
    Settings.Builder ours = Settings.builder().put("index.cross_modal", true);
    e = expectThrows(Exception.class, () -> create("templated", ours));
    assertThat(
        String.valueOf(e.getMessage()) + e.getCause(), containsString("use default or best"));
    client().admin().indices().prepareDeleteTemplate("codecs").get();
  }

  public void testSourcesStayWholeWhereTheCodecIsNotOurs() throws IOException {
    create("whole", Settings.builder().put("index.cross_modal", false));
    create("other", Settings.builder().put("index.codec", "lucene_default"));
    for (String index : List.of("whole", "other")) {
      index(index, 0, XContentType.JSON, Map.of("image", StoredDocuments.image(random(), true)));
      refresh(index);
      Map<String, Object> image = map(onDisk(index, "_source").get(0).get("image"));
      assertFalse(String.valueOf(image), image.get("embedding") instanceof Boolean);
      assertTrue(String.valueOf(image), image.get("tokens") instanceof String);
    }
  }

  public void testMappingsThatCannotBeStoredAreRefused() {
    for (String type : List.of("nested", "object")) {
      String mapping =
          "{\"properties\":{\"site\":{\"type\":\""
              + type
              + "\",\"properties\":{\"deep\":{\"properties\":{\"view\":{\"type\":\"cross_modal\"}}}}}}}";
      if (type.equals("object")) {
        create("fine", Settings.builder(), mapping);
      } else {
        assertRefused(Settings.builder(), mapping, "cannot stand in the nested object [site]");
      }
    }
    assertRefused(
        Settings.builder(),
        "{\"properties\":{\"caption\":{\"type\":\"text\",\"fields\":{\"vec\":"
            + "{\"type\":\"cross_modal\",\"modality\":\"text\"}}}}}",
        "cannot stand in the [fields] of another field");
    assertRefused(
        Settings.builder(),
        "{\"properties\":{\"caption\":{\"type\":\"text\",\"copy_to\":\"vec\"},\"vec\":"
            + "{\"type\":\"cross_modal\",\"modality\":\"text\"}}}",
        "[copy_to] of field [caption] cannot copy to field [vec]");
    assertRefused(
        Settings.builder().put("index.derived_source.enabled", true),
        "{\"properties\":{" + FIELDS + "}}",
        "does not go with [index.derived_source.enabled]");
  }

  private void assertRefused(Settings.Builder settings, String mapping, String message) {
    Exception e = expectThrows(Exception.class, () -> create("bad", settings, mapping));
    assertThat(ExceptionsHelper.stackTrace(e), containsString(message));
    assertEquals(RestStatus.BAD_REQUEST, ExceptionsHelper.status(e));
  }

  public void testPooledTokensAreStoredAndRescored() throws IOException {
    create("whole", Settings.builder());
    create(
        "pooled",
        Settings.builder(),
        "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"token_pooling\":2}}}");
    for (int i = 0; i < 6; i++) {
      Map<String, Object> image = StoredDocuments.image(random(), false);
      index("whole", i, XContentType.JSON, Map.of("image", image));
      index("pooled", i, XContentType.JSON, Map.of("image", image));
    }
    refresh("whole");
    Map<String, Object> sources = sources("pooled");
    assertThin("pooled");
    for (Object source : sources.values()) {
      byte[] block =
          Base64.getDecoder().decode((String) map(map(source).get("image")).get("tokens"));
      TokenBlockFormat.Header header = TokenBlockFormat.header(block, 0, block.length);
      assertEquals(2, header.pooling());
      assertEquals(
          TokenPooling.count(TestModels.imageTokens(TestModels.micro()), 2), header.count());
    }
    Map<String, Float> pooled = hits("pooled");
    assertEquals(6, pooled.size());
    pooled.values().forEach(score -> assertTrue("rescored", score >= 1));
    long encoded = encoded();
    // From whole to pooled without a picture being read.
    client().admin().indices().prepareDelete("pooled").get();
    create(
        "pooled",
        Settings.builder(),
        "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"token_pooling\":2}}}");
    new ReindexRequestBuilder(client(), ReindexAction.INSTANCE)
        .source("whole")
        .destination("pooled")
        .refresh(true)
        .get();
    assertEquals(sources.keySet(), sources("pooled").keySet());
    assertEquals("no picture was read", encoded, encoded());
    assertEquals(pooled.keySet(), hits("pooled").keySet());
  }

  public void testQuantisedEncodingsGiveBackExactEmbeddings() throws IOException {
    for (String encoding : List.of("int8", "int4", "bit1")) {
      create(
          encoding,
          Settings.builder().put("index.cross_modal", true),
          "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"vector_encoding\":\""
              + encoding
              + "\"}}}");
      for (int i = 0; i < 20; i++) {
        index(
            encoding, i, XContentType.JSON, Map.of("image", StoredDocuments.image(random(), true)));
      }
      Map<String, Object> before = new TreeMap<>();
      for (int i = 0; i < 20; i++) {
        before.put(Integer.toString(i), StoredDocuments.normal(get(encoding, i)));
      }
      merge(encoding);
      assertEquals(before, sources(encoding));
      assertThin(encoding);
    }
  }
}
