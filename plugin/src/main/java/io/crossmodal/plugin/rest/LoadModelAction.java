/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.PrecisionPolicy;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.action.ActionType;
import org.opensearch.action.FailedNodeException;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.nodes.BaseNodesRequest;
import org.opensearch.action.support.nodes.TransportNodesAction;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportService;

/** Has nodes load a model, or free it, and report where it stands then. */
public final class LoadModelAction extends ActionType<NodesReportResponse> {
  public static final LoadModelAction INSTANCE = new LoadModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/load";

  private static final Logger LOGGER = LogManager.getLogger(LoadModelAction.class);

  /** Longer than any model takes from another node's disk to the golden outputs. */
  private static final int LONGEST_LOAD_MINUTES = 10;

  private LoadModelAction() {
    super(NAME, NodesReportResponse::new);
  }

  private static void write(StreamOutput out, PrecisionPolicy precision) throws IOException {
    out.writeBoolean(precision != null);
    if (precision != null) {
      out.writeEnum(precision);
    }
  }

  /** Which model on which nodes. */
  public static final class Request extends BaseNodesRequest<Request> {
    // Those that encode or score; a node that only manages the cluster does neither.
    private static final String[] DEFAULT_NODES = {
      "data:true", "ingest:true", "coordinating_only:true"
    };

    private final String model;
    private final boolean load;
    private final PrecisionPolicy precision;

    /**
     * @param load false to free it
     * @param precision to load it in; null for what it was, or the node's own
     * @param nodes ids, names, roles or attributes; none for all that encode or score
     */
    public Request(String model, boolean load, PrecisionPolicy precision, String... nodes) {
      super(nodes.length == 0 ? DEFAULT_NODES : nodes);
      this.model = model;
      this.load = load;
      this.precision = precision;
    }

    Request(StreamInput in) throws IOException {
      super(in);
      model = in.readString();
      load = in.readBoolean();
      precision = in.readBoolean() ? in.readEnum(PrecisionPolicy.class) : null;
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      out.writeString(model);
      out.writeBoolean(load);
      write(out, precision);
    }
  }

  /** What one node is to do. */
  static final class NodeRequest extends TransportRequest {
    private final String model;
    private final boolean load;
    private final PrecisionPolicy precision;

    private NodeRequest(Request request) {
      model = request.model;
      load = request.load;
      precision = request.precision;
    }

    private NodeRequest(StreamInput in) throws IOException {
      super(in);
      model = in.readString();
      load = in.readBoolean();
      precision = in.readBoolean() ? in.readEnum(PrecisionPolicy.class) : null;
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      out.writeString(model);
      out.writeBoolean(load);
      write(out, precision);
    }
  }

  /** Asks the nodes. */
  public static final class Transport
      extends TransportNodesAction<Request, NodesReportResponse, NodeRequest, NodeReport> {
    private final ModelService service;

    @Inject
    public Transport(
        ThreadPool threadPool,
        ClusterService clusterService,
        TransportService transportService,
        ActionFilters actionFilters,
        ModelService service) {
      super(
          NAME,
          threadPool,
          clusterService,
          transportService,
          actionFilters,
          Request::new,
          NodeRequest::new,
          ThreadPool.Names.GENERIC,
          NodeReport.class);
      this.service = service;
    }

    /**
     * Asks the nodes.
     *
     * @throws ResourceNotFoundException when there is no such model, or none of the nodes
     */
    @Override
    protected void doExecute(
        Task task, Request request, ActionListener<NodesReportResponse> listener) {
      ModelListing.check(service.catalog(), request.model);
      if (clusterService.state().nodes().resolveNodes(request.nodesIds()).length == 0) {
        throw new ResourceNotFoundException(
            "no node of the cluster is [{}]: [node_id] takes ids, names, roles and attributes",
            Messages.excerpt(String.join(",", request.nodesIds())));
      }
      super.doExecute(task, request, listener);
    }

    @Override
    protected NodesReportResponse newResponse(
        Request request, List<NodeReport> reports, List<FailedNodeException> failures) {
      return new NodesReportResponse(clusterService.getClusterName(), reports, failures);
    }

    @Override
    protected NodeRequest newNodeRequest(Request request) {
      return new NodeRequest(request);
    }

    @Override
    protected NodeReport newNodeResponse(StreamInput in) throws IOException {
      return new NodeReport(in);
    }

    @Override
    protected NodeReport nodeOperation(NodeRequest request) {
      if (request.load) {
        load(request.model, request.precision);
      } else {
        service.unload(request.model);
      }
      return new NodeReport(clusterService.localNode(), service);
    }

    /** What it came to is in the report. */
    private void load(String model, PrecisionPolicy precision) {
      try {
        service.load(model, precision).get(LONGEST_LOAD_MINUTES, TimeUnit.MINUTES);
      } catch (ExecutionException | TimeoutException e) {
        LOGGER.warn("model [{}] was asked for and is not loaded", model, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
