/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.action.NodesReportAction;
import java.util.List;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code GET /_plugins/_cross_modal/models} and {@code /models/{id}}: what there is to search with,
 * and where it is warm.
 */
public final class RestModelsHandler extends BaseRestHandler {
  private final ModelCatalog catalog;

  public RestModelsHandler(ModelCatalog catalog) {
    this.catalog = catalog;
  }

  @Override
  public String getName() {
    return "cross_modal_models";
  }

  @Override
  public List<Route> routes() {
    return List.of(
        new Route(RestRequest.Method.GET, "/_plugins/_cross_modal/models"),
        new Route(RestRequest.Method.GET, "/_plugins/_cross_modal/models/{id}"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    String named = request.param("id");
    return channel ->
        client.execute(
            NodesReportAction.INSTANCE,
            new NodesReportAction.Request(),
            new ModelListing(catalog, named, channel));
  }
}
