/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.time.ZoneId;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.lucene.search.FieldExistsQuery;
import org.apache.lucene.search.Query;
import org.opensearch.index.fielddata.IndexFieldData;
import org.opensearch.index.mapper.DocValueFetcher;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.SourceValueFetcher;
import org.opensearch.index.mapper.TextSearchInfo;
import org.opensearch.index.mapper.ValueFetcher;
import org.opensearch.index.query.QueryShardContext;
import org.opensearch.search.DocValueFormat;
import org.opensearch.search.lookup.SearchLookup;

/** Type of a {@code cross_modal} field, as a shard's searches see it. */
public final class CrossModalFieldType extends MappedFieldType {
  private static final String ARRAY = "array";
  private static final String BASE64 = "base64";

  private final FieldDefinition definition;
  private final HnswParameters hnsw;
  private final Supplier<ScoringService> scoring;

  public CrossModalFieldType(
      FieldDefinition definition,
      HnswParameters hnsw,
      Map<String, String> meta,
      Supplier<ScoringService> scoring) {
    super(definition.path(), true, false, false, TextSearchInfo.NONE, meta);
    this.definition = definition;
    this.hnsw = hnsw;
    this.scoring = scoring;
  }

  /**
   * Returns the doc values that hold a field's token blocks.
   *
   * @param field full name of the field
   */
  public static String tokensField(String field) {
    return field + "._tokens";
  }

  /**
   * Returns the doc values that hold the sensor of a field's image, where its model has several.
   *
   * @param field full name of the field
   */
  public static String sensorField(String field) {
    return field + "._sensor";
  }

  /**
   * Returns the full names of the keys in a source that the index keeps itself.
   *
   * @param field full name of the field
   */
  public static List<String> derivedKeys(String field) {
    return List.of(field + "." + DocumentValue.EMBEDDING, field + "." + DocumentValue.TOKENS);
  }

  public FieldDefinition definition() {
    return definition;
  }

  /** Returns how the field's graph is to be built. */
  public HnswParameters hnsw() {
    return hnsw;
  }

  /** Returns the scoring of this node, by the plugin that made this field type. */
  public ScoringService scoring() {
    return scoring.get();
  }

  @Override
  public String typeName() {
    return CrossModalFieldMapper.TYPE;
  }

  @Override
  public Query existsQuery(QueryShardContext context) {
    return new FieldExistsQuery(name());
  }

  @Override
  public Query termQuery(Object value, QueryShardContext context) {
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "field [%s] of type [%s] is searched with the query [%s], not with terms",
            name(),
            typeName(),
            CrossModalFieldMapper.TYPE));
  }

  /**
   * Returns embeddings for a format, and without one the value as the source has it, but for
   * embedding and tokens: a pattern in {@code fields} asks for neither.
   */
  @Override
  public ValueFetcher valueFetcher(QueryShardContext context, SearchLookup lookup, String format) {
    if (format != null) {
      return new DocValueFetcher(docValueFormat(format, null), new EmbeddingFieldData(name()));
    }
    return new SourceValueFetcher(name(), context) {
      @Override
      protected Object parseSourceValue(Object value) {
        if (!(value instanceof Map<?, ?> map)) {
          return value;
        }
        Map<Object, Object> lean = new LinkedHashMap<>(map);
        lean.remove(DocumentValue.EMBEDDING);
        lean.remove(DocumentValue.TOKENS);
        return lean;
      }
    };
  }

  @Override
  public IndexFieldData.Builder fielddataBuilder(String index, Supplier<SearchLookup> lookup) {
    return (cache, breaker) -> new EmbeddingFieldData(name());
  }

  /** Returns false: what {@link #fielddataBuilder} gives is to be fetched alone. */
  @Override
  public boolean isAggregatable() {
    return false;
  }

  /**
   * Returns how an embedding is given: as numbers, or as core formats bytes, in base64.
   *
   * @throws IllegalArgumentException for a format that is neither
   */
  @Override
  public DocValueFormat docValueFormat(String format, ZoneId timeZone) {
    if (format == null || format.equals(ARRAY)) {
      return DocValueFormat.RAW;
    }
    if (format.equals(BASE64)) {
      return DocValueFormat.BINARY;
    }
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "[format] of field [%s] of type [%s] must be [%s] or [%s], got [%s]",
            name(),
            typeName(),
            ARRAY,
            BASE64,
            Messages.excerpt(format)));
  }
}
