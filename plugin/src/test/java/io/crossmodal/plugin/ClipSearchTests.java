/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
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

/** A CLIP without a fusion encoder, uploaded, indexed with, searched by words and by pictures. */
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
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      return client()
          .prepareSearch("archive")
          .setSource(SearchSourceBuilder.fromXContent(parser))
          .get()
          .getHits()
          .getHits();
    }
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return getInstanceFromNode(NamedXContentRegistry.class);
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
}
