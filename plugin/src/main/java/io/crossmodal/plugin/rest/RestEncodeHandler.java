/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import java.io.IOException;
import java.util.List;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.action.RestCancellableNodeClient;
import org.opensearch.rest.action.RestToXContentListener;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code POST /_plugins/_cross_modal/models/{id}/_encode}: what a document would store, for those
 * who search or index by vector.
 */
public final class RestEncodeHandler extends BaseRestHandler {
  @Override
  public String getName() {
    return "cross_modal_encode";
  }

  @Override
  public List<Route> routes() {
    return List.of(
        new Route(RestRequest.Method.POST, "/_plugins/_cross_modal/models/{id}/_encode"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client)
      throws IOException {
    EncodeRequest encode;
    String model = request.param("id");
    try (XContentParser parser = request.contentParser()) {
      encode = EncodeRequest.parse(model, parser);
    }
    // Ends with the connection.
    RestCancellableNodeClient caller =
        new RestCancellableNodeClient(client, request.getHttpChannel());
    return channel ->
        caller.execute(EncodeAction.INSTANCE, encode, new RestToXContentListener<>(channel));
  }
}
