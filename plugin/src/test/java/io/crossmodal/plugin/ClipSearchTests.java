/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.engine.PatchSimilarity;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.action.EncodeAction;
import io.crossmodal.plugin.action.EncodeRequest;
import io.crossmodal.plugin.action.EncodeResponse;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.models.ModelRegistry;
import io.crossmodal.plugin.models.UploadModelAction;
import io.crossmodal.plugin.models.UploadModelRequest;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.junit.Before;
import org.opensearch.ExceptionsHelper;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.Strings;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/**
 * A CLIP without a fusion encoder, uploaded, indexed with, searched by words and by pictures; and
 * what becomes of its index when one was trained over it.
 */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class ClipSearchTests extends OpenSearchSingleNodeTestCase {
  private static final String ID = "clip";
  private static final float TOLERANCE = 1e-5f;
  private static final List<String> PROMPTS = List.of("a photo of {}", "{} by the sea");
  private static final List<String> CAPTIONS = List.of("a pond", "the sea", "12 tanks", "roads");
  private static final String NO_FUSION =
      "[fusion] needs a fusion encoder, and model [clip] has none";

  private final List<byte[]> pictures = new ArrayList<>();
  private ModelBundle bundle;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  @Override
  protected boolean resetNodeAfterTest() {
    return true;
  }

  @Before
  public void index() throws IOException {
    bundle = TestClips.bundle(ID, 11).withPrompts(PROMPTS);
    upload(ID, TestModels.zip(bundle, createTempDir()));
    client()
        .admin()
        .indices()
        .prepareCreate("archive")
        .setSettings(Settings.builder().put("index.number_of_shards", randomIntBetween(1, 3)))
        .setMapping(
            "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"clip\"},"
                + "\"words\":{\"type\":\"cross_modal\",\"model\":\"clip\",\"modality\":\"text\"}}}")
        .get();
    for (int i = 0; i < CAPTIONS.size(); i++) {
      pictures.add(TestModels.png(random(), 24 + 7 * i));
      client()
          .prepareIndex("archive")
          .setId(Integer.toString(i))
          .setSource(
              String.format(
                  Locale.ROOT,
                  "{\"image\":{\"bytes\":\"%s\"},\"words\":{\"text\":\"%s\"}}",
                  TestModels.base64(pictures.get(i)),
                  CAPTIONS.get(i)),
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
  }

  private void upload(String id, byte[] zip) throws IOException {
    String body = "{\"bundle\":\"" + Base64.getEncoder().encodeToString(zip) + "\"}";
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      client()
          .execute(UploadModelAction.INSTANCE, UploadModelRequest.parse(id, 0, 1, parser))
          .actionGet();
    }
  }

  private static CrossModalQueryBuilder knn(String field, QuerySource side) {
    return new CrossModalQueryBuilder(field, side, 10, null);
  }

  private Map<String, Float> scores(CrossModalQueryBuilder query) {
    Map<String, Float> scores = new TreeMap<>();
    for (SearchHit hit : client().prepareSearch("archive").setQuery(query).get().getHits()) {
      scores.put(hit.getId(), hit.getScore());
    }
    return scores;
  }

  private List<Encoding> texts(FusionModel model, List<String> texts) {
    return model.encodeTexts(texts.stream().map(bundle.tokenizer()::tokenize).toList());
  }

  private List<Encoding> images(FusionModel model) {
    return model.encodeImages(
        "rgb", pictures.stream().map(bundle.preprocessor("rgb")::preprocess).toList());
  }

  private static void assertCosines(
      Encoding query, List<Encoding> documents, Map<String, Float> scores) {
    assertEquals(documents.size(), scores.size());
    for (int i = 0; i < documents.size(); i++) {
      double cosine = 0;
      for (int d = 0; d < query.embedding().length; d++) {
        cosine += query.embedding()[d] * documents.get(i).embedding()[d];
      }
      assertEquals((1 + cosine) / 2, scores.get(Integer.toString(i)), TOLERANCE);
    }
  }

  public void testWordsFindPicturesThroughThePromptsOrWithoutThem() throws Exception {
    try (FusionModel model = FusionModel.load(bundle, createTempDir())) {
      List<Encoding> images = images(model);
      Encoding plain = texts(model, List.of("a pond")).get(0);
      Encoding prompted =
          plain.withMeanOf(texts(model, List.of("a photo of a pond", "a pond by the sea")));
      Map<String, Float> byPrompts = scores(knn("image", new QuerySource.Text("a pond")));
      assertCosines(prompted, images, byPrompts);
      Map<String, Float> byWords = scores(knn("image", new QuerySource.Text("a pond", false)));
      assertCosines(plain, images, byWords);
      assertNotEquals(byPrompts, byWords);
    }
  }

  public void testPicturesFindPicturesAndCaptions() throws Exception {
    try (FusionModel model = FusionModel.load(bundle, createTempDir())) {
      List<Encoding> images = images(model);
      // What is stored as a document is in no prompt.
      List<Encoding> captions = texts(model, CAPTIONS);
      QuerySource side = new QuerySource.Image(pictures.get(2), null);
      assertCosines(images.get(2), images, scores(knn("image", side)));
      assertCosines(images.get(2), captions, scores(knn("words", side)));
      QuerySource document = new QuerySource.Document("1", "archive", "image");
      assertCosines(images.get(1), captions, scores(knn("words", document)));
    }
  }

  public void testEncodesAsDocumentsAre() throws Exception {
    try (FusionModel model = FusionModel.load(bundle, createTempDir());
        XContentParser parser =
            createParser(JsonXContent.jsonXContent, "{\"text\":[\"a pond\"],\"tokens\":true}")) {
      EncodeResponse response =
          client().execute(EncodeAction.INSTANCE, EncodeRequest.parse(ID, parser)).actionGet();
      Map<?, ?> answer =
          XContentHelper.convertToMap(
              JsonXContent.jsonXContent, Strings.toString(MediaTypeRegistry.JSON, response), true);
      Map<?, ?> item = (Map<?, ?>) ((List<?>) answer.get("items")).get(0);
      List<?> values = (List<?>) item.get("embedding");
      float[] expected = texts(model, List.of("a pond")).get(0).embedding();
      for (int i = 0; i < expected.length; i++) {
        assertEquals(expected[i], ((Number) values.get(i)).floatValue(), TOLERANCE);
      }
      assertNotNull(item.get("tokens"));
    }
  }

  private SearchRequestBuilder rescored(String field, QuerySource side, FusionOptions options) {
    return client()
        .prepareSearch("archive")
        .setQuery(QueryBuilders.matchAllQuery())
        .addRescorer(new FusionRescorerBuilder(field, side, options), 10);
  }

  private static void refused(String message, ThrowingRunnable action) {
    Exception e = expectThrows(Exception.class, action);
    assertEquals(
        e.toString(),
        RestStatus.BAD_REQUEST,
        ExceptionsHelper.status(ExceptionsHelper.unwrapCause(e)));
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }

  public void testWhatNeedsAFusionEncoderSaysHowToGetOne() throws Exception {
    QuerySource words = new QuerySource.Text("a pond");
    FusionOptions options = FusionOptions.DEFAULT;
    FusionOptions lenient =
        new FusionOptions(
            options.combiner(),
            options.missing(),
            FusionOptions.FailurePolicy.KEEP_FIRST_PASS,
            null,
            0);
    FusionOptions filtering =
        new FusionOptions(options.combiner(), options.missing(), options.onFailure(), null, 2);
    for (FusionOptions one : List.of(options, lenient, filtering)) {
      refused(NO_FUSION, () -> rescored("image", words, one).get());
    }
    refused("Bring a CLIP", () -> rescored("image", words, options).get());
    refused(NO_FUSION, () -> rescored("image", words, options).setExplain(true).get());
    refused(
        NO_FUSION,
        () -> rescored("words", new QuerySource.Image(pictures.get(0), null), options).get());
    for (String ext : List.of("\"global_window\":50", "\"heat_map\":true", "\"details\":true")) {
      String body =
          "{\"query\":{\"match_all\":{}},\"rescore\":{\"window_size\":5,\"fusion\":"
              + "{\"field\":\"image\",\"query_text\":\"a pond\"}},\"ext\":{\"cross_modal\":{"
              + ext
              + "}}}";
      refused(NO_FUSION, () -> search(body));
    }
  }

  private SearchHit[] search(String body) throws IOException {
    return search("archive", body);
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return getInstanceFromNode(NamedXContentRegistry.class);
  }

  private static final String MAPPED =
      "\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a pond\"}},";

  /** Hits of one index. */
  private SearchHit[] search(String index, String body) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      return client()
          .prepareSearch(index)
          .setSource(SearchSourceBuilder.fromXContent(parser))
          .get()
          .getHits()
          .getHits();
    }
  }

  /**
   * Against the model's own tokens, as the index rounds them; no rescore, and no fusion encoder.
   */
  public void testHeatMapsShowWhereATextIs() throws Exception {
    ModelBundle mapped = TestClips.withHeatMaps("maps", 11).withPrompts(PROMPTS);
    upload("maps", TestModels.zip(mapped, createTempDir()));
    client()
        .admin()
        .indices()
        .prepareCreate("mapped")
        .setSettings(Settings.builder().put("index.number_of_shards", randomIntBetween(1, 3)))
        .setMapping(
            "{\"properties\":{"
                + "\"image\":{\"type\":\"cross_modal\",\"model\":\"maps\",\"tokens\":\"fp16\"},"
                + "\"bare\":{\"type\":\"cross_modal\",\"model\":\"maps\",\"tokens\":\"none\"}}}")
        .get();
    for (int i = 0; i < pictures.size(); i++) {
      String bytes = TestModels.base64(pictures.get(i));
      client()
          .prepareIndex("mapped")
          .setId(Integer.toString(i))
          .setSource(
              String.format(
                  Locale.ROOT,
                  "{\"image\":{\"bytes\":\"%s\"},\"bare\":{\"bytes\":\"%s\"},"
                      // The kit has no geo_shape: the source alone says where it lies.
                      + "\"footprint\":\"POLYGON((10 0, 10.1 0, 10.1 0.1, 10 0.1, 10 0))\"}",
                  bytes,
                  bytes),
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
    long before = drawn();
    SearchHit[] hits =
        search("mapped", "{" + MAPPED + "\"ext\":{\"cross_modal\":{\"heat_map\":\"geo\"}}}");
    assertEquals(pictures.size(), hits.length);
    assertEquals(pictures.size(), drawn() - before);
    try (FusionModel model = FusionModel.load(mapped, createTempDir())) {
      List<Encoding> images = images(model);
      float[] text =
          texts(model, List.of("a pond"))
              .get(0)
              .withMeanOf(texts(model, List.of("a photo of a pond", "a pond by the sea")))
              .embedding();
      for (SearchHit hit : hits) {
        byte[] stored =
            TokenBlockFormat.write(
                images.get(Integer.parseInt(hit.getId())).tokens(),
                TokenEncoding.FP16,
                mapped.manifest().fingerprints().tokenSpace());
        float[] expected =
            PatchSimilarity.of(text, StoredTokens.of(stored, 0, stored.length)).patches(0);
        Map<?, ?> map = (Map<?, ?>) described(hit).get("heat_map");
        assertEquals(List.of("a pond"), map.get("words"));
        assertEquals(3, map.get("grid"));
        float[] weights = (float[]) ((List<?>) map.get("weights")).get(0);
        // A half may be rounded the other way where the node computes a pair in another order.
        assertArrayEquals(expected, weights, 0.02f);
        assertNotNull(map.toString(), map.get("geo"));
      }
    }
    // A field without tokens says so; a query without words has nothing to draw.
    String bare = "{" + MAPPED.replace("\"image\"", "\"bare\"");
    for (SearchHit hit :
        search("mapped", bare + "\"ext\":{\"cross_modal\":{\"heat_map\":true}}}")) {
      assertEquals("the document stores no tokens", described(hit).get("heat_map_unavailable"));
    }
    for (SearchHit hit : search("mapped", "{" + MAPPED + "\"size\":5}")) {
      assertNull("nobody asked", hit.field("_cross_modal"));
    }
    // A fusion encoder over the same towers takes nothing away.
    ModelBundle fused = TestClips.fused(mapped, 5, new Calibration(0.1, 0.3, -0.2));
    upload("maps", TestModels.zip(fused, createTempDir()));
    String maps = "{" + MAPPED + "\"ext\":{\"cross_modal\":{\"heat_map\":true}}}";
    for (SearchHit hit : search("mapped", maps)) {
      assertNotNull(described(hit).toString(), described(hit).get("heat_map"));
    }
    refused(
        "[ext.cross_modal.heat_map] is drawn for at most 100 hits, [size] is 101",
        () ->
            search(
                "mapped",
                "{" + MAPPED + "\"size\":101,\"ext\":{\"cross_modal\":{\"heat_map\":true}}}"));
  }

  private long drawn() {
    return getInstanceFromNode(NodeInference.class)
        .scoring()
        .stats()
        .of("maps")
        .get(Counter.HEAT_MAPS);
  }

  private static Map<?, ?> described(SearchHit hit) {
    return (Map<?, ?>) hit.field("_cross_modal").getValues().get(0);
  }

  /** Before hits are fetched, so that no shard answers without. */
  public void testHeatMapsNeedTokensThatWereMadeForThem() throws Exception {
    refused(
        "model [clip] has neither those nor a fusion encoder: import the CLIP with --heat-maps",
        () -> search("{" + MAPPED + "\"ext\":{\"cross_modal\":{\"heat_map\":true}}}"));
    upload(
        ID,
        TestModels.zip(
            TestClips.fused(bundle, 5, new Calibration(0.1, 0.3, -0.2)), createTempDir()));
    refused(
        "[ext.cross_modal.heat_map] needs a [rescore] of type [fusion], which this search does not"
            + " have: where words look, the fusion encoder of model [clip] says",
        () -> search("{" + MAPPED + "\"ext\":{\"cross_modal\":{\"heat_map\":\"geo\"}}}"));
  }

  /** Nothing that a request asks for is left out without a word. */
  public void testWhatASearchWithoutARescoreCannotHave() {
    for (String query :
        List.of(
            "{\"match_all\":{}}",
            "{\"cross_modal\":{\"field\":\"image\",\"query_id\":\"1\"}}",
            "{\"cross_modal\":{\"field\":\"image\",\"like\":[{\"text\":\"a pond\"}]}}",
            "{\"bool\":{\"must_not\":{\"cross_modal\":"
                + "{\"field\":\"image\",\"query_text\":\"a pond\"}}}}")) {
      String body = "{\"query\":" + query + ",\"ext\":{\"cross_modal\":{%s}}}";
      refused(
          "[ext.cross_modal.heat_map] draws words, and this search has none",
          () -> search(String.format(Locale.ROOT, body, "\"heat_map\":true")));
      refused(
          "[ext.cross_modal.details] needs a [rescore] of type [fusion]",
          () -> search(String.format(Locale.ROOT, body, "\"details\":true")));
      refused(
          "[ext.cross_modal.global_window] needs a [rescore] of type [fusion]",
          () -> search(String.format(Locale.ROOT, body, "\"global_window\":5")));
    }
  }

  /** The golden outputs say what its maker computed; the other models go on. */
  public void testABundleOfAnotherActivationIsRefused() throws Exception {
    Golden golden;
    try (FusionModel model = FusionModel.load(bundle, createTempDir())) {
      golden = model.golden(List.of("a pond", "12 tanks"));
    }
    Path file = createTempDir().resolve("other.zip");
    try (OutputStream out = Files.newOutputStream(file)) {
      TestClips.withGelu("other", 11).withGolden(golden).writeTo(out);
    }
    byte[] zip = Files.readAllBytes(file);
    refused("golden", () -> upload("other", zip));
    assertFalse(getInstanceFromNode(ModelRegistry.class).catalog().has("other"));
    assertEquals(CAPTIONS.size(), scores(knn("image", new QuerySource.Text("a pond"))).size());
  }

  /** Patches are compared without a fusion encoder, as of every model. */
  public void testPicturesAreComparedByTheirPatches() throws Exception {
    QuerySource side = new QuerySource.Image(pictures.get(3), null);
    SearchHit[] hits = rescored("image", side, FusionOptions.DEFAULT).get().getHits().getHits();
    assertEquals("3", hits[0].getId());
    assertEquals("every patch finds itself", 2, hits[0].getScore(), 1e-2);
  }

  public void testTheRequestSwitchesPromptsOff() throws IOException {
    Map<String, Float> plain = scores(knn("image", new QuerySource.Text("a pond", false)));
    String body =
        "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a pond\","
            + "\"prompt\":false}}}";
    for (SearchHit hit : search(body)) {
      assertEquals(plain.get(hit.getId()), hit.getScore(), 0);
    }
    refused(
        "[prompt] goes with [query_text] only, got it with [query_id]",
        () ->
            search(
                "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_id\":\"1\","
                    + "\"prompt\":false}}}"));
  }

  public void testWhatIsTooLongIsCutAndCounted() {
    InferenceStats stats = getInstanceFromNode(NodeInference.class).scoring().stats().of(ID);
    String words = "sea ".repeat(40);
    String other = "sea ".repeat(23) + "pond";
    assertEquals(
        "the end token is kept, what is behind the first 22 is not",
        scores(knn("image", new QuerySource.Text(words, false))),
        scores(knn("image", new QuerySource.Text(other, false))));
    assertEquals(2, stats.get(Counter.CUT_TEXTS));
    scores(knn("image", new QuerySource.Text("sea", false)));
    assertEquals(2, stats.get(Counter.CUT_TEXTS));
  }

  /** The towers stay, so their documents do: other prompts are a next version. */
  public void testOtherPromptsAreTheNextVersion() throws IOException {
    Map<String, Float> before = scores(knn("image", new QuerySource.Text("a pond")));
    Map<String, Float> plain = scores(knn("image", new QuerySource.Text("a pond", false)));
    upload(ID, TestModels.zip(bundle.withPrompts(List.of("roofs, {}")), createTempDir()));
    assertEquals(2, getInstanceFromNode(ModelRegistry.class).catalog().version(ID).number());
    assertNotEquals(before, scores(knn("image", new QuerySource.Text("a pond"))));
    assertEquals(plain, scores(knn("image", new QuerySource.Text("a pond", false))));
  }

  /**
   * A fusion encoder over the towers is their next version: it reads the tokens that the index has
   * kept, and scores as the reference does what those say.
   */
  public void testAnIndexOfTheTowersAloneIsFusedByTheNextVersion() throws Exception {
    Map<String, Float> before = scores(knn("image", new QuerySource.Text("a pond")));
    refused(NO_FUSION, () -> search(fusion("a pond")));
    Calibration calibration = new Calibration(0.1, 0.3, -0.2);
    bundle = TestClips.fused(bundle, 5, calibration);
    upload(ID, TestModels.zip(bundle, createTempDir()));
    InferenceStats stats = getInstanceFromNode(NodeInference.class).scoring().stats().of(ID);
    long encoded = stats.get(Counter.ENCODED_IMAGES);
    assertEquals(2, getInstanceFromNode(ModelRegistry.class).catalog().version(ID).number());
    assertEquals(before, scores(knn("image", new QuerySource.Text("a pond"))));
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    // At once: the version before serves still, and cannot.
    SearchHit[] hits = search(fusion("a pond"));
    assertEquals(CAPTIONS.size(), hits.length);
    try (FusionModel model = FusionModel.load(bundle, createTempDir())) {
      TokenBlock words = texts(model, List.of("a pond")).get(0).tokens();
      List<Encoding> images = images(model);
      for (SearchHit hit : hits) {
        TokenBlock kept = asStored(images.get(Integer.parseInt(hit.getId())).tokens());
        PairLogits logits = reference.score(words, kept);
        assertEquals(
            hit.getId(),
            1 + calibration.probability(logits.itm()[0], logits.biEncoder()[0]),
            hit.getScore(),
            1e-4f);
        Map<?, ?> details = hit.field("_cross_modal").getValue();
        assertEquals(hit.getScore() - 1, ((Number) details.get("p")).floatValue(), 1e-5f);
        assertNotNull(details.toString(), details.get("heat_map"));
      }
    }
    assertEquals("nothing is encoded again", encoded, stats.get(Counter.ENCODED_IMAGES));
  }

  private static String fusion(String words) {
    return "{\"query\":{\"match_all\":{}},\"rescore\":{\"window_size\":10,\"fusion\":"
        + "{\"field\":\"image\",\"query_text\":\""
        + words
        + "\"}},\"ext\":{\"cross_modal\":{\"heat_map\":true,\"details\":true}}}";
  }

  /** Returns tokens as an index keeps them, in int8. */
  private TokenBlock asStored(TokenBlock tokens) throws Exception {
    byte[] bytes =
        TokenBlockFormat.write(
            tokens, TokenEncoding.INT8, bundle.manifest().fingerprints().tokenSpace());
    return TokenBlockFormat.read(bytes, 0, bytes.length);
  }
}
