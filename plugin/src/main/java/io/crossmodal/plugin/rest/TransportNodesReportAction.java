/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.util.List;
import org.opensearch.action.FailedNodeException;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.nodes.TransportNodesAction;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportService;

/** Collects {@link NodeReport}s. */
public final class TransportNodesReportAction
    extends TransportNodesAction<
        NodesReportRequest, NodesReportResponse, TransportNodesReportAction.Request, NodeReport> {
  private final NodeInference inference;

  /** Asks one node. */
  static final class Request extends TransportRequest {
    private Request() {}

    private Request(StreamInput in) throws IOException {
      super(in);
    }
  }

  @Inject
  public TransportNodesReportAction(
      ThreadPool threadPool,
      ClusterService clusterService,
      TransportService transportService,
      ActionFilters actionFilters,
      NodeInference inference) {
    super(
        NodesReportAction.NAME,
        threadPool,
        clusterService,
        transportService,
        actionFilters,
        NodesReportRequest::new,
        Request::new,
        ThreadPool.Names.MANAGEMENT,
        NodeReport.class);
    this.inference = inference;
  }

  @Override
  protected NodesReportResponse newResponse(
      NodesReportRequest request, List<NodeReport> responses, List<FailedNodeException> failures) {
    return new NodesReportResponse(clusterService.getClusterName(), responses, failures);
  }

  @Override
  protected Request newNodeRequest(NodesReportRequest request) {
    return new Request();
  }

  @Override
  protected NodeReport newNodeResponse(StreamInput in) throws IOException {
    return new NodeReport(in);
  }

  @Override
  protected NodeReport nodeOperation(Request request) {
    return new NodeReport(clusterService.localNode(), inference);
  }
}
