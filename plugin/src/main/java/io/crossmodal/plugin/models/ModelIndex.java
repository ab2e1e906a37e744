/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.Messages;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.OpenSearchTimeoutException;
import org.opensearch.ResourceAlreadyExistsException;
import org.opensearch.action.NoShardAvailableActionException;
import org.opensearch.action.UnavailableShardsException;
import org.opensearch.action.bulk.BulkItemResponse;
import org.opensearch.action.bulk.BulkRequest;
import org.opensearch.action.delete.DeleteRequest;
import org.opensearch.action.get.GetResponse;
import org.opensearch.action.get.MultiGetItemResponse;
import org.opensearch.action.get.MultiGetRequest;
import org.opensearch.action.index.IndexRequest;
import org.opensearch.action.search.SearchPhaseExecutionException;
import org.opensearch.action.search.SearchRequestBuilder;
import org.opensearch.action.support.IndicesOptions;
import org.opensearch.cluster.block.ClusterBlockException;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.routing.IndexRoutingTable;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.action.ActionFuture;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.UncategorizedExecutionException;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.action.support.DefaultShardOperationFailedException;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.IndexNotFoundException;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.index.seqno.SequenceNumbers;
import org.opensearch.indices.IndexClosedException;
import org.opensearch.indices.SystemIndexDescriptor;
import org.opensearch.search.SearchHit;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.search.sort.SortOrder;
import org.opensearch.transport.client.Client;
import org.opensearch.transport.client.OriginSettingClient;

/**
 * The system index that holds the bytes of bundles and of uploads under way, a document a chunk,
 * and records of what they are: replicated, none of it searchable but its age and the kind of a
 * record. Knows nothing of what the bytes are.
 *
 * <p>Every method waits for the cluster's answer: call them where waiting is allowed, on the
 * generic thread pool. They fail with status 503 where the index does not answer, is closed, or was
 * not made by this plugin.
 */
public final class ModelIndex {
  public static final String NAME = ".plugins-cross-modal-models";

  /** For {@link org.opensearch.plugins.SystemIndexPlugin}. */
  public static final SystemIndexDescriptor DESCRIPTOR =
      new SystemIndexDescriptor(NAME, "Models of the cross-modal plugin");

  private static final TimeValue LONGEST_WAIT = TimeValue.timeValueSeconds(60);
  private static final int PAGE = 200;
  private static final String CREATED = "created";
  private static final String BYTES = "bytes";
  private static final String KIND = "kind";
  private static final String ABOUT = "about";
  private static final String RETIRED = "retired";
  private static final String SEQ_NO = "_seq_no";
  private static final Map<String, Object> FIELDS =
      Map.of(
          CREATED, Map.of("type", "long"),
          BYTES, Map.of("type", "binary"),
          KIND, Map.of("type", "keyword"),
          ABOUT, Map.of("type", "object", "enabled", false),
          RETIRED, Map.of("type", "long"));
  private static final Map<String, Object> MAPPING =
      Map.of("dynamic", "strict", "properties", FIELDS);

  private static final MediaType JSON = XContentType.JSON;

  private final Client client;
  private final ClusterService clusterService;

  public ModelIndex(Client client, ClusterService clusterService) {
    // The plugin's own bookkeeping: whoever may upload a model need not be allowed to write here.
    this.client = new OriginSettingClient(client, "cross_modal");
    this.clusterService = clusterService;
  }

  /**
   * A document that says what others are.
   *
   * @param id of the document
   * @param kind what it is about, see the constants of whoever writes it
   * @param about as JSON, UTF-8
   * @param created when it was written, in milliseconds since 1970
   * @param retired since when what it is about is no longer of use; 0 where it still is
   */
  record Entry(String id, String kind, BytesReference about, long created, long retired) {
    Entry {
      Objects.requireNonNull(id, "id");
      Objects.requireNonNull(kind, "kind");
      Objects.requireNonNull(about, "about");
    }

