/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.scoring.ChildTask;
import java.util.concurrent.Semaphore;
import org.apache.lucene.util.SetOnce;
import org.opensearch.action.ActionListenerResponseHandler;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.common.inject.Inject;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.lifecycle.AbstractLifecycleComponent;
import org.opensearch.core.action.ActionListener;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.search.query.QuerySearchResult;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.Transport;
import org.opensearch.transport.TransportService;
import org.opensearch.transport.Transports;

/**
 * Asks a shard again, in the reader context of its first answer: by core's own action for the
 * second round of a search, so that cancellation, search slow logs and statistics are as for any
 * query.
 */
public final class WindowTransport {
  private final SetOnce<TransportService> transport = new SetOnce<>();
  private final SetOnce<Semaphore> searchThreads = new SetOnce<>();

  /** Brings the transport, which does not exist yet when a plugin makes its components. */
  public static final class Binding extends AbstractLifecycleComponent {
    @Inject
    public Binding(TransportService transport, WindowTransport window) {
      window.transport.set(transport);
      int threads = transport.getThreadPool().info(ThreadPool.Names.SEARCH).getMax();
      window.searchThreads.set(new Semaphore(Math.max(1, threads / 4)));
    }

    @Override
    protected void doStart() {}

    @Override
    protected void doStop() {}

    @Override
    protected void doClose() {}
  }

  /**
   * Sends a request for a second round to a shard.
   *
   * @return handle by which the request can be cancelled
   */
  ChildTask ask(
      Transport.Connection connection,
      QuerySearchRequest request,
      Task search,
      ActionListener<QuerySearchResult> listener) {
    ChildTask childTask =
        ChildTask.begin(transport.get(), SearchTransportService.QUERY_ID_ACTION_NAME, search);
    transport
        .get()
        .sendChildRequest(
            connection,
            SearchTransportService.QUERY_ID_ACTION_NAME,
            request,
            childTask.task(),
            new ActionListenerResponseHandler<>(
                ActionListener.runBefore(listener, childTask::end), QuerySearchResult::new));
    return childTask;
  }

  /**
   * Lets a thread wait for shards, unless it is one of the network's, or one of core's for searches
   * while a quarter of those wait already. Beside the threads of {@link WindowThreads}, one of
   * core's comes here when the last news of a search is that a shard has no copy to ask.
   *
   * @return to be closed after the wait; null where this thread must not wait
   */
  Releasable mayWait() {
    if (Transports.isTransportThread(Thread.currentThread())) {
      return null;
    }
    if (!Thread.currentThread().getName().contains("[" + ThreadPool.Names.SEARCH + "]")) {
      return () -> {};
    }
    return searchThreads.get().tryAcquire() ? searchThreads.get()::release : null;
  }
}
