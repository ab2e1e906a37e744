/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.nodes.BaseNodesRequest;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportService;

/** Loads a model on nodes, or frees it; each reports where the model stands then. */
public final class LoadModelAction extends ActionType<NodesReportAction.Response> {
  public static final LoadModelAction INSTANCE = new LoadModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/load";

  private static final Logger LOGGER = LogManager.getLogger(LoadModelAction.class);

  /** Longer than any model takes from another node's disk to the golden outputs. */
  private static final int LONGEST_LOAD_MINUTES = 10;

  private LoadModelAction() {
    super(NAME, NodesReportAction.Response::new);
  }

  /**
   * The order to each node.
   *
   * @param load false to free the model
   * @param precision to load it in; null for what it was, or the node's own
   */
  private record Order(String model, boolean load, PrecisionPolicy precision) implements Writeable {
    private Order(StreamInput in) throws IOException {
      this(
          in.readString(),
          in.readBoolean(),
          in.readBoolean() ? in.readEnum(PrecisionPolicy.class) : null);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeString(model);
      out.writeBoolean(load);
      out.writeBoolean(precision != null);
      if (precision != null) {
        out.writeEnum(precision);
      }
    }
  }

  /** Names the model and the nodes. */
  public static final class Request extends BaseNodesRequest<Request> {
    // Those that encode or score; a node that only manages the cluster does neither.
    private static final String[] DEFAULT_NODES = {
      "data:true", "ingest:true", "coordinating_only:true"
    };

    private final Order order;

    /**
     * @param load false to free the model
     * @param precision to load it in; null for what it was, or the node's own
     * @param nodes ids, names, roles or attributes; none for all that encode or score
     */
    public Request(String model, boolean load, PrecisionPolicy precision, String... nodes) {
      super(nodes.length == 0 ? DEFAULT_NODES : nodes);
      order = new Order(model, load, precision);
    }

    Request(StreamInput in) throws IOException {
      super(in);
      order = new Order(in);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      order.writeTo(out);
    }
  }

  /** The request to one node. */
  static final class NodeRequest extends TransportRequest {
    private final Order order;

    private NodeRequest(Order order) {
      this.order = order;
    }

    private NodeRequest(StreamInput in) throws IOException {
      super(in);
      order = new Order(in);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      order.writeTo(out);
    }
  }

  /** Asks the nodes. */
  public static final class Transport
      extends NodesReportAction.ReportingTransport<Request, NodeRequest> {
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
          ThreadPool.Names.GENERIC,
          inference);
    }

    /**
     * Asks the nodes.
     *
     * @throws ResourceNotFoundException when there is no such model, or none of the nodes
     */
    @Override
    protected void doExecute(
        Task task, Request request, ActionListener<NodesReportAction.Response> listener) {
      InferenceErrors.checkKnown(inference.catalog(), request.order.model());
      if (clusterService.state().nodes().resolveNodes(request.nodesIds()).length == 0) {
        throw new ResourceNotFoundException(
            "no node of the cluster is [{}]: [node_id] takes ids, names, roles and attributes",
            Messages.excerpt(String.join(",", request.nodesIds())));
      }
      super.doExecute(task, request, listener);
    }

    @Override
    protected NodeRequest newNodeRequest(Request request) {
      return new NodeRequest(request.order);
    }

    @Override
    protected NodeReport nodeOperation(NodeRequest request) {
      if (request.order.load()) {
        load(request.order.model(), request.order.precision());
      } else {
        inference.models().unload(request.order.model());
      }
      return super.nodeOperation(request);
    }

    /** Waits for the load, whose outcome is in the report. */
    private void load(String model, PrecisionPolicy precision) {
      try {
        inference.models().load(model, precision).get(LONGEST_LOAD_MINUTES, TimeUnit.MINUTES);
      } catch (ExecutionException | TimeoutException e) {
        LOGGER.warn("model [{}] was asked for and is not loaded", model, e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