    Entry retiredAt(long time) {
      return new Entry(id, kind, about, created, time);
    }
  }

  /** Returns whether there is such an index. */
  boolean exists() {
    return clusterService.state().metadata().hasIndex(NAME);
  }

  /** Returns whether the index's documents can be read now, so far as the cluster state tells. */
  boolean readable() {
    IndexRoutingTable routing = clusterService.state().routingTable().index(NAME);
    return routing != null && routing.allPrimaryShardsActive();
  }

  /** Writes a chunk; one that is there is replaced, and young again. */
  void put(String id, byte[] bytes) {
    write(id, source -> source.field(BYTES, bytes));
  }

  /** Writes a record; one that is there is replaced, and young again. */
  void put(Entry entry) {
    write(
        entry.id(),
        source -> {
          source.field(KIND, entry.kind());
          if (entry.retired() > 0) {
            source.field(RETIRED, entry.retired());
          }
          source.field(ABOUT, XContentHelper.convertToMap(entry.about(), true, JSON).v2());
        });
  }

  /** Fills a document. */
  @FunctionalInterface
  private interface Fields {
    void writeTo(XContentBuilder source) throws IOException;
  }

  private void write(String id, Fields fields) {
    create();
    try (XContentBuilder source = MediaTypeRegistry.contentBuilder(XContentType.SMILE)) {
      source.startObject().field(CREATED, System.currentTimeMillis());
      fields.writeTo(source);
      source.endObject();
      await(client.index(new IndexRequest(NAME).id(id).source(source)));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }

  private void create() {
    if (!exists()) {
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
        return;
      } catch (ResourceAlreadyExistsException e) {
        // Another node was faster, and made the same.
        return;
      }
    }
    IndexMetadata index = clusterService.state().metadata().index(NAME);
    Map<String, Object> found = index.mapping() == null ? Map.of() : index.mapping().sourceAsMap();
    if (found.get("properties") instanceof Map<?, ?> fields && FIELDS.equals(fields)) {
      return;
    }
    if (!(found.get("properties") instanceof Map<?, ?> fields)
        || !"strict".equals(found.get("dynamic"))
        || !FIELDS.entrySet().containsAll(fields.entrySet())) {
      throw new OpenSearchStatusException(
          "the index [{}] was not made by this plugin, its mapping is [{}]; delete it, and upload"
              + " the models again",
          RestStatus.SERVICE_UNAVAILABLE,
          NAME,
          Messages.excerpt(found));
    }
    // Of an earlier version of the plugin.
    await(client.admin().indices().preparePutMapping(NAME).setSource(MAPPING).execute());
  }

  /** Returns a chunk's bytes; null where there is none. */
  byte[] get(String id) {
    Map<String, Object> source = source(id);
    return source == null ? null : (byte[]) source.get(BYTES);
  }

  /** Returns a record; null where there is none. */
  Entry entry(String id) {
    Map<String, Object> source = source(id);
    return source == null ? null : entry(id, source);
  }

  private Map<String, Object> source(String id) {
    if (!exists()) {
      return null;
    }
    try {
      GetResponse found = await(client.prepareGet(NAME, id).execute());
      return found.isExists() ? source(found.getSourceAsBytesRef()) : null;
    } catch (IndexNotFoundException e) {
      return null;
    }
  }

  private static Map<String, Object> source(BytesReference bytes) {
    return XContentHelper.convertToMap(bytes, false, (MediaType) XContentType.SMILE).v2();
  }

