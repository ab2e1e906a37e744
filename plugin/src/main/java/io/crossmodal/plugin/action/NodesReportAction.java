/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.util.List;
import org.opensearch.action.ActionType;
import org.opensearch.action.FailedNodeException;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.nodes.BaseNodesRequest;
import org.opensearch.action.support.nodes.BaseNodesResponse;
import org.opensearch.action.support.nodes.TransportNodesAction;
import org.opensearch.cluster.ClusterName;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportService;

/** Collects a {@link NodeReport} from each node. */
public final class NodesReportAction extends ActionType<NodesReportAction.Response> {
  public static final String NAME = "cluster:monitor/cross_modal/report";
  public static final NodesReportAction INSTANCE = new NodesReportAction();

  private NodesReportAction() {
    super(NAME, Response::new);
  }

  /** Names the nodes. */
  public static final class Request extends BaseNodesRequest<Request> {
    /**
     * @param nodes ids or names; none for all
     */
    public Request(String... nodes) {
      super(nodes);
    }

    private Request(StreamInput in) throws IOException {
      super(in);
    }
  }

  /** The reports of all nodes that answered. */
  public static final class Response extends BaseNodesResponse<NodeReport> {
    private Response(
        ClusterName cluster, List<NodeReport> nodes, List<FailedNodeException> failures) {
      super(cluster, nodes, failures);
    }

    Response(StreamInput in) throws IOException {
      super(in);
    }

    @Override
    protected List<NodeReport> readNodesFrom(StreamInput in) throws IOException {
      return in.readList(NodeReport::new);
    }

    @Override
    protected void writeNodesTo(StreamOutput out, List<NodeReport> nodes) throws IOException {
      out.writeList(nodes);
    }
  }

  /**
   * An action that ends with the reports of its nodes.
   *
   * @param <Q> request to the cluster
   * @param <N> request to one node
   */
  abstract static class ReportingTransport<
          Q extends BaseNodesRequest<Q>, N extends TransportRequest>
      extends TransportNodesAction<Q, Response, N, NodeReport> {
    final NodeInference inference;

    /**
     * @param pool of the threads that serve a node's request
     */
    ReportingTransport(
        String name,
        ThreadPool threadPool,
        ClusterService clusterService,
        TransportService transportService,
        ActionFilters actionFilters,
        Writeable.Reader<Q> request,
        Writeable.Reader<N> nodeRequest,
        String pool,
        NodeInference inference) {
      super(
          name,
          threadPool,
          clusterService,
          transportService,
          actionFilters,
          request,
          nodeRequest,
          pool,
          NodeReport.class);
      this.inference = inference;
    }

    @Override
    protected Response newResponse(
        Q request, List<NodeReport> reports, List<FailedNodeException> failures) {
      return new Response(clusterService.getClusterName(), reports, failures);
    }

    @Override
    protected NodeReport newNodeResponse(StreamInput in) throws IOException {
      return new NodeReport(in);
    }

    @Override
    protected NodeReport nodeOperation(N request) {
      return new NodeReport(clusterService.localNode(), inference);
    }
  }

  /** The request to one node. */
  static final class NodeRequest extends TransportRequest {
    private NodeRequest() {}

    private NodeRequest(StreamInput in) throws IOException {
      super(in);
    }
  }

  /** Asks the nodes. */
  public static final class Transport extends ReportingTransport<Request, NodeRequest> {
    @Inject
    public Transport(
        ThreadPool threadPool,
        ClusterService clusterService,
        TransportService transportService,
        ActionFilters actionFilters,
        NodeInference inference) {
      super(
          NAME,
          threadPool,
          clusterService,
          transportService,
          actionFilters,
          Request::new,
          NodeRequest::new,
          ThreadPool.Names.MANAGEMENT,
          inference);
    }

    @Override
    protected NodeRequest newNodeRequest(Request request) {
      return new NodeRequest();
    }
  }
}
