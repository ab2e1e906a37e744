/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fetch;

import io.crossmodal.plugin.mapper.CrossModalFieldType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import org.opensearch.common.io.stream.BytesStreamOutput;
import org.opensearch.core.common.Strings;
import org.opensearch.core.common.io.stream.NamedWriteableAwareStreamInput;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.index.mapper.DocumentMapper;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.SourceFieldMapper;
import org.opensearch.index.shard.SearchOperationListener;
import org.opensearch.search.aggregations.AggregationBuilder;
import org.opensearch.search.aggregations.AggregatorFactories;
import org.opensearch.search.aggregations.SearchContextAggregations;
import org.opensearch.search.aggregations.metrics.TopHitsAggregationBuilder;
import org.opensearch.search.fetch.StoredFieldsContext;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.search.internal.SearchContext;

/**
 * Keeps embeddings and tokens out of the hits of a shard, of their inner hits and of {@code
 * top_hits}, by the shard's own mapping. A scroll gets all: by scrolls documents are copied, into
 * this cluster or from it.
 */
public final class LeanHits implements SearchOperationListener {
  /**
   * Returns the source filter of a request without what it does not ask for. It asks for what its
   * includes cover, and for everything with {@code "_source": true} alone.
   *
   * @param asked null where the request says nothing
   * @param byDefault whether a request that says nothing gets the source
   * @param keys of embeddings and tokens
   * @return {@code asked} itself where that is as it should be
   */
  static FetchSourceContext lean(FetchSourceContext asked, boolean byDefault, List<String> keys) {
    if (asked == null) {
      return new FetchSourceContext(byDefault, Strings.EMPTY_ARRAY, keys.toArray(String[]::new));
    }
    boolean everything = asked.fetchSource() && asked.excludes().length == 0;
    if (asked.includes().length > 0 || everything) {
      return asked;
    }
    // Also where no source is returned: what else needs it, as fields do, reads less.
    return new FetchSourceContext(
        asked.fetchSource(),
        Strings.EMPTY_ARRAY,
        Stream.concat(Stream.of(asked.excludes()), keys.stream()).toArray(String[]::new));
  }

  /** Returns whether a request gets the source that says nothing about it. */
  private static boolean byDefault(StoredFieldsContext stored, boolean scripts) {
    return stored == null
        ? !scripts
        : stored.fetchFields() && names(stored).contains(SourceFieldMapper.NAME);
  }

  private static List<String> names(StoredFieldsContext stored) {
    return stored.fieldNames() == null ? List.of() : stored.fieldNames();
  }

  /** Returns the keys of this index; none where all are wanted, or there is no source to filter. */
  private static List<String> keys(SearchContext search) {
    List<String> keys = new ArrayList<>();
    DocumentMapper mapper = search.mapperService().documentMapper();
    if (search.scrollContext() == null && mapper != null && mapper.sourceMapper().enabled()) {
      for (MappedFieldType field : search.mapperService().fieldTypes()) {
        if (field instanceof CrossModalFieldType) {
          keys.addAll(CrossModalFieldType.derivedKeys(field.name()));
        }
      }
    }
    return keys;
  }

  @Override
  public void onPreFetchPhase(SearchContext search) {
    List<String> keys = keys(search);
    if (!keys.isEmpty()) {
      thin(search, keys);
    }
  }

  private static void thin(SearchContext search, List<String> keys) {
    search.fetchSourceContext(
        lean(
            search.hasFetchSourceContext() ? search.fetchSourceContext() : null,
            byDefault(search.storedFieldsContext(), search.hasScriptFields()),
            keys));
    if (search.innerHits() != null) {
      search.innerHits().getInnerHits().values().forEach(inner -> thin(inner, keys));
    }
  }

  /**
   * Builds the aggregations anew where there are {@code top_hits} among them, which fetch in the
   * query phase. The request's own are shared by the shards of this node, so a copy is changed.
   */
  @Override
  public void onPreQueryPhase(SearchContext search) {
    if (search.aggregations() == null
        || search.request().source() == null
        || search.request().source().aggregations() == null) {
      return;
    }
    AggregatorFactories.Builder asked = search.request().source().aggregations();
    if (topHits(asked.getAggregatorFactories()).isEmpty()) {
      return;
    }
    List<String> keys = keys(search);
    if (keys.isEmpty()) {
      return;
    }
    try {
      AggregatorFactories.Builder own =
          copy(asked, search.getQueryShardContext().getWriteableRegistry());
      for (TopHitsAggregationBuilder top : topHits(own.getAggregatorFactories())) {
        boolean scripts = top.scriptFields() != null && !top.scriptFields().isEmpty();
        top.fetchSource(lean(top.fetchSource(), byDefault(top.storedFields(), scripts), keys));
      }
      search.aggregations(
          new SearchContextAggregations(
              own.build(search.getQueryShardContext(), null),
              search.aggregations().multiBucketConsumer()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<TopHitsAggregationBuilder> topHits(Collection<AggregationBuilder> among) {
    List<TopHitsAggregationBuilder> found = new ArrayList<>();
    for (AggregationBuilder one : among) {
      if (one instanceof TopHitsAggregationBuilder top) {
        found.add(top);
      }
      found.addAll(topHits(one.getSubAggregations()));
    }
    return found;
  }

  private static AggregatorFactories.Builder copy(
      AggregatorFactories.Builder original, NamedWriteableRegistry registry) throws IOException {
    try (BytesStreamOutput out = new BytesStreamOutput()) {
      original.writeTo(out);
      try (StreamInput in =
          new NamedWriteableAwareStreamInput(out.bytes().streamInput(), registry)) {
        return new AggregatorFactories.Builder(in);
      }
    }
  }
}
