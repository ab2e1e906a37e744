/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fetch;

import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.MappingFields;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.opensearch.OpenSearchException;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.IndicesRequest;
import org.opensearch.action.get.GetRequest;
import org.opensearch.action.get.MultiGetRequest;
import org.opensearch.action.support.ActionFilter;
import org.opensearch.action.support.ActionFilterChain;
import org.opensearch.action.support.ActionRequestMetadata;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.metadata.MappingMetadata;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.cache.Cache;
import org.opensearch.common.cache.CacheBuilder;
import org.opensearch.common.compress.CompressedXContent;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.index.mapper.SourceFieldMapper;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.tasks.Task;

/**
 * Keeps embeddings and tokens out of the answers to GET and {@code _mget}, by the mapping in the
 * cluster state. What core gets for itself while it rewrites a query, such as a document to
 * percolate, comes whole: it asks with the preference {@code _local}. Thread-safe.
 */
public final class LeanGets implements ActionFilter {
  private static final String LOCAL = "_local";
  private static final long MOST_BYTES = 10 << 20;

  private final ClusterService cluster;
  private final IndexNameExpressionResolver resolver;

  /** Mappings lie compressed in the cluster state and are parsed whole: each once. */
  private final Cache<CompressedXContent, List<String>> keys =
      CacheBuilder.<CompressedXContent, List<String>>builder()
          .setMaximumWeight(MOST_BYTES)
          .weigher((mapping, found) -> mapping.compressed().length)
          .build();

  public LeanGets(ClusterService cluster, IndexNameExpressionResolver resolver) {
    this.cluster = cluster;
    this.resolver = resolver;
  }

  @Override
  public int order() {
    return 0;
  }

  @Override
  public <Q extends ActionRequest, R extends ActionResponse> void apply(
      Task task,
      String action,
      Q request,
      ActionRequestMetadata<Q, R> metadata,
      ActionListener<R> listener,
      ActionFilterChain<Q, R> chain) {
    if (request instanceof GetRequest get && !LOCAL.equals(get.preference())) {
      get.fetchSourceContext(lean(get.fetchSourceContext(), get.storedFields(), get));
    } else if (request instanceof MultiGetRequest many && !LOCAL.equals(many.preference())) {
      for (MultiGetRequest.Item get : many) {
        get.fetchSourceContext(lean(get.fetchSourceContext(), get.storedFields(), get));
      }
    }
    chain.proceed(task, action, request, listener);
  }

  private FetchSourceContext lean(FetchSourceContext asked, String[] stored, IndicesRequest get) {
    boolean returned =
        asked == null
            ? stored == null || Arrays.asList(stored).contains(SourceFieldMapper.NAME)
            : asked.fetchSource();
    if (!returned) {
      return asked;
    }
    List<String> left = keys(get);
    return left.isEmpty() ? asked : LeanHits.lean(asked, true, left);
  }

  private List<String> keys(IndicesRequest get) {
    ClusterState state = cluster.state();
    MappingMetadata mapping;
    try {
      mapping = state.metadata().index(resolver.concreteSingleIndex(state, get)).mapping();
    } catch (OpenSearchException | IllegalArgumentException e) {
      // No such index, several, or a closed one: the get itself will say so.
      return List.of();
    }
    if (mapping == null) {
      return List.of();
    }
    try {
      return keys.computeIfAbsent(mapping.source(), source -> keys(mapping));
    } catch (ExecutionException e) {
      throw new IllegalStateException("a mapping in the cluster state is unreadable", e);
    }
  }

  private static List<String> keys(MappingMetadata mapping) {
    List<String> found = new ArrayList<>();
    MappingFields.visit(
        mapping.sourceAsMap(),
        (path, field) -> {
          if (CrossModalFieldMapper.TYPE.equals(field.get("type"))) {
            found.addAll(CrossModalFieldType.derivedKeys(path));
          }
        });
    return found;
  }
}
