/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import java.io.IOException;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.transport.TransportResponse;
import org.opensearch.search.internal.ShardSearchRequest;
import org.opensearch.threadpool.ExecutorBuilder;
import org.opensearch.threadpool.ScalingExecutorBuilder;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.Transport;
import org.opensearch.transport.TransportException;
import org.opensearch.transport.TransportInterceptor;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportRequestOptions;
import org.opensearch.transport.TransportResponseHandler;

/**
 * Takes the first answers of a search with a global window off the threads that received them.
 *
 * <p>Core calls processors between two phases on whatever thread brought the last shard's answer,
 * often one of the network's, and they return only when they are done. Waiting there for other
 * nodes would stop the very thread that is to bring their answers.
 */
public final class WindowThreads implements TransportInterceptor {
  /** The thread pool whose threads wait. */
  public static final String POOL = "cross_modal_window";

  // They wait for models, so there may be many; further searches queue.
  private static final int MOST = 64;

  /** Returns the builder of the thread pool. */
  public static ExecutorBuilder<?> pool() {
    return new ScalingExecutorBuilder(
        POOL, 0, MOST, TimeValue.timeValueSeconds(30), "thread_pool." + POOL);
  }

  @Override
  public AsyncSender interceptSender(AsyncSender sender) {
    return new AsyncSender() {
      @Override
      public <T extends TransportResponse> void sendRequest(
          Transport.Connection connection,
          String action,
          TransportRequest request,
          TransportRequestOptions options,
          TransportResponseHandler<T> handler) {
        boolean waits =
            SearchTransportService.QUERY_ACTION_NAME.equals(action)
                && request instanceof ShardSearchRequest shard
                && WindowRequest.isDeferred(shard.source())
                && ThreadPool.Names.SAME.equals(handler.executor());
        sender.sendRequest(
            connection, action, request, options, waits ? new Moved<>(handler) : handler);
      }
    };
  }

  private record Moved<T extends TransportResponse>(TransportResponseHandler<T> handler)
      implements TransportResponseHandler<T> {
    @Override
    public String executor() {
      return POOL;
    }

    @Override
    public T read(StreamInput in) throws IOException {
      return handler.read(in);
    }

    @Override
    public void handleResponse(T response) {
      handler.handleResponse(response);
    }

    @Override
    public void handleException(TransportException failure) {
      handler.handleException(failure);
    }

    @Override
    public void handleRejection(Exception failure) {
      handler.handleRejection(failure);
    }
  }
}
