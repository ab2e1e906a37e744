/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.plugin.action.QuerySource;
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
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.action.support.WriteRequest;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** A model that stores fewer values of an image's tokens, from its mapping to scores. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class ProjectedTokensTests extends OpenSearchSingleNodeTestCase {
  private static final String ID = "narrow";
  private static final int WIDTH = 6;
  private static final int PICTURES = 5;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  @Override
  protected boolean resetNodeAfterTest() {
    return true;
  }

  @Override
  protected NamedXContentRegistry xContentRegistry() {
    return getInstanceFromNode(NamedXContentRegistry.class);
  }

  private void upload(ModelBundle bundle) throws IOException {
    String zip = Base64.getEncoder().encodeToString(TestModels.zip(bundle, createTempDir()));
    try (XContentParser parser =
        createParser(JsonXContent.jsonXContent, "{\"bundle\":\"" + zip + "\"}")) {
      client()
          .execute(UploadModelAction.INSTANCE, UploadModelRequest.parse(ID, 0, 1, parser))
          .actionGet();
    }
  }

  /** Stored, pooled once more by the mapping, fused, and found by their likes. */
  public void testFusesWhatItStores() throws Exception {
    TokenProjection projection = new TokenProjection(WIDTH, randomBoolean() ? null : 2);
    ModelConfig config = ModelConfig.micro().withTokenProjection(projection);
    ModelBundle bundle = TestBundles.random(ID, config, randomLong());
    upload(bundle);
    TokenEncoding encoding = randomFrom(TokenEncoding.values());
    int pooling = randomIntBetween(1, 2);
    client()
        .admin()
        .indices()
        .prepareCreate("archive")
        .setSettings(Settings.builder().put("index.number_of_shards", randomIntBetween(1, 3)))
        .setMapping(
            String.format(
                Locale.ROOT,
                "{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"%s\","
                    + "\"tokens\":\"%s\",\"token_pooling\":%d}}}",
                ID,
                encoding.name().toLowerCase(Locale.ROOT),
                pooling))
        .get();
    List<byte[]> pictures = new ArrayList<>();
    for (int i = 0; i < PICTURES; i++) {
      pictures.add(TestModels.png(random(), 16 + 3 * i));
      client()
          .prepareIndex("archive")
          .setId(Integer.toString(i))
          .setSource(
              "{\"image\":{\"bytes\":\"" + TestModels.base64(pictures.get(i)) + "\"}}",
              XContentType.JSON)
          .setRefreshPolicy(WriteRequest.RefreshPolicy.IMMEDIATE)
          .get();
    }
    Map<?, ?> spaces = spaces();
    assertEquals(config.hidden(), spaces.get("hidden"));
    assertEquals(WIDTH, spaces.get("image_hidden"));
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    try (FusionModel model = FusionModel.load(bundle, createTempDir())) {
      TokenBlock words =
          model.encodeTexts(List.of(bundle.tokenizer().tokenize("a b"))).get(0).tokens();
      List<Encoding> images =
          model.encodeImages(
              "rgb", pictures.stream().map(bundle.preprocessor("rgb")::preprocess).toList());
      SearchHit[] hits = rescored(new QuerySource.Text("a b"));
      assertEquals(PICTURES, hits.length);
      for (SearchHit hit : hits) {
        TokenBlock made = images.get(Integer.parseInt(hit.getId())).tokens();
        assertEquals(WIDTH, made.hidden());
        byte[] block =
            TokenBlockFormat.write(
                TokenPooling.pool(made, pooling),
                encoding,
                bundle.manifest().fingerprints().tokenSpace(),
                pooling);
        PairLogits logits = reference.score(words, TokenBlockFormat.read(block, 0, block.length));
        double p =
            bundle.manifest().calibration().probability(logits.itm()[0], logits.biEncoder()[0]);
        // A value may be rounded the other way where the node computes a picture alone.
        assertEquals(hit.getId(), 1 + p, hit.getScore(), 2e-3);
      }
    }
    // By patches, as of any model; a document finds itself.
    assertEquals("2", rescored(new QuerySource.Document("2", "archive", "image"))[0].getId());
    assertEquals(
        PICTURES,
        client()
            .prepareSearch("archive")
            .setQuery(new CrossModalQueryBuilder("image", new QuerySource.Text("a b"), 10, null))
            .get()
            .getHits()
            .getHits()
            .length);
  }

  private SearchHit[] rescored(QuerySource side) {
    return client()
        .prepareSearch("archive")
        .setQuery(QueryBuilders.matchAllQuery())
        .addRescorer(new FusionRescorerBuilder("image", side, FusionOptions.DEFAULT), 10)
        .get()
        .getHits()
        .getHits();
  }

  private Map<?, ?> spaces() {
    Map<String, Object> mapping =
        client()
            .admin()
            .indices()
            .prepareGetMappings("archive")
            .get()
            .mappings()
            .get("archive")
            .sourceAsMap();
    Map<?, ?> image = (Map<?, ?>) ((Map<?, ?>) mapping.get("properties")).get("image");
    return (Map<?, ?>) image.get("spaces");
  }
}
