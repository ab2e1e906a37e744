/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.engine.ModelEngine.WorkerStatus;
import io.crossmodal.model.inference.memory.DeviceBudgets.GpuMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.action.NodeReport;
import io.crossmodal.plugin.action.NodesReportAction;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.ToXContent;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.RestResponse;
import org.opensearch.rest.action.RestActions;
import org.opensearch.rest.action.RestBuilderListener;
import org.opensearch.transport.client.node.NodeClient;

/** {@code GET /_plugins/_cross_modal/stats}: counts per node since it started. */
public final class RestStatsHandler extends BaseRestHandler {
  @Override
  public String getName() {
    return "cross_modal_stats";
  }

  @Override
  public List<Route> routes() {
    return List.of(new Route(RestRequest.Method.GET, "/_plugins/_cross_modal/stats"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    return channel ->
        client.execute(
            NodesReportAction.INSTANCE,
            new NodesReportAction.Request(),
            new RestBuilderListener<NodesReportAction.Response>(channel) {
              @Override
              public RestResponse buildResponse(
                  NodesReportAction.Response response, XContentBuilder builder) throws IOException {
                builder.startObject();
                RestActions.buildNodesHeader(builder, channel.request(), response);
                builder.field("cluster_name", response.getClusterName().value());
                builder.startObject("nodes");
                for (NodeReport node : response.getNodes()) {
                  builder.startObject(node.getNode().getId());
                  builder.field("name", node.getNode().getName());
                  builder.field("queued", node.queued());
                  node.usage().toXContent(builder, ToXContent.EMPTY_PARAMS);
                  if (node.nativeMemory().isPresent()) {
                    MemoryBudget.Level memory = node.nativeMemory().get();
                    builder.startObject("native_memory");
                    builder.field("used_in_bytes", memory.used());
                    builder.field("limit_in_bytes", memory.limit());
                    builder.field("tripped", memory.refusals());
                    builder.endObject();
                  }
                  builder.startObject("gpus");
                  for (Map.Entry<String, GpuMemory> gpu : node.gpus().entrySet()) {
                    builder.startObject(gpu.getKey());
                    builder.field("used_in_bytes", gpu.getValue().used());
                    builder.field("limit_in_bytes", gpu.getValue().limit());
                    builder.endObject();
                  }
                  builder.endObject();
                  builder.startArray("workers");
                  for (WorkerStatus worker : node.workers()) {
                    builder.startObject();
                    builder.field("address", worker.address());
                    builder.field("state", worker.state());
                    builder.field("error", worker.error());
                    builder.field("in_flight", worker.inFlight());
                    builder.field("loads", worker.loads());
                    builder.field("losses", worker.losses());
                    builder.field("bad_answers", worker.badAnswers());
                    builder.endObject();
                  }
                  builder.endArray();
                  builder.startObject("models");
                  for (Map.Entry<String, NodeReport.Model> model : node.models().entrySet()) {
                    builder.startObject(model.getKey());
                    model.getValue().usage().toXContent(builder, ToXContent.EMPTY_PARAMS);
                    builder.endObject();
                  }
                  builder.endObject();
                  builder.endObject();
                }
                return new BytesRestResponse(RestStatus.OK, builder.endObject().endObject());
              }
            });
  }
}
