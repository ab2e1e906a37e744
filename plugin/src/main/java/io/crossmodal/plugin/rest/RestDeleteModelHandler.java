/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.plugin.models.DeleteModelAction;
import java.util.List;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.action.RestToXContentListener;
import org.opensearch.transport.client.node.NodeClient;

/** {@code DELETE /_plugins/_cross_modal/models/{id}}, for a model that no index uses. */
public final class RestDeleteModelHandler extends BaseRestHandler {
  @Override
  public String getName() {
    return "cross_modal_delete_model";
  }

  @Override
  public List<Route> routes() {
    return List.of(new Route(RestRequest.Method.DELETE, "/_plugins/_cross_modal/models/{id}"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    DeleteModelAction.Request delete = new DeleteModelAction.Request(request.param("id"));
    delete.clusterManagerNodeTimeout(
        request.paramAsTime("cluster_manager_timeout", delete.clusterManagerNodeTimeout()));
    delete.timeout(request.paramAsTime("timeout", delete.timeout()));
    return channel ->
        client.execute(DeleteModelAction.INSTANCE, delete, new RestToXContentListener<>(channel));
  }
}
