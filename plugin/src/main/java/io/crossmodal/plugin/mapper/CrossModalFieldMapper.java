/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.util.BytesRef;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.IndexSettings;
import org.opensearch.index.mapper.FieldMapper;
import org.opensearch.index.mapper.Mapper;
import org.opensearch.index.mapper.MapperParsingException;
import org.opensearch.index.mapper.MappingLookup;
import org.opensearch.index.mapper.ParametrizedFieldMapper;
import org.opensearch.index.mapper.ParseContext;

/**
 * The field type {@code cross_modal}.
 *
 * <pre>{@code
 * "image": {"type": "cross_modal", "model": "scenes-tiny", "modality": "image|text", "m": 16,
 *           "ef_construction": 100, "vector_encoding": "float32|int8|int4|bit1",
 *           "tokens": "int8|fp16|int4|none", "token_pooling": 1, "stretch": "0:3000",
 *           "thumbnail": 192}
 * }</pre>
 *
 * {@code m}, {@code ef_construction} and {@code vector_encoding} other than Lucene's defaults need
 * {@code index.cross_modal: true}, for only then does this plugin choose the vectors' format.
 */
public final class CrossModalFieldMapper extends ParametrizedFieldMapper {
  public static final String TYPE = "cross_modal";

  /**
   * Collects a mapping's parameters. The one that no user writes is {@code spaces}: the first
   * mapping of a field takes it from the model and keeps it, so that later ones, on any node and
   * before a node has heard of any model, need nothing else.
   */
  public static final class Builder extends ParametrizedFieldMapper.Builder {
    private final ModelCatalog catalog;
    private final Supplier<ScoringService> scoring;
    private final Predicate<String> mapped;
    private final Parameter<String> model;
    private final Parameter<Spaces> spaces;
    private final Parameter<String> modality =
        Parameter.stringParam(
                "modality", false, m -> definition(m).modality().key(), Modality.IMAGE.key())
            .setValidator(Modality::of);
    private final Parameter<Integer> m =
        Parameter.intParam("m", false, f -> hnsw(f).m(), HnswParameters.DEFAULT.m());
    private final Parameter<Integer> efConstruction =
        Parameter.intParam(
            "ef_construction",
            false,
            f -> hnsw(f).efConstruction(),
            HnswParameters.DEFAULT.efConstruction());
    private final Parameter<String> vectorEncoding =
        Parameter.stringParam(
                "vector_encoding",
                false,
                f -> hnsw(f).encoding().key(),
                HnswParameters.DEFAULT.encoding().key())
            .setValidator(VectorEncoding::of);
    private final Parameter<String> tokens =
        Parameter.stringParam(
                "tokens", false, f -> definition(f).tokens().key(), TokenStorage.INT8.key())
            .setValidator(TokenStorage::of);
    private final Parameter<Integer> tokenPooling =
        Parameter.intParam(
            FieldDefinition.TOKEN_POOLING, false, f -> definition(f).tokenPooling(), 1);
    private final Parameter<String> stretch =
        Parameter.stringParam(
                FieldDefinition.STRETCH,
                false,
                f -> definition(f).pictures().stretch().map(Stretch::toString).orElse(""),
                "")
            .setValidator(value -> FieldDefinition.pictures(value, 0));
    private final Parameter<Integer> thumbnail =
        Parameter.intParam(
                FieldDefinition.THUMBNAIL,
                false,
                f -> definition(f).pictures().thumbnails().side(),
                0)
            .setValidator(value -> FieldDefinition.pictures("", value));
    private final Parameter<Map<String, String>> meta = Parameter.metaParam();

    /**
     * @param mapped whether the index has a field, by its full name: what a mapping that is made
     *     must keep to may have changed since for one that is there
     */
    Builder(
        String name,
        ModelCatalog catalog,
        Supplier<ScoringService> scoring,
        Predicate<String> mapped) {
      super(name);
      this.catalog = catalog;
      this.scoring = scoring;
      this.mapped = mapped;
      this.model =
          new Parameter<>(
                  "model",
                  false,
                  catalog::defaultId,
                  (field, context, value) -> String.valueOf(value),
                  f -> definition(f).modelId())
              // A later default must not rebind what was stored.
              .alwaysSerialize();
      this.spaces =
          new Parameter<>(
                  "spaces",
                  false,
                  // Not the model's: serialising asks for the default, also when it is gone.
                  () -> null,
                  (field, context, value) -> Spaces.parse(value),
                  f -> definition(f).spaces())
              .setSerializer(
                  (builder, key, value) -> value.toXContent(builder, key), Spaces::toString)
              .alwaysSerialize();
    }

