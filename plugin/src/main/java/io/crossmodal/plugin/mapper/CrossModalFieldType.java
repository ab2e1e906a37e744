/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.FieldExistsQuery;
import org.apache.lucene.search.Query;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.SourceValueFetcher;
import org.opensearch.index.mapper.TextSearchInfo;
import org.opensearch.index.mapper.ValueFetcher;
import org.opensearch.index.query.QueryShardContext;
import org.opensearch.search.lookup.SearchLookup;
import org.opensearch.search.lookup.SourceLookup;

/** Type of a {@code cross_modal} field, as a shard's searches see it. */
public final class CrossModalFieldType extends MappedFieldType {
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

  @Override
  public ValueFetcher valueFetcher(QueryShardContext context, SearchLookup lookup, String format) {
    if (format != null) {
      throw new IllegalArgumentException(
          "field [" + name() + "] of type [" + typeName() + "] takes no format");
    }
    return new Fetcher(context);
  }

  /**
   * Gives values whole. A source that comes through a filter which leaves the field out has {@code
   * true} where the codec did not fill it in.
   */
  private final class Fetcher implements ValueFetcher {
    private final ValueFetcher source;
    private LeafReader segment;
    private int doc;

    private Fetcher(QueryShardContext context) {
      this.source =
          new SourceValueFetcher(name(), context) {
            @Override
            protected Object parseSourceValue(Object value) {
              return value instanceof Map<?, ?> map ? whole(map) : value;
            }
          };
    }

    @Override
    public void setNextReader(LeafReaderContext context) {
      segment = context.reader();
    }

    @Override
    public List<Object> fetchValues(SourceLookup lookup) throws IOException {
      doc = lookup.docId();
      return source.fetchValues(lookup);
    }

    private Map<String, Object> whole(Map<?, ?> value) {
      Map<String, Object> whole = new LinkedHashMap<>();
      value.forEach((key, part) -> whole.put(String.valueOf(key), part));
      try {
        if (Boolean.TRUE.equals(whole.get(DocumentValue.EMBEDDING))) {
          whole.put(
              DocumentValue.EMBEDDING, Embeddings.read(segment.getFloatVectorValues(name()), doc));
        }
        if (Boolean.TRUE.equals(whole.get(DocumentValue.TOKENS))) {
          whole.put(
              DocumentValue.TOKENS,
              DocumentValue.readTokens(segment.getBinaryDocValues(tokensField(name())), doc));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
      return whole;
    }
  }
}
