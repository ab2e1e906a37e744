/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.mapper.Spaces;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.ExceptionsHelper;
import org.opensearch.OpenSearchException;
import org.opensearch.action.support.IndicesOptions;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.DeprecationHandler;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.ToXContent;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** What may be uploaded, and what becomes of what may not. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class ModelUploadTests extends OpenSearchSingleNodeTestCase {
  private static byte[] micro;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  @Override
  protected Settings nodeSettings() {
    return Settings.builder()
        .put(CrossModalSettings.MODEL_CHUNK_SIZE.getKey(), "4kb")
        .put(CrossModalSettings.MODEL_MAX_SIZE.getKey(), "1mb")
        .build();
  }

  /** The node serves the next test too. */
  @Override
  public void tearDown() throws Exception {
    client()
        .admin()
        .indices()
        .prepareDelete("*")
        .setIndicesOptions(IndicesOptions.lenientExpandHidden())
        .get();
    registry().catalog().stored().keySet().forEach(this::delete);
    super.tearDown();
  }

  private static byte[] micro() {
    if (micro == null) {
      micro = TestModels.zip(TestModels.micro(), createTempDir());
    }
    return micro;
  }

  static UploadModelRequest request(
      XContentType type, String id, byte[] bytes, String sha256, int part, int parts)
      throws IOException {
    try (XContentBuilder body = MediaTypeRegistry.contentBuilder(type)) {
      body.startObject().field("bundle", bytes);
      if (sha256 != null) {
        body.field("sha256", sha256);
      }
      body.endObject();
      try (XContentParser parser =
          type.xContent()
              .createParser(
                  NamedXContentRegistry.EMPTY,
                  DeprecationHandler.THROW_UNSUPPORTED_OPERATION,
                  BytesReference.bytes(body).streamInput())) {
        return UploadModelRequest.parse(id, part, parts, parser);
      }
    }
  }

  private UploadModelResponse upload(String id, byte[] bytes) throws IOException {
    return upload(id, bytes, null, 0, 1);
  }

  private UploadModelResponse upload(String id, byte[] bytes, String sha256, int part, int parts)
      throws IOException {
    XContentType type = randomFrom(XContentType.JSON, XContentType.CBOR, XContentType.SMILE);
    return client()
        .execute(UploadModelAction.INSTANCE, request(type, id, bytes, sha256, part, parts))
        .actionGet();
  }

  private void assertRefused(RestStatus status, String message, byte[] bytes) {
    assertFails(status, message, () -> upload("bad", bytes));
    assertFalse(registry().catalog().has("bad"));
  }

  private static void assertFails(RestStatus status, String message, ThrowingRunnable action) {
    Exception e = expectThrows(Exception.class, action);
    assertEquals(e.toString(), status, ExceptionsHelper.status(ExceptionsHelper.unwrapCause(e)));
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }

  private ModelRegistry registry() {
    return getInstanceFromNode(ModelRegistry.class);
  }

  /** Chunks and parts, without the records of what they are. */
  private long documents() {
    client().admin().indices().prepareRefresh(ModelIndex.NAME).get();
    return client()
        .prepareSearch(ModelIndex.NAME)
        .setIndicesOptions(IndicesOptions.lenientExpandHidden())
        .setQuery(QueryBuilders.boolQuery().mustNot(QueryBuilders.existsQuery("kind")))
        .setSize(0)
        .setTrackTotalHits(true)
        .get()
        .getHits()
        .getTotalHits()
        .value();
  }

  private static byte[][] split(byte[] bytes, int parts) {
    byte[][] split = new byte[parts][];
    for (int i = 0; i < parts; i++) {
      split[i] =
          Arrays.copyOfRange(bytes, bytes.length * i / parts, bytes.length * (i + 1) / parts);
    }
    return split;
  }

  public void testAWholeBundle() throws IOException {
    UploadModelResponse first = upload("mine", micro());
    assertEquals(1, first.version());
    assertTrue(first.created());
    ModelVersion version = registry().catalog().version("mine");
    assertEquals(Sha256.hex(micro()), version.sha256());
    assertEquals("mine", version.manifest().id());
    ModelBundle bundle = version.bundle().join();
    assertEquals(TestModels.micro().manifest().fingerprints(), bundle.manifest().fingerprints());

    UploadModelResponse again = upload("mine", micro());
    assertFalse("the same bytes again", again.created());
    assertEquals(1, again.version());
    assertSame(version, registry().catalog().version("mine"));
  }

  public void testANewHeadIsTheNextVersionAndOtherSpacesAreRefused() throws IOException {
    upload("mine", micro());
    UploadModelResponse second =
        upload("mine", TestModels.zip(TestModels.newHead("any", 7), createTempDir()));
    assertEquals(2, second.version());
    assertEquals(2, registry().catalog().version("mine").number());
    byte[] foreign = TestModels.zip(TestModels.foreign(), createTempDir());
    long before = documents();
    assertFails(RestStatus.CONFLICT, "choose another id", () -> upload("mine", foreign));
    assertEquals("refused before it is stored", before, documents());
    assertEquals(2, registry().catalog().version("mine").number());
    assertEquals(1, upload("other", foreign).version());
    assertEquals(Set.of("micro", "mine", "other"), registry().catalog().ids());
  }

  public void testTheShippedModelStays() {
    assertFails(RestStatus.CONFLICT, "comes with the plugin", () -> upload("micro", micro()));
    assertFails(
        RestStatus.CONFLICT,
        "comes with the plugin",
        () ->
            client()
                .execute(DeleteModelAction.INSTANCE, new DeleteModelAction.Request("micro"))
                .actionGet());
  }

  public void testPartsInAnyOrder() throws IOException {
    String sha256 = Sha256.hex(micro());
    byte[][] parts = split(micro(), 5);
    List<Integer> order = new ArrayList<>(List.of(0, 1, 2, 3, 4));
    Collections.shuffle(order, random());
    for (int i = 0; i < 4; i++) {
      int part = order.get(i);
      UploadModelResponse waits = upload("mine", parts[part], sha256, part, 5);
      assertEquals(RestStatus.ACCEPTED, waits.status());
      assertEquals(Set.copyOf(order.subList(i + 1, 5)), Set.copyOf(waits.missing()));
      assertFalse(registry().catalog().has("mine"));
    }
    UploadModelResponse whole = upload("mine", parts[order.get(4)], sha256, order.get(4), 5);
    assertEquals(RestStatus.OK, whole.status());
    assertEquals(1, whole.version());
    int chunks = (micro().length + 4095) / 4096;
    assertEquals("the parts are gone", chunks, documents());
    registry().catalog().version("mine").bundle().join();
  }

  public void testPartsWithoutADigestStartWithTheFirst() throws IOException {
    byte[][] given = split(TestModels.zip(TestModels.foreign(), createTempDir()), 3);
    upload("mine", given[0], null, 0, 3);
    upload("mine", given[1], null, 1, 3);
    byte[][] parts = split(micro(), 3);
    assertEquals(List.of(1, 2), upload("mine", parts[0], null, 0, 3).missing());
    assertEquals(List.of(2), upload("mine", parts[1], null, 1, 3).missing());
    assertEquals(1, upload("mine", parts[2], null, 2, 3).version());
    assertEquals(Sha256.hex(micro()), registry().catalog().version("mine").sha256());
  }

  public void testAPartOfAnotherBundle() throws IOException {
    String sha256 = Sha256.hex(micro());
    byte[][] parts = split(micro(), 2);
    upload("mine", parts[0], sha256, 0, 2);
    byte[] wrong = parts[1].clone();
    wrong[7] ^= 1;
    assertFails(
        RestStatus.BAD_REQUEST,
        "should have the SHA-256 [" + sha256,
        () -> upload("mine", wrong, sha256, 1, 2));
    assertFalse(registry().catalog().has("mine"));
    // Only the wrong one need be sent again.
    assertEquals(1, upload("mine", parts[1], sha256, 1, 2).version());
  }

  public void testBadBundles() throws IOException {
    assertRefused(RestStatus.BAD_REQUEST, "cut short", Arrays.copyOf(micro(), micro().length / 2));
    assertRefused(
        RestStatus.BAD_REQUEST, "no zip", "no bundle at all".getBytes(StandardCharsets.UTF_8));
    Map<String, byte[]> entries = TestModels.entries(micro());
    Map<String, byte[]> climbing = new LinkedHashMap<>(entries);
    climbing.put("../../config/opensearch.yml", new byte[3]);
    assertRefused(RestStatus.BAD_REQUEST, "../../config", zip(climbing));
    Map<String, byte[]> newer = new LinkedHashMap<>(entries);
    newer.put(
        "manifest.json",
        new String(entries.get("manifest.json"), StandardCharsets.UTF_8)
            .replace("\"format_version\": 1", "\"format_version\": 2")
            .getBytes(StandardCharsets.UTF_8));
    assertRefused(RestStatus.BAD_REQUEST, "format version 2, this code reads 1", zip(newer));
    Map<String, byte[]> off = new LinkedHashMap<>(entries);
    off.put(
        "manifest.json",
        new String(entries.get("manifest.json"), StandardCharsets.UTF_8)
            .replaceFirst("(\"itm\": \\[\\s*)", "$1 99, ")
            .replaceFirst("(\"itm\": \\[\\s*99,[^,]*), *[^,]*", "$1")
            .getBytes(StandardCharsets.UTF_8));
    assertRefused(RestStatus.BAD_REQUEST, "golden rgb matching logits", zip(off));
    Map<String, byte[]> bomb = new LinkedHashMap<>(entries);
    bomb.put("manifest.json", new byte[(16 << 20) + 1]);
    byte[] small = zip(bomb);
    assertTrue("a small file", small.length < 1 << 20);
    assertRefused(RestStatus.BAD_REQUEST, "may unpack to at most", small);
    byte[] foreign = TestModels.withForeignCode(zip(off));
    for (String part :
        List.of(
            "golden rgb matching logits: value 0 should be 99",
            "model.pt holds other code, which is not run",
            "set [" + CrossModalSettings.ALLOW_FOREIGN_CODE.getKey() + "] to run it")) {
      assertRefused(RestStatus.BAD_REQUEST, part, foreign);
    }
    assertRefused(RestStatus.REQUEST_ENTITY_TOO_LARGE, "[1mb]", new byte[(1 << 20) + 1]);
  }

  /** It is not run: what is served is this plugin's text, which repeats the golden outputs. */
  public void testABundleOfAnotherVersionsTextIsTaken() throws IOException {
    byte[] foreign = TestModels.withForeignCode(micro());
    assertEquals(1, upload("other", foreign).version());
    assertEquals(Sha256.hex(foreign), registry().catalog().version("other").sha256());
  }

  private static byte[] zip(Map<String, byte[]> entries) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream out = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
        out.putNextEntry(new ZipEntry(entry.getKey()));
        out.write(entry.getValue());
        out.closeEntry();
      }
    }
    return bytes.toByteArray();
  }

  public void testBadRequests() {
    assertFails(RestStatus.BAD_REQUEST, "id must match", () -> upload("Mine", micro()));
    assertFails(RestStatus.BAD_REQUEST, "[bundle] is missing", () -> upload("mine", new byte[0]));
    assertFails(
        RestStatus.BAD_REQUEST,
        "[part] must be from 0 to parts - 1 = 2, got 3",
        () -> upload("mine", micro(), null, 3, 3));
    assertFails(
        RestStatus.BAD_REQUEST, "[parts] must be", () -> upload("mine", micro(), null, 0, 0));
    assertFails(
        RestStatus.BAD_REQUEST, "[sha256] must be", () -> upload("mine", micro(), "abc", 0, 1));
    assertFails(RestStatus.BAD_REQUEST, "no base64", () -> parse("{\"bundle\":\"%%%\"}"));
    assertFails(RestStatus.BAD_REQUEST, "no base64", () -> parse("{\"bundle\":\"AAAA"));
    assertFails(
        RestStatus.BAD_REQUEST, "unknown field [bytes]", () -> parse("{\"bytes\":\"AAAA\"}"));
  }

  /** Jackson's message quotes one char of it: an answer that repeats half of a pair is a 500. */
  public void testTheRefusalOfACharacterOfTwoHalvesCanBeWritten() throws IOException {
    for (XContentType type : List.of(XContentType.JSON, XContentType.CBOR, XContentType.SMILE)) {
      try (XContentBuilder body = MediaTypeRegistry.contentBuilder(type)) {
        body.startObject().field("bundle", "\ud83d\ude80").endObject();
        try (XContentParser parser = createParser(type.xContent(), BytesReference.bytes(body))) {
          Exception refused =
              expectThrows(Exception.class, () -> UploadModelRequest.parse("mine", 0, 1, parser));
          try (XContentBuilder answer = MediaTypeRegistry.contentBuilder(type)) {
            answer.startObject();
            OpenSearchException.generateFailureXContent(
                answer, ToXContent.EMPTY_PARAMS, refused, true);
            answer.endObject();
            assertThat(
                XContentHelper.convertToMap(BytesReference.bytes(answer), false, (MediaType) type)
                    .v2()
                    .toString(),
                containsString("holds no base64"));
          }
        }
      }
    }
  }

  private UploadModelRequest parse(String json) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, json)) {
      return UploadModelRequest.parse("mine", 0, 1, parser);
    }
  }

  public void testAModelInUseIsNotDeleted() throws IOException {
    assertFails(RestStatus.NOT_FOUND, "unknown model [mine]", () -> delete("mine"));
    upload("mine", micro());
    String mapping =
        "{\"properties\":{\"site\":{\"properties\":"
            + "{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}}}";
    client().admin().indices().prepareCreate("pictures").setMapping(mapping).get();
    assertFails(RestStatus.CONFLICT, "is used by the indices [pictures]", () -> delete("mine"));
    client().admin().indices().prepareDelete("pictures").get();
    delete("mine");
    assertFalse(registry().catalog().has("mine"));
    assertNull(
        "nothing that nodes without the plugin could not read",
        getInstanceFromNode(ClusterService.class).state().metadata().custom(ModelsMetadata.TYPE));
    assertFails(
        RestStatus.BAD_REQUEST,
        "unknown model [mine]",
        () -> client().admin().indices().prepareCreate("pictures").setMapping(mapping).get());
  }

  /** As after a snapshot of another cluster was restored. */
  public void testAModelOfOtherSpacesThanTheFieldIsRefusedWhereverItComputes() throws IOException {
    upload("mine", micro());
    Spaces spaces = Spaces.of(TestModels.foreign().manifest());
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setMapping(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\",\"spaces\":{"
                + "\"filter\":\""
                + spaces.embedding()
                + "\",\"tokens\":\""
                + spaces.tokens()
                + "\",\"dimension\":8,\"hidden\":16,\"text_tokens\":16,"
                + "\"image_tokens\":{\"rgb\":17}}}}}")
        .get();
    String refusal =
        "field [image] was made with a model [mine] of filter space [" + spaces.embedding();
    assertFails(
        RestStatus.BAD_REQUEST,
        refusal,
        () ->
            client()
                .prepareIndex("pictures")
                .setSource(
                    "{\"image\":{\"bytes\":\""
                        + TestModels.base64(TestModels.png(random(), 20))
                        + "\"}}",
                    XContentType.JSON)
                .get());
    // What was made elsewhere is kept, and found by vector.
    client()
        .prepareIndex("pictures")
        .setSource("{\"image\":{\"embedding\":[1,0,0,0,0,0,0,0]}}", XContentType.JSON)
        .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
        .get();
    float[] vector = {0, 1, 0, 0, 0, 0, 0, 0};
    assertEquals(
        1,
        client()
            .prepareSearch("pictures")
            .setQuery(new CrossModalQueryBuilder("image", vector, 1, null))
            .get()
            .getHits()
            .getHits()
            .length);
    QuerySource text = new QuerySource.Text("a");
    assertFails(
        RestStatus.BAD_REQUEST,
        refusal,
        () ->
            client()
                .prepareSearch("pictures")
                .setQuery(new CrossModalQueryBuilder("image", text, 1, null))
                .get());
    assertFails(
        RestStatus.BAD_REQUEST,
        refusal,
        () ->
            client()
                .prepareSearch("pictures")
                .addRescorer(new FusionRescorerBuilder("image", text, FusionOptions.DEFAULT), 5)
                .get());
  }

  public void testANewHeadServesWithoutReindexing() throws Exception {
    upload("mine", micro());
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}")
        .get();
    for (int i = 0; i < 3; i++) {
      client()
          .prepareIndex("pictures")
          .setId(Integer.toString(i))
          .setSource(
              "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}",
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
    Map<String, Float> before = rescored();
    NodeInference service = getInstanceFromNode(NodeInference.class);
    assertEquals(1, service.models().status("mine").version());
    long encoded = service.stats().get(InferenceStats.Counter.ENCODED_IMAGES);
    upload("mine", TestModels.zip(TestModels.newHead("any", 7), createTempDir()));
    service.models().load("mine", null).get(60, TimeUnit.SECONDS);
    assertEquals(2, service.models().status("mine").version());
    Map<String, Float> after = rescored();
    assertEquals(before.keySet(), after.keySet());
    assertNotEquals("another head, other scores", before, after);
    assertEquals(
        "nothing is encoded again",
        encoded,
        service.stats().get(InferenceStats.Counter.ENCODED_IMAGES));
  }

  /** Radar finds optical and back: nothing but the query's sensor tells the four directions. */
  public void testAModelOfSensorsAlone() throws IOException {
    ModelBundle sensors = TestModels.sensors();
    upload("sensors", TestModels.zip(sensors, createTempDir()));
    ModelConfig config = sensors.manifest().config();
    byte[] radar = TestModels.geoTiff(random(), config.sensor("s1"), 20);
    byte[] optical = TestModels.geoTiff(random(), config.sensor("s2"), 20);
    client()
        .admin()
        .indices()
        .prepareCreate("tiles")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"sensors\"}}}")
        .get();
    for (Map.Entry<String, byte[]> tile : Map.of("s1", radar, "s2", optical).entrySet()) {
      client()
          .prepareIndex("tiles")
          .setId(tile.getKey())
          .setSource(
              String.format(
                  Locale.ROOT,
                  "{\"image\":{\"bytes\":\"%s\",\"sensor\":\"%s\"}}",
                  TestModels.base64(tile.getValue()),
                  tile.getKey()),
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
    for (Map.Entry<String, byte[]> query : Map.of("s1", radar, "s2", optical).entrySet()) {
      SearchHit[] hits =
          client()
              .prepareSearch("tiles")
              .setQuery(
                  new CrossModalQueryBuilder(
                      "image", new QuerySource.Image(query.getValue(), query.getKey()), 10, null))
              .get()
              .getHits()
              .getHits();
      assertEquals("both sensors are found", 2, hits.length);
      assertEquals("its own tile first", query.getKey(), hits[0].getId());
      assertEquals(1, hits[0].getScore(), 1e-5);
    }
    assertFails(
        RestStatus.BAD_REQUEST,
        "model [sensors] knows no text, it encodes images of [s1, s2]",
        () ->
            client()
                .prepareSearch("tiles")
                .setQuery(
                    new CrossModalQueryBuilder("image", new QuerySource.Text("a pond"), 10, null))
                .get());
    assertFails(
        RestStatus.BAD_REQUEST,
        "model [sensors] knows no text, it encodes images of [s1, s2]",
        () ->
            client()
                .prepareSearch("tiles")
                .addRescorer(
                    new FusionRescorerBuilder(
                        "image", new QuerySource.Text("a pond"), FusionOptions.DEFAULT),
                    5)
                .get());
    for (QuerySource side :
        List.of(new QuerySource.Image(radar, "s1"), new QuerySource.Document("s1", null, null))) {
      SearchHit[] rescored =
          client()
              .prepareSearch("tiles")
              .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 5)
              .setExplain(true)
              .get()
              .getHits()
              .getHits();
      for (SearchHit hit : rescored) {
        if (hit.getId().equals("s1")) {
          assertEquals("every patch finds itself", 2, hit.getScore(), 1e-3);
        }
        assertTrue("rescored", hit.getScore() >= 1);
        assertEquals(hit.getScore(), hit.getExplanation().getValue().floatValue(), 1e-4);
        assertThat(hit.getExplanation().toString(), containsString("max_sim, mean over"));
      }
    }
    assertFails(
        RestStatus.BAD_REQUEST,
        "[sensor] is missing, this model has [s1, s2]",
        () ->
            client()
                .prepareSearch("tiles")
                .setQuery(
                    new CrossModalQueryBuilder(
                        "image", new QuerySource.Image(radar, null), 10, null))
                .get());
    assertFails(
        RestStatus.BAD_REQUEST,
        "needs a model that knows text, [sensors] encodes images of [s1, s2]",
        () ->
            client()
                .admin()
                .indices()
                .prepareCreate("captions")
                .setMapping(
                    "{\"properties\":{\"text\":{\"type\":\"cross_modal\","
                        + "\"model\":\"sensors\",\"modality\":\"text\"}}}")
                .get());
    assertFails(
        RestStatus.BAD_REQUEST,
        "image",
        () ->
            client()
                .prepareIndex("tiles")
                .setSource(
                    "{\"image\":{\"bytes\":\""
                        + TestModels.base64(optical)
                        + "\",\"sensor\":\"s1\"}}",
                    XContentType.JSON)
                .get());
  }

  private Map<String, Float> rescored() {
    Map<String, Float> scores = new LinkedHashMap<>();
    client()
        .prepareSearch("pictures")
        .addRescorer(
            new FusionRescorerBuilder(
                "image", new QuerySource.Text("a pond"), FusionOptions.DEFAULT),
            5)
        .get()
        .getHits()
        .forEach(hit -> scores.put(hit.getId(), hit.getScore()));
    assertEquals(3, scores.size());
    scores.values().forEach(score -> assertTrue("rescored", score >= 1));
    return scores;
  }

  private void delete(String id) {
    assertTrue(
        client()
            .execute(DeleteModelAction.INSTANCE, new DeleteModelAction.Request(id))
            .actionGet()
            .isAcknowledged());
  }

  public void testTheIndexIsSweptOfWhatNobodyNeeds() throws IOException {
    upload("mine", micro());
    upload("late", Arrays.copyOf(micro(), 10), Sha256.hex(micro()), 0, 2);
    long chunks = documents() - 1;
    StoredModel model =
        ModelsMetadata.of(getInstanceFromNode(ClusterService.class).state()).models().get("mine");
    ModelIndex index = registry().index();
    index.sweep(0, id -> false);
    assertEquals("all of it is young", chunks + 1, documents());
    index.sweep(Long.MAX_VALUE, model.chunks()::contains);
    assertEquals("the part that waits is gone", chunks, documents());
    delete("mine");
    index.sweep(Long.MAX_VALUE, id -> false);
    assertEquals(0, documents());
    // What was lost can be brought back by the same bytes.
    upload("mine", micro());
    registry().catalog().version("mine").bundle().join();
  }

  /** However many documents are needed, the others are found behind them. */
  public void testASweepLooksAtAllDocuments() throws IOException {
    ModelIndex index = registry().index();
    int needed = 420;
    for (int i = 0; i < needed; i++) {
      index.put("chunk.needed.4096." + i, new byte[1]);
    }
    for (int i = 0; i < 3; i++) {
      index.put("chunk.orphan.4096." + i, new byte[1]);
    }
    index.sweep(Long.MAX_VALUE, id -> id.startsWith("chunk.needed."));
    assertEquals(needed, documents());
  }

  /** However short the timeout and long the upload: each part renews those before it. */
  public void testAnUploadUnderWayIsNotSwept() throws Exception {
    String sha256 = Sha256.hex(micro());
    byte[][] parts = split(micro(), 3);
    upload("slow", parts[0], sha256, 0, 3);
    ModelRecords records = registry().records();
    ModelRecords.Upload upload = records.upload("slow");
    assertEquals(new ModelRecords.Upload("slow", sha256, 3), upload);
    long first = records.created(upload);
    assertBusy(
        () -> {
          records.renew(upload);
          assertTrue("a later one", records.created(upload) > first);
        });
    records.maintain(
        ModelsMetadata.EMPTY, records.created(upload), TimeValue.ZERO, TimeValue.timeValueDays(7));
    assertEquals("the part is older, its upload is not", 1, documents());
    assertEquals(List.of(2), upload("slow", parts[1], sha256, 1, 3).missing());
    records.maintain(
        ModelsMetadata.EMPTY, Long.MAX_VALUE, TimeValue.ZERO, TimeValue.timeValueDays(7));
    assertEquals("given up", 0, documents());
    assertNull(records.upload("slow"));
    assertEquals(List.of(0, 1), upload("slow", parts[2], sha256, 2, 3).missing());
  }

  public void testPartsAreBounded() throws IOException {
    String sha256 = Sha256.hex(micro());
    byte[] part = new byte[1 << 18];
    assertFails(
        RestStatus.REQUEST_ENTITY_TOO_LARGE,
        "[1mb], [10] parts of [256kb] are more",
        () -> upload("large", part, sha256, 0, 10));
    for (int i = 0; i < ModelRecords.MAX_UPLOADS; i++) {
      upload("m" + i, new byte[10], sha256, 0, 2);
    }
    assertFails(
        RestStatus.TOO_MANY_REQUESTS,
        "the parts of [8] other uploads already, of [m0, m1, m2, m3, m4, m5, m6, m7]",
        () -> upload("more", new byte[10], sha256, 0, 2));
    assertEquals(ModelRecords.MAX_UPLOADS, documents());
    // Another bundle under the same id takes the place of the one that was not completed.
    upload("m3", new byte[10], "0".repeat(64), 0, 3);
    upload("m3", new byte[10], "0".repeat(64), 1, 3);
    assertEquals(ModelRecords.MAX_UPLOADS + 1, documents());
    client().execute(DeleteModelAction.INSTANCE, new DeleteModelAction.Request("m3")).actionGet();
    assertEquals(ModelRecords.MAX_UPLOADS - 1, documents());
    upload("more", new byte[10], sha256, 0, 2);
  }

  /** Anybody may make an index of that name where no security plugin forbids it. */
  public void testAnIndexThatSomebodyElseMadeIsNotUsed() {
    client()
        .admin()
        .indices()
        .prepareCreate(ModelIndex.NAME)
        .setMapping("{\"properties\":{\"bytes\":{\"type\":\"text\"}}}")
        .get();
    assertFails(
        RestStatus.SERVICE_UNAVAILABLE,
        "was not made by this plugin",
        () -> upload("mine", micro()));
    assertFalse(registry().catalog().has("mine"));
  }

  /** As version 0.1.0 made it. */
  public void testAnIndexOfAnEarlierVersionGetsTheFieldsItLacks() throws IOException {
    client()
        .admin()
        .indices()
        .prepareCreate(ModelIndex.NAME)
        .setMapping(
            "{\"dynamic\":\"strict\",\"properties\":{\"created\":{\"type\":\"long\"},"
                + "\"bytes\":{\"type\":\"binary\"}}}")
        .get();
    assertEquals(1, upload("mine", micro()).version());
    registry().catalog().version("mine").bundle().join();
  }

  public void testAClosedIndexIsNotTheUsersFault() throws IOException {
    upload("mine", micro());
    client().admin().indices().prepareClose(ModelIndex.NAME).get();
    byte[] head = TestModels.zip(TestModels.newHead("any", 7), createTempDir());
    assertFails(RestStatus.SERVICE_UNAVAILABLE, "does not answer", () -> upload("mine", head));
    assertFails(RestStatus.SERVICE_UNAVAILABLE, "is closed", () -> delete("mine"));
    client().admin().indices().prepareOpen(ModelIndex.NAME).get();
    ensureGreen(ModelIndex.NAME);
    assertEquals(2, upload("mine", head).version());
  }

  public void testRecordsSayWhatTheClusterStateLost() throws Exception {
    upload("mine", micro());
    upload("other", TestModels.zip(TestModels.foreign(), createTempDir()));
    upload("mine", TestModels.zip(TestModels.newHead("any", 7), createTempDir()));
    ModelRecords records = registry().records();
    ClusterService cluster = getInstanceFromNode(ClusterService.class);
    ModelsMetadata models = ModelsMetadata.of(cluster.state());
    assertBusy(
        () ->
            assertEquals(
                Set.copyOf(models.models().values()),
                Set.copyOf(records.lost(ModelsMetadata.EMPTY))));
    assertEquals(List.of(), records.lost(models));
    delete("mine");
    assertEquals(
        "a deleted one does not come back",
        List.of("other"),
        records.lost(ModelsMetadata.EMPTY).stream().map(StoredModel::id).toList());
  }

  /** Of a version before, of a deleted model, of one that the cluster state lost: for days. */
  public void testNothingThatWasAModelIsSweptForDays() throws Exception {
    upload("mine", micro());
    byte[] head = TestModels.zip(TestModels.newHead("any", 7), createTempDir());
    upload("mine", head);
    int chunks = (micro().length + 4095) / 4096 + (head.length + 4095) / 4096;
    ModelRecords records = registry().records();
    ClusterService cluster = getInstanceFromNode(ClusterService.class);
    StoredModel second = ModelsMetadata.of(cluster.state()).models().get("mine");
    assertBusy(() -> assertEquals(List.of(second), records.lost(ModelsMetadata.EMPTY)));
    long now = System.currentTimeMillis();
    TimeValue week = TimeValue.timeValueDays(7);
    records.maintain(
        ModelsMetadata.of(cluster.state()), now + week.millis() / 2, TimeValue.ZERO, week);
    assertEquals(chunks, documents());
    records.maintain(
        ModelsMetadata.of(cluster.state()), now + 2 * week.millis(), TimeValue.ZERO, week);
    assertEquals("the version before is gone", (head.length + 4095) / 4096, documents());
    delete("mine");
    records.maintain(ModelsMetadata.EMPTY, now + week.millis() / 2, TimeValue.ZERO, week);
    assertEquals((head.length + 4095) / 4096, documents());
    records.maintain(ModelsMetadata.EMPTY, now + 2 * week.millis(), TimeValue.ZERO, week);
    assertEquals(0, documents());
  }

  /**
   * A plugin that ships other weights under an id leaves indices that were made with the former.
   */
  public void testTheModelThatAnEarlierPluginShippedIsTaken() throws IOException {
    byte[] former = TestModels.zip(TestModels.foreign(), createTempDir());
    assertFails(RestStatus.CONFLICT, "comes with the plugin", () -> upload("micro", former));
    Spaces spaces = Spaces.of(TestModels.foreign().manifest());
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setMapping(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"micro\",\"spaces\":{"
                + "\"filter\":\""
                + spaces.embedding()
                + "\",\"tokens\":\""
                + spaces.tokens()
                + "\",\"dimension\":8,\"hidden\":16,\"text_tokens\":16,"
                + "\"image_tokens\":{\"rgb\":17}}}}}")
        .get();
    assertFails(
        RestStatus.CONFLICT,
        "comes with the plugin",
        () -> upload("micro", TestModels.zip(TestModels.sensors(), createTempDir())));
    assertEquals(1, upload("micro", former).version());
    client()
        .prepareIndex("pictures")
        .setSource(
            "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}",
            XContentType.JSON)
        .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
        .get();
    assertEquals(
        1,
        client()
            .prepareSearch("pictures")
            .setQuery(new CrossModalQueryBuilder("image", new QuerySource.Text("a"), 1, null))
            .get()
            .getHits()
            .getHits()
            .length);
  }

  public void testLostChunksComeBackWithTheSameBytes() throws IOException {
    upload("mine", micro());
    registry().index().sweep(Long.MAX_VALUE, id -> false);
    assertEquals(0, documents());
    assertFalse(upload("mine", micro()).created());
    assertEquals((micro().length + 4095) / 4096, documents());
  }
}