    private static FieldDefinition definition(FieldMapper mapper) {
      return ((CrossModalFieldMapper) mapper).fieldType().definition();
    }

    private static HnswParameters hnsw(FieldMapper mapper) {
      return ((CrossModalFieldMapper) mapper).fieldType().hnsw();
    }

    private HnswParameters hnsw() {
      return new HnswParameters(
          m.getValue(), efConstruction.getValue(), VectorEncoding.of(vectorEncoding.getValue()));
    }

    private static MapperParsingException graphNeedsSetting(String path, HnswParameters hnsw) {
      return new MapperParsingException(
          String.format(
              Locale.ROOT,
              "field [%s]: [m] %d, [ef_construction] %d and [vector_encoding] %s take effect only"
                  + " in an index with the setting [index.cross_modal: true]; without it they"
                  + " must be %d, %d and %s",
              path,
              hnsw.m(),
              hnsw.efConstruction(),
              hnsw.encoding().key(),
              HnswParameters.DEFAULT.m(),
              HnswParameters.DEFAULT.efConstruction(),
              HnswParameters.DEFAULT.encoding().key()));
    }

    @Override
    protected List<Parameter<?>> getParameters() {
      return List.of(
          model,
          spaces,
          modality,
          m,
          efConstruction,
          vectorEncoding,
          tokens,
          tokenPooling,
          stretch,
          thumbnail,
          meta);
    }

    @Override
    public CrossModalFieldMapper build(BuilderContext context) {
      String path = buildFullName(context);
      // Read in any case: with another codec, which a template may bring, it is refused.
      boolean ours = CrossModalSettings.indexCrossModal(context.indexSettings()).orElse(false);
      boolean checkSetting = !hnsw().equals(HnswParameters.DEFAULT) && !ours;
      boolean checkSpaces = spaces.getValue() != null && catalog.has(model.getValue());
      if ((checkSetting || checkSpaces) && !mapped.test(path)) {
        if (checkSetting) {
          throw graphNeedsSetting(path, hnsw());
        }
        spaces.getValue().checkAgainst(model.getValue(), catalog.manifest(model.getValue()));
      }
      FieldDefinition definition =
          new FieldDefinition(
              path,
              model.getValue(),
              spaces.getValue() != null
                  ? spaces.getValue()
                  : FieldDefinition.spacesOf(model.getValue(), catalog),
              Modality.of(modality.getValue()),
              TokenStorage.of(tokens.getValue()),
              tokenPooling.getValue(),
              FieldDefinition.pictures(stretch.getValue(), thumbnail.getValue()),
              catalog);
      return new CrossModalFieldMapper(
          name,
          new CrossModalFieldType(definition, hnsw(), meta.getValue(), scoring),
          multiFieldsBuilder.build(this, context),
          copyTo.build(),
          catalog,
          scoring);
    }
  }

  private final ModelCatalog catalog;
  private final Supplier<ScoringService> scoring;

  private CrossModalFieldMapper(
      String simpleName,
      CrossModalFieldType type,
      MultiFields multiFields,
      CopyTo copyTo,
      ModelCatalog catalog,
      Supplier<ScoringService> scoring) {
    super(simpleName, type, multiFields, copyTo);
    this.catalog = catalog;
    this.scoring = scoring;
  }

  @Override
  public CrossModalFieldType fieldType() {
    return (CrossModalFieldType) super.fieldType();
  }

  @Override
  public ParametrizedFieldMapper.Builder getMergeBuilder() {
    return new Builder(simpleName(), catalog, scoring, path -> true).init(this);
  }

  @Override
  protected String contentType() {
    return TYPE;
  }

  /** Arrays come here whole, to be refused by name instead of by the second value in them. */
  @Override
  public boolean parsesArrayValue() {
    return true;
  }