  private static Entry entry(String id, Map<String, Object> source) {
    try (XContentBuilder about = MediaTypeRegistry.contentBuilder(JSON)) {
      return new Entry(
          id,
          String.valueOf(source.get(KIND)),
          BytesReference.bytes(about.value(source.getOrDefault(ABOUT, Map.of()))),
          millis(source, CREATED),
          millis(source, RETIRED));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }

  private static long millis(Map<String, Object> source, String field) {
    return source.get(field) instanceof Number number ? number.longValue() : 0;
  }

  /** Returns all records of a kind. */
  List<Entry> entries(String kind) {
    List<Entry> entries = new ArrayList<>();
    forEach(
        QueryBuilders.termQuery(KIND, kind),
        true,
        page -> {
          for (SearchHit hit : page) {
            entries.add(entry(hit.getId(), source(hit.getSourceRef())));
          }
        });
    return entries;
  }

  /** Returns those of the ids that no document has. */
  List<String> missing(List<String> ids) {
    MultiGetRequest request = new MultiGetRequest();
    for (String id : ids) {
      request.add(
          new MultiGetRequest.Item(NAME, id)
              .fetchSourceContext(FetchSourceContext.DO_NOT_FETCH_SOURCE));
    }
    List<String> missing = new ArrayList<>();
    for (MultiGetItemResponse item : await(client.multiGet(request))) {
      if (item.isFailed()) {
        throw unavailable(item.getFailure().getFailure());
      }
      if (!item.getResponse().isExists()) {
        missing.add(item.getId());
      }
    }
    return missing;
  }

  void delete(List<String> ids) {
    if (!exists() || ids.isEmpty()) {
      return;
    }
    BulkRequest bulk = new BulkRequest();
    ids.forEach(id -> bulk.add(new DeleteRequest(NAME, id)));
    for (BulkItemResponse item : await(client.bulk(bulk))) {
      if (item.isFailed()) {
        throw unavailable(item.getFailure().getCause());
      }
    }
  }

  /**
   * Deletes what nobody needs: documents written before a time and not renewed since.
   *
   * @param before in milliseconds since 1970
   * @param needed tells the ids to keep
   */
  void sweep(long before, Predicate<String> needed) {
    forEach(
        QueryBuilders.rangeQuery(CREATED).lt(before),
        false,
        page -> {
          BulkRequest bulk = new BulkRequest();
          for (SearchHit hit : page) {
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
        });
  }

  /** Visits the documents in pages, in the order in which they were written last. */
  private void forEach(QueryBuilder query, boolean withSource, Consumer<SearchHit[]> visitor) {
    if (!exists()) {
      return;
    }
    for (DefaultShardOperationFailedException failure :
        await(client.admin().indices().prepareRefresh(NAME).execute()).getShardFailures()) {
      throw unavailable((Exception) failure.getCause());
    }
    SearchHit[] page;
    Object[] after = {SequenceNumbers.NO_OPS_PERFORMED};
    do {
      SearchRequestBuilder search =
          client
              .prepareSearch(NAME)
              .setIndicesOptions(IndicesOptions.strictSingleIndexNoExpandForbidClosed())
              .setQuery(query)
              .setFetchSource(withSource)
              .seqNoAndPrimaryTerm(true)
              .addSort(SEQ_NO, SortOrder.ASC)
              .searchAfter(after)
              .setAllowPartialSearchResults(false)
              .setSize(PAGE);
      page = await(search.execute()).getHits().getHits();
      visitor.accept(page);
      after = page.length == 0 ? after : page[page.length - 1].getSortValues();
    } while (page.length == PAGE);
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
    } catch (IndexClosedException
        | ClusterBlockException
        | NoShardAvailableActionException
        | SearchPhaseExecutionException
        | UnavailableShardsException e) {
      throw unavailable(e);
    } catch (UncategorizedExecutionException e) {
      // Of a checked one, as of a disk that is full.
      throw unavailable(e.getCause() instanceof Exception cause ? cause : e);
    }
  }

  private static OpenSearchStatusException unavailable(Exception cause) {
    return new OpenSearchStatusException(
        "the index [{}], which keeps the models, does not answer: {}; open it if it is closed,"
            + " bring its shard back if that is gone, make room if the disk is full",
        RestStatus.SERVICE_UNAVAILABLE,
        cause,
        NAME,
        cause.getMessage());
  }
}
