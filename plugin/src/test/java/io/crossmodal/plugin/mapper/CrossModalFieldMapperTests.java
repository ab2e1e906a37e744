/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.index.IndexableField;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.FieldExistsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.util.BytesRef;
import org.opensearch.common.CheckedConsumer;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.mapper.DocumentMapper;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.MapperParsingException;
import org.opensearch.index.mapper.MapperService;
import org.opensearch.index.mapper.MapperTestCase;
import org.opensearch.index.mapper.ParseContext;
import org.opensearch.index.mapper.SourceToParse;
import org.opensearch.plugins.Plugin;

public class CrossModalFieldMapperTests extends MapperTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final int DIMENSION = MODEL.manifest().config().embeddingDimension();

  @Override
  protected Collection<? extends Plugin> getPlugins() {
    return List.of(new MicroModelPlugin());
  }

  /** With what a field adds to itself, for the kit expects back what it gave. */
  @Override
  protected void minimalMapping(XContentBuilder b) throws IOException {
    b.field("type", "cross_modal").field("model", TestModels.ID);
    Spaces.of(MODEL.manifest()).toXContent(b, "spaces");
  }

  @Override
  protected void writeFieldValue(XContentBuilder builder) throws IOException {
    builder.startObject().array("embedding", unit(0)).endObject();
  }

  @Override
  protected boolean supportsOrIgnoresBoost() {
    return false;
  }

  @Override
  protected void registerParameters(ParameterChecker checker) throws IOException {
    checker.registerConflictCheck("modality", b -> b.field("modality", "text"));
    checker.registerConflictCheck("tokens", b -> b.field("tokens", "fp16"));
    checker.registerConflictCheck("token_pooling", b -> b.field("token_pooling", 2));
    checker.registerUpdateCheck(
        b -> b.field("meta", Map.of("unit", "m")),
        m -> assertEquals(Map.of("unit", "m"), m.fieldType().meta()));
  }

  /** Vectors have neither doc values nor an entry in _field_names, which the kit knows alone. */
  @Override
  protected void assertExistsQuery(
      MappedFieldType fieldType, Query query, ParseContext.Document fields) {
    assertThat(query, instanceOf(FieldExistsQuery.class));
    assertEquals("field", ((FieldExistsQuery) query).getField());
    assertNoFieldNamesField(fields);
  }

  private static float[] unit(int axis) {
    float[] vector = new float[DIMENSION];
    vector[axis] = 1;
    return vector;
  }

  private DocumentMapper mapper(CheckedConsumer<XContentBuilder, IOException> parameters)
      throws IOException {
    return createDocumentMapper(
        fieldMapping(
            b -> {
              b.field("type", "cross_modal");
              parameters.accept(b);
            }));
  }

  private ParseContext.Document parse(
      DocumentMapper mapper, CheckedConsumer<XContentBuilder, IOException> value)
      throws IOException {
    return mapper.parse(source(value)).rootDoc();
  }

  private static String block(ModelBundle model, int count, TokenEncoding encoding) {
    return TestModels.base64(
        TokenBlockFormat.write(
            TestModels.tokens(random(), model, count),
            encoding,
            model.manifest().fingerprints().tokenSpace()));
  }

  public void testStoresAUnitVectorAndTheTokens() throws IOException {
    DocumentMapper mapper = mapper(b -> {});
    float[] embedding = new float[DIMENSION];
    embedding[1] = 3;
    embedding[2] = 4;
    TokenBlock tokens = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
    byte[] block =
        TokenBlockFormat.write(
            tokens, TokenEncoding.INT8, MODEL.manifest().fingerprints().tokenSpace());
    ParseContext.Document doc =
        parse(
            mapper,
            b ->
                b.startObject("field")
                    .array("embedding", embedding)
                    .field("tokens", block)
                    .endObject());
    KnnFloatVectorField vector = (KnnFloatVectorField) doc.getField("field");
    assertEquals(
        VectorSimilarityFunction.DOT_PRODUCT, vector.fieldType().vectorSimilarityFunction());
    assertEquals(0.6f, vector.vectorValue()[1], 1e-6f);
    assertEquals(0.8f, vector.vectorValue()[2], 1e-6f);
    IndexableField stored = doc.getField(CrossModalFieldType.tokensField("field"));
    assertEquals(new BytesRef(block), stored.binaryValue());
  }

  public void testEmbeddingsAsBytesAreTheirNumbers() throws IOException {
    DocumentMapper mapper = mapper(b -> {});
    for (int i = 0; i < 50; i++) {
      float[] embedding = TestModels.vector(random(), DIMENSION);
      float scale = (float) Math.exp(20 * (random().nextDouble() - 0.5));
      for (int d = 0; d < DIMENSION; d++) {
        embedding[d] *= scale;
      }
      byte[] bytes = new byte[4 * DIMENSION];
      for (int d = 0; d < DIMENSION; d++) {
        int bits = Float.floatToIntBits(embedding[d]);
        for (int shift = 0; shift < 4; shift++) {
          bytes[4 * d + shift] = (byte) (bits >> 8 * shift);
        }
      }
      float[] expected = vector(mapper, XContentType.JSON, embedding);
      assertArrayEquals(expected, vector(mapper, XContentType.JSON, bytes), 0);
      assertArrayEquals(expected, vector(mapper, XContentType.JSON, TestModels.base64(bytes)), 0);
      assertArrayEquals(expected, vector(mapper, XContentType.CBOR, bytes), 0);
      assertArrayEquals(expected, vector(mapper, XContentType.SMILE, bytes), 0);
    }
  }

  private static float[] vector(DocumentMapper mapper, XContentType type, Object embedding)
      throws IOException {
    BytesReference source =
        BytesReference.bytes(
            MediaTypeRegistry.contentBuilder(type)
                .map(Map.of("field", Map.of("embedding", embedding))));
    ParseContext.Document doc =
        mapper.parse(new SourceToParse("test", "1", source, type)).rootDoc();
    return ((KnnFloatVectorField) doc.getField("field")).vectorValue();
  }

  public void testTokensFollowTheMapping() throws IOException {
    String int8 = block(MODEL, TestModels.imageTokens(MODEL), TokenEncoding.INT8);
    CheckedConsumer<XContentBuilder, IOException> value =
        b -> b.startObject("field").array("embedding", unit(0)).field("tokens", int8).endObject();
    for (TokenEncoding encoding : TokenEncoding.values()) {
      String key = encoding.name().toLowerCase(Locale.ROOT);
      BytesRef stored =
          parse(mapper(b -> b.field("tokens", key)), value).getField("field._tokens").binaryValue();
      assertEquals(
          encoding, TokenBlockFormat.header(stored.bytes, stored.offset, stored.length).encoding());
    }
    assertNull(parse(mapper(b -> b.field("tokens", "none")), value).getField("field._tokens"));
  }

  public void testTokensArePooledAsTheMappingSays() throws IOException {
    int count = TestModels.imageTokens(MODEL);
    TokenBlock tokens = TestModels.tokens(random(), MODEL, count);
    String space = MODEL.manifest().fingerprints().tokenSpace();
    byte[] whole = TokenBlockFormat.write(tokens, TokenEncoding.FP16, space);
    byte[] pooled =
        TokenBlockFormat.write(
            TokenPooling.pool(TokenBlockFormat.read(whole, 0, whole.length), 2),
            TokenEncoding.FP16,
            space,
            2);
    DocumentMapper byTwo = mapper(b -> b.field("tokens", "fp16").field("token_pooling", 2));
    for (byte[] given : List.of(whole, pooled)) {
      assertEquals(
          new BytesRef(pooled),
          parse(byTwo, encoded(given)).getField("field._tokens").binaryValue());
    }
    DocumentMapper byThree = mapper(b -> b.field("token_pooling", 3));
    assertThat(
        expectThrows(MapperParsingException.class, () -> parse(byThree, encoded(pooled)))
            .getMessage(),
        containsString("pooled by 2, the field's [token_pooling] is 3"));
    for (CheckedConsumer<XContentBuilder, IOException> bad :
        List.<CheckedConsumer<XContentBuilder, IOException>>of(
            b -> b.field("token_pooling", 0),
            b -> b.field("token_pooling", 17),
            b -> b.field("token_pooling", 2).field("tokens", "none"),
            b -> b.field("token_pooling", 2).field("modality", "text"))) {
      assertThat(
          expectThrows(MapperParsingException.class, () -> mapper(bad)).getMessage(),
          containsString("[token_pooling]"));
    }
  }

  private static CheckedConsumer<XContentBuilder, IOException> encoded(byte[] block) {
    return b ->
        b.startObject("field").array("embedding", unit(0)).field("tokens", block).endObject();
  }

  public void testNullAndAbsent() throws IOException {
    DocumentMapper mapper = mapper(b -> {});
    assertNull(parse(mapper, b -> b.nullField("field")).getField("field"));
    assertNull(parse(mapper, b -> {}).getField("field"));
  }

  public void testBadValuesAreRefused() throws IOException {
    DocumentMapper image = mapper(b -> {});
    DocumentMapper text = mapper(b -> b.field("modality", "text"));
    int count = TestModels.imageTokens(MODEL);
    assertRefused(image, b -> b.field("field", "x"), "one object with [bytes] or [embedding]");
    assertRefused(image, b -> b.field("field", 3), "one object");
    assertRefused(image, b -> b.array("field", new float[] {1, 2}), "one object");
    assertRefused(
        image, b -> b.startObject("field").endObject(), "neither [bytes] nor [embedding]");
    assertRefused(
        image, b -> b.startObject("field").field("bytes", "AAAA").endObject(), "was not encoded");
    assertRefused(text, b -> b.field("field", "a pond"), "[text] was not encoded");
    assertRefused(
        image, b -> b.startObject("field").field("text", "x").endObject(), "unknown key [text]");
    assertRefused(
        image,
        b -> b.startObject("field").array("embedding", new float[] {1}).endObject(),
        "must have " + DIMENSION + " values, got 1");
    assertRefused(
        image,
        b -> b.startObject("field").array("embedding", new float[DIMENSION]).endObject(),
        "must not be zero");
    assertRefused(
        image,
        b -> b.startObject("field").field("embedding", List.of("NaN")).endObject(),
        "array of numbers, got [NaN]");
    assertRefused(
        image,
        b -> b.startObject("field").field("embedding", "1,2").endObject(),
        "[embedding] is no base64");
    assertRefused(
        image,
        b -> b.startObject("field").field("embedding", "AAAA").endObject(),
        "must have " + 4 * DIMENSION + " of them");
    assertRefused(image, withTokens("!"), "no base64");
    assertRefused(image, withTokens("AAAA"), "token block");
    byte[] block = Base64.getDecoder().decode(block(MODEL, count, TokenEncoding.INT8));
    assertRefused(
        image,
        withTokens(TestModels.base64(Arrays.copyOf(block, block.length - 1))),
        "must have " + block.length + " bytes, got " + (block.length - 1));
    block[4] = 3;
    assertRefused(image, withTokens(TestModels.base64(block)), "format version 3");
    // What stands in stored sources.
    assertRefused(
        image,
        b -> b.startObject("field").field("embedding", randomBoolean()).endObject(),
        "must be an array of " + DIMENSION + " numbers");
    assertRefused(
        image,
        b -> b.startObject("field").array("embedding", unit(0)).field("tokens", false).endObject(),
        "must be a string, got [false]");
    assertRefused(
        image, withTokens(block(TestModels.foreign(), count, TokenEncoding.INT8)), "another model");
    assertRefused(image, withTokens(block(MODEL, count + 1, TokenEncoding.INT8)), "does not make");
    assertRefused(
        image,
        b -> b.startObject("field").array("embedding", unit(0)).field("sensor", "s1").endObject(),
        "unknown sensor [s1]");
    assertRefused(
        image,
        b ->
            b.startObject("field")
                .array("embedding", unit(0))
                .field("encoded_from", "me")
                .endObject(),
        "[encoded_from]");
  }

  private static CheckedConsumer<XContentBuilder, IOException> withTokens(String tokens) {
    return b ->
        b.startObject("field").array("embedding", unit(0)).field("tokens", tokens).endObject();
  }

  private void assertRefused(
      DocumentMapper mapper, CheckedConsumer<XContentBuilder, IOException> value, String message) {
    MapperParsingException e =
        expectThrows(MapperParsingException.class, () -> parse(mapper, value));
    assertThat(e.getMessage(), containsString("field [field] of type [cross_modal]"));
    assertThat(e.getMessage(), containsString(message));
  }

  public void testContentMustBeWhatWasEncoded() throws IOException {
    DocumentMapper text = mapper(b -> b.field("modality", "text"));
    FieldDefinition field = TestModels.field(MODEL, Modality.TEXT, TokenStorage.INT8);
    String mark = new DocumentValue(field, Map.of("text", "a pond")).mark(unit(0), null);
    assertNotNull(parse(text, encoded("a pond", mark)).getField("field"));
    String ofOld = mark.substring(0, 64 + 2 * 17);
    assertNotNull(parse(text, encoded("a pond", ofOld)).getField("field"));
    assertRefused(text, encoded("a lake", ofOld), "was changed");
    String other = new DocumentValue(field, Map.of("text", "a pond")).mark(unit(1), null);
    assertRefused(text, encoded("a pond", other), "got both");
    assertRefused(text, encoded("a lake", mark), "was changed");
    String foreign =
        new DocumentValue(
                TestModels.field(TestModels.foreign(), Modality.TEXT, TokenStorage.INT8),
                Map.of("text", "a pond"))
            .mark(unit(0), null);
    assertRefused(text, encoded("a pond", foreign), "another model");
  }

  private static CheckedConsumer<XContentBuilder, IOException> encoded(String text, String mark) {
    return b ->
        b.startObject("field")
            .field("text", text)
            .array("embedding", unit(0))
            .field("encoded_from", mark)
            .endObject();
  }

  public void testOneValueADocument() throws IOException {
    DocumentMapper mapper =
        createDocumentMapper(
            mapping(
                b ->
                    b.startObject("places")
                        .startObject("properties")
                        .startObject("field")
                        .field("type", "cross_modal")
                        .endObject()
                        .endObject()
                        .endObject()));
    MapperParsingException e =
        expectThrows(
            MapperParsingException.class,
            () ->
                parse(
                    mapper,
                    b -> {
                      b.startArray("places");
                      for (int i = 0; i < 2; i++) {
                        b.startObject()
                            .startObject("field")
                            .array("embedding", unit(i))
                            .endObject()
                            .endObject();
                      }
                      b.endArray();
                    }));
    assertThat(e.getMessage(), containsString("one value"));
  }

  public void testAMappingKeepsTheSpacesOfItsModel() throws IOException {
    Map<String, Object> kept = serialized(mapper(b -> {}));
    assertEquals(TestModels.ID, kept.get("model"));
    Spaces spaces = Spaces.of(MODEL.manifest());
    assertEquals(
        Map.of(
            "filter",
            spaces.embedding(),
            "tokens",
            spaces.tokens(),
            "dimension",
            DIMENSION,
            "hidden",
            MODEL.manifest().config().hidden(),
            "text_tokens",
            MODEL.manifest().config().text().maxTokens(),
            "image_tokens",
            Map.of("rgb", TestModels.imageTokens(MODEL))),
        kept.get("spaces"));
  }

  /** As when a node starts, or after a snapshot of another cluster was restored. */
  public void testAMappingWithSpacesNeedsNoModel() throws IOException {
    Map<String, Object> field = serialized(mapper(b -> {}));
    field.put("model", "gone");
    DocumentMapper mapper = createDocumentMapper(fieldMapping(b -> field.forEach(field(b))));
    assertEquals(field, serialized(mapper));
    assertNotNull(
        parse(mapper, b -> b.startObject("field").array("embedding", unit(0)).endObject())
            .getField("field"));
    FieldDefinition definition =
        ((CrossModalFieldMapper) mapper.mappers().getMapper("field")).fieldType().definition();
    assertThat(
        expectThrows(IllegalArgumentException.class, definition::model).getMessage(),
        containsString("field [field] was made with the model [gone]"));
  }

  public void testAModelOfOtherSpacesIsRefused() throws IOException {
    Map<String, Object> field = serialized(mapper(b -> {}));
    Spaces foreign = Spaces.of(TestModels.foreign().manifest());
    @SuppressWarnings("unchecked")
    Map<String, Object> spaces = new HashMap<>((Map<String, Object>) field.get("spaces"));
    spaces.put("filter", foreign.embedding());
    field.put("spaces", spaces);
    DocumentMapper mapper = createDocumentMapper(fieldMapping(b -> field.forEach(field(b))));
    FieldDefinition definition =
        ((CrossModalFieldMapper) mapper.mappers().getMapper("field")).fieldType().definition();
    String message = expectThrows(IllegalArgumentException.class, definition::model).getMessage();
    assertThat(message, containsString("filter space [" + foreign.embedding() + "]"));
    assertThat(message, containsString(Spaces.of(MODEL.manifest()).embedding()));
    IllegalArgumentException conflict =
        expectThrows(
            IllegalArgumentException.class,
            () ->
                mapper.merge(mapper(b -> {}).mapping(), MapperService.MergeReason.MAPPING_UPDATE));
    assertThat(conflict.getMessage(), containsString("Cannot update parameter [spaces]"));
  }

  private static Map<String, Object> serialized(DocumentMapper mapper) throws IOException {
    Map<String, Object> mapping =
        XContentHelper.convertToMap(
                mapper.mappingSource().uncompressed(), true, MediaTypeRegistry.JSON)
            .v2();
    return MappingFields.find(mapping, "field").node();
  }

  private static BiConsumer<String, Object> field(XContentBuilder builder) {
    return (key, value) -> {
      try {
        builder.field(key, value);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }

  public void testBadMappingsAreRefused() {
    assertMappingRefused(b -> b.field("spaces", 3), "[spaces] must be an object, got [3]");
    assertMappingRefused(
        b -> b.field("spaces", Map.of("image_tokens", Map.of())), "[spaces.dimension]");
    assertMappingRefused(
        b -> b.field("model", "nothing"), "unknown model [nothing], this node has [micro]");
    assertMappingRefused(b -> b.field("modality", "sound"), "[modality] must be image or text");
    assertMappingRefused(
        b -> b.field("tokens", "int2"), "[tokens] must be int8, fp16, int4 or none");
    assertMappingRefused(b -> b.field("vector_encoding", "int8"), "[index.cross_modal: true]");
    assertMappingRefused(b -> b.field("vector_encoding", "int9"), "must be one of");
    assertMappingRefused(b -> b.field("m", 1), "[m] must be from 2 to 512");
    assertMappingRefused(b -> b.field("ef_construction", 0), "[ef_construction] must be from 1");
    assertMappingRefused(b -> b.field("m", 8), "index.cross_modal: true");
    assertMappingRefused(b -> b.field("dims", 8), "unknown parameter [dims]");
    assertMappingRefused(
        b ->
            b.startObject("fields")
                .startObject("k")
                .field("type", "keyword")
                .endObject()
                .endObject(),
        "does not take [fields]");
  }

  private void assertMappingRefused(
      CheckedConsumer<XContentBuilder, IOException> parameters, String message) {
    Exception e = expectThrows(Exception.class, () -> mapper(parameters));
    assertTrue(
        e.toString(), e instanceof MapperParsingException || e instanceof IllegalArgumentException);
    assertThat(e.getMessage(), containsString(message));
  }
}
