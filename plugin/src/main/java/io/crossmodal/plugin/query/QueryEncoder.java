/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.action.EncodeQueryAction;
import io.crossmodal.plugin.action.EncodeQueryRequest;
import io.crossmodal.plugin.action.EncodedQuery;
import io.crossmodal.plugin.action.QuerySource;
import java.util.Optional;
import java.util.function.Consumer;
import org.opensearch.action.IndicesRequest;
import org.opensearch.action.search.SearchContextId;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.support.IndicesOptions;
import org.opensearch.common.logging.HeaderWarning;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.index.query.QueryCoordinatorContext;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.tasks.TaskResourceTrackingService;
import org.opensearch.transport.client.Client;
import org.opensearch.transport.client.node.NodeClient;

/** Requests the encoding of a query source during a rewrite. */
final class QueryEncoder {
  private QueryEncoder() {}

  /**
   * Registers the encoding as an asynchronous action of the rewrite.
   *
   * @param context of the coordinating node
   * @param onEncoded gets the result before rewriting goes on
   */
  static void encode(
      QueryRewriteContext context,
      String field,
      QuerySource source,
      Consumer<EncodedQuery> onEncoded) {
    EncodeQueryRequest request = request(context, field, source);
    context.registerAsyncAction(
        (client, listener) -> {
          belongToSearch(request, client);
          ActionListener<EncodedQuery> goOn =
              ActionListener.wrap(
                  encoded -> {
                    if (!encoded.notice().isEmpty()) {
                      HeaderWarning.addWarning("[{}]: {}", source.key(), encoded.notice());
                    }
                    onEncoded.accept(encoded);
                    listener.onResponse(null);
                  },
                  listener::onFailure);
          try {
            client.execute(EncodeQueryAction.INSTANCE, request, goOn);
          } catch (TaskCancelledException e) {
            // The search was cancelled between its first rewrite and this one.
            listener.onFailure(e);
          }
        });
  }

  /**
   * Makes the encoding a child of the search's task, which cancels it with the search. A rewrite is
   * not told for which task it is; core leaves the task's number in the thread's context, unless
   * its tracking of resources is off.
   */
  private static void belongToSearch(EncodeQueryRequest request, Client client) {
    Long search =
        client.threadPool().getThreadContext().getTransient(TaskResourceTrackingService.TASK_ID);
    if (search != null && client instanceof NodeClient node) {
      request.setParentTask(node.getLocalNodeId(), search);
    }
  }

  private static EncodeQueryRequest request(
      QueryRewriteContext context, String field, QuerySource source) {
    QueryCoordinatorContext coordinator = context.convertToCoordinatorContext();
    IndicesRequest search = coordinator == null ? null : coordinator.getSearchRequest();
    if (search == null) {
      return new EncodeQueryRequest(field, source);
    }
    TimeValue timeout = timeout(search);
    return pointInTimeIndices(context, search)
        .map(
            indices ->
                // Indices of a point in time may be gone since; the search will say so itself.
                new EncodeQueryRequest(
                    indices, IndicesOptions.lenientExpandOpen(), field, source, timeout))
        .orElseGet(
            () ->
                new EncodeQueryRequest(
                    search.indices(), search.indicesOptions(), field, source, timeout));
  }

  private static TimeValue timeout(IndicesRequest request) {
    return request instanceof SearchRequest search && search.source() != null
        ? search.source().timeout()
        : null;
  }

  private static Optional<String[]> pointInTimeIndices(
      QueryRewriteContext context, IndicesRequest request) {
    if (request instanceof SearchRequest search && search.pointInTimeBuilder() != null) {
      return Optional.of(
          SearchContextId.decode(
                  context.getWriteableRegistry(), search.pointInTimeBuilder().getId())
              .getActualIndices());
    }
    return Optional.empty();
  }
}
