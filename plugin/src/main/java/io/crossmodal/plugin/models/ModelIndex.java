/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.OpenSearchTimeoutException;
import org.opensearch.ResourceAlreadyExistsException;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.delete.DeleteRequest;
import org.opensearch.action.get.GetResponse;
import org.opensearch.action.get.MultiGetItemResponse;
import org.opensearch.action.get.MultiGetRequest;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.support.IndicesOptions;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.action.ActionFuture;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.IndexNotFoundException;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.indices.SystemIndexDescriptor;
import org.opensearch.search.SearchHit;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.transport.client.Client;
import org.opensearch.transport.client.OriginSettingClient;

/**
 * The system index that holds the bytes of bundles and of uploads under way: a document a chunk,
 * replicated, none of it searchable but its age. Knows nothing of what the bytes are.
 *
 * <p>Every method waits for the cluster's answer: call them where waiting is allowed, on the
 * generic thread pool.
 */
public final class ModelIndex {
  public static final String NAME = ".plugins-cross-modal-models";

  /** For {@link org.opensearch.plugins.SystemIndexPlugin}. */
  public static final SystemIndexDescriptor DESCRIPTOR =
      new SystemIndexDescriptor(NAME, "Models of the cross-modal plugin");

  private static final TimeValue LONGEST_WAIT = TimeValue.timeValueSeconds(60);
  private static final int SWEEP_AT_ONCE = 1000;
  private static final String CREATED = "created";
  private static final String BYTES = "bytes";
  private static final String MAPPING =
      "{\"dynamic\":\"strict\",\"properties\":{\"created\":{\"type\":\"long\"},"
          + "\"bytes\":{\"type\":\"binary\"}}}";

  private final Client client;
  private final ClusterService clusterService;

  public ModelIndex(Client client, ClusterService clusterService) {
    // The plugin's own bookkeeping: whoever may upload a model need not be allowed to write here.
    this.client = new OriginSettingClient(client, "cross_modal");
    this.clusterService = clusterService;
  }

  /** Writes a document; one that is there is replaced, and young again. */
  void put(String id, byte[] bytes) {
    create();
    try (XContentBuilder source = MediaTypeRegistry.contentBuilder(XContentType.SMILE)) {
      source
          .startObject()
          .field(CREATED, System.currentTimeMillis())
          .field(BYTES, bytes)
          .endObject();
      await(client.index(new IndexRequest(NAME).id(id).source(source)));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }

  private void create() {
    if (clusterService.state().metadata().hasIndex(NAME)) {
      return;
    }
    try {
      await(
          client
              .admin()
              .indices()
              .prepareCreate(NAME)
              .setSettings(
                  Settings.builder()
                      .put("index.number_of_shards", 1)
                      .put("index.auto_expand_replicas", "0-1")
                      .put("index.hidden", true)
                      // Read by id; a sweep refreshes for itself.
                      .put("index.refresh_interval", "-1"))
              .setMapping(MAPPING)
              .execute());
    } catch (ResourceAlreadyExistsException e) {
      // Another node was faster.
      return;
    }
  }

  /** A document's bytes; null where there is none. */
  byte[] get(String id) {
    GetResponse found;
    try {
      found = await(client.prepareGet(NAME, id).execute());
    } catch (IndexNotFoundException e) {
      return null;
    }
    if (!found.isExists()) {
      return null;
    }
    Map<String, Object> source =
        XContentHelper.convertToMap(
                found.getSourceAsBytesRef(), false, (MediaType) XContentType.SMILE)
            .v2();
    return (byte[]) source.get(BYTES);
  }

  /** Those of the ids that no document has. */
  List<String> missing(List<String> ids) {
    MultiGetRequest request = new MultiGetRequest();
    for (String id : ids) {
      request.add(
          new MultiGetRequest.Item(NAME, id)
              .fetchSourceContext(FetchSourceContext.DO_NOT_FETCH_SOURCE));
    }
    List<String> missing = new ArrayList<>();
    for (MultiGetItemResponse item : await(client.multiGet(request))) {
      if (item.isFailed() || !item.getResponse().isExists()) {
        missing.add(item.getId());
      }
    }
    return missing;
  }

  void delete(List<String> ids) {
    if (!clusterService.state().metadata().hasIndex(NAME) || ids.isEmpty()) {
      return;
    }
    BulkRequest bulk = new BulkRequest();
    ids.forEach(id -> bulk.add(new DeleteRequest(NAME, id)));
    await(client.bulk(bulk));
  }

  /**
   * Deletes what nobody needs: documents written before a time and not renewed since.
   *
   * @param before in milliseconds since 1970
   * @param needed tells the ids to keep
   */
  void sweep(long before, Predicate<String> needed) {
    if (!clusterService.state().metadata().hasIndex(NAME)) {
      return;
    }
    await(client.admin().indices().prepareRefresh(NAME).execute());
    BulkRequest bulk = new BulkRequest();
    for (SearchHit hit :
        await(
                client
                    .prepareSearch(NAME)
                    .setIndicesOptions(IndicesOptions.strictSingleIndexNoExpandForbidClosed())
                    .setQuery(QueryBuilders.rangeQuery(CREATED).lt(before))
                    .setFetchSource(false)
                    .seqNoAndPrimaryTerm(true)
                    .setSize(SWEEP_AT_ONCE)
                    .execute())
            .getHits()) {
      if (!needed.test(hit.getId())) {
        // Not what an upload has written again since the search.
        bulk.add(
            new DeleteRequest(NAME, hit.getId())
                .setIfSeqNo(hit.getSeqNo())
                .setIfPrimaryTerm(hit.getPrimaryTerm()));
      }
    }
    if (bulk.numberOfActions() > 0) {
      await(client.bulk(bulk));
    }
  }

  private static <T> T await(ActionFuture<T> future) {
    try {
      return future.actionGet(LONGEST_WAIT);
    } catch (OpenSearchTimeoutException e) {
      throw new OpenSearchStatusException(
          "the index [{}] did not answer within [{}]",
          RestStatus.SERVICE_UNAVAILABLE,
          e,
          NAME,
          LONGEST_WAIT);
    }
  }
}
