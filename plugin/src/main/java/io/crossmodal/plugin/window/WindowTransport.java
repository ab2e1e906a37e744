/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import org.apache.lucene.util.SetOnce;
import org.opensearch.action.ActionListenerResponseHandler;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.common.inject.Inject;
import org.opensearch.common.lifecycle.AbstractLifecycleComponent;
import org.opensearch.core.action.ActionListener;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.search.query.QuerySearchResult;
import org.opensearch.tasks.Task;
import org.opensearch.transport.Transport;
import org.opensearch.transport.TransportService;

/**
 * Asks a shard again, in the reader context of its first answer: by core's own action for the
 * second round of a search, so that cancellation, search slow logs and statistics are as for any
 * query.
 */
public final class WindowTransport {
  private final SetOnce<TransportService> transport = new SetOnce<>();

  /** Brings the transport, which does not exist yet when a plugin makes its components. */
  public static final class Binding extends AbstractLifecycleComponent {
    @Inject
    public Binding(TransportService transport, WindowTransport window) {
      window.transport.set(transport);
    }

    @Override
    protected void doStart() {}

    @Override
    protected void doStop() {}

    @Override
    protected void doClose() {}
  }

  void ask(
      Transport.Connection connection,
      QuerySearchRequest request,
      Task search,
      ActionListener<QuerySearchResult> listener) {
    transport
        .get()
        .sendChildRequest(
            connection,
            SearchTransportService.QUERY_ID_ACTION_NAME,
            request,
            search,
            new ActionListenerResponseHandler<>(listener, QuerySearchResult::new));
  }
}