  /** Says itself what is wrong: FieldMapper's message would repeat the whole picture. */
  @Override
  public void parse(ParseContext context) throws IOException {
    try {
      parseCreateField(context);
    } catch (IllegalArgumentException e) {
      throw new MapperParsingException(
          String.format(
              Locale.ROOT,
              "field [%s] of type [%s] in document with id '%s': %s",
              name(),
              TYPE,
              context.sourceToParse().id(),
              e.getMessage()),
          e);
    }
  }

  @Override
  protected void parseCreateField(ParseContext context) throws IOException {
    Map<String, Object> map = readValue(context.parser());
    if (map == null) {
      return;
    }
    if (context.doc().getByKey(name()) != null) {
      throw new IllegalArgumentException("a document takes one value, got several");
    }
    DocumentValue value = new DocumentValue(fieldType().definition(), map);
    context
        .doc()
        .addWithKey(
            name(),
            new KnnFloatVectorField(
                name(), value.storedEmbedding(), VectorSimilarityFunction.DOT_PRODUCT));
    value
        .storedSensor()
        .ifPresent(
            sensor ->
                context
                    .doc()
                    .add(
                        SortedDocValuesField.indexedField(
                            CrossModalFieldType.sensorField(name()), new BytesRef(sensor))));
    context.doc().add(DerivedSourceFieldMapper.mark(name(), DocumentValue.EMBEDDING));
    value
        .storedTokens()
        .ifPresent(
            block -> {
              context
                  .doc()
                  .add(
                      new BinaryDocValuesField(
                          CrossModalFieldType.tokensField(name()), new BytesRef(block)));
              context.doc().add(DerivedSourceFieldMapper.mark(name(), DocumentValue.TOKENS));
            });
  }

  /**
   * Refuses what the field cannot be part of: a nested document has no source of its own to fill
   * in, and no tokens to rescore; what is copied here is copied when documents have been encoded.
   */
  @Override
  protected void doValidate(MappingLookup mappers) {
    for (Mapper mapper : mappers) {
      if (mapper instanceof FieldMapper field && field.copyTo().copyToFields().contains(name())) {
        throw new MapperParsingException(
            String.format(
                Locale.ROOT,
                "[copy_to] of field [%s] cannot copy to field [%s] of type [%s], for what is copied"
                    + " comes too late to be encoded: send the value there too",
                field.name(),
                name(),
                TYPE));
      }
    }
    for (String own :
        List.of(CrossModalFieldType.tokensField(name()), CrossModalFieldType.sensorField(name()))) {
      if (mappers.getMapper(own) != null || mappers.isObjectField(own)) {
        throw new MapperParsingException(
            String.format(
                Locale.ROOT,
                "[%s] cannot be mapped, for field [%s] of type [%s] keeps values of its own under"
                    + " that name: choose another name",
                own,
                name(),
                TYPE));
      }
    }
    String nested = mappers.getNestedScope(name());
    if (nested != null) {
      throw new MapperParsingException(
          String.format(
              Locale.ROOT,
              "field [%s] of type [%s] cannot stand in the nested object [%s]: map [%s] as a plain"
                  + " object, or give each of its parts a document",
              name(),
              TYPE,
              nested,
              nested));
    }
  }

  @Override
  protected void canDeriveSourceInternal() {
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "field [%s] of type [%s] does not go with [%s]: without that setting, embeddings and"
                + " tokens are kept out of the stored source too",
            name(),
            TYPE,
            IndexSettings.INDEX_DERIVED_SOURCE_SETTING.getKey()));
  }

  /** Returns the value as a map; null where the document says null. */
  private Map<String, Object> readValue(XContentParser parser) throws IOException {
    boolean text = fieldType().definition().modality() == Modality.TEXT;
    XContentParser.Token token = parser.currentToken();
    if (token == XContentParser.Token.VALUE_NULL) {
      return null;
    }
    if (token == XContentParser.Token.START_OBJECT) {
      return parser.map();
    }
    if (token == XContentParser.Token.VALUE_STRING && text) {
      return Map.of(DocumentValue.TEXT, parser.text());
    }
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "a value is one object with %s, got %s",
            text ? "[text] or [embedding]" : "[bytes] or [embedding]",
            token));
  }
}
