/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.plugin.models.UploadModelAction;
import io.crossmodal.plugin.models.UploadModelRequest;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.action.RestStatusToXContentListener;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code PUT /_plugins/_cross_modal/models/{id}} with {@code {"bundle": base64}}, or its bytes in
 * CBOR or SMILE; with {@code ?part=i&parts=n}, i from 0, a part of it.
 */
public final class RestUploadModelHandler extends BaseRestHandler {
  @Override
  public String getName() {
    return "cross_modal_upload_model";
  }

  @Override
  public List<Route> routes() {
    return List.of(new Route(RestRequest.Method.PUT, "/_plugins/_cross_modal/models/{id}"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client)
      throws IOException {
    String id = request.param("id");
    if (request.hasParam("part") != request.hasParam("parts")) {
      throw new IllegalArgumentException(
          "[part] and [parts] go together, got only ["
              + (request.hasParam("part") ? "part" : "parts")
              + "]");
    }
    int part = request.paramAsInt("part", 0);
    int parts = request.paramAsInt("parts", 1);
    UploadModelRequest upload;
    try (XContentParser parser = request.contentParser()) {
      upload = UploadModelRequest.parse(id, part, parts, parser);
    }
    return channel ->
        client.execute(
            UploadModelAction.INSTANCE, upload, new RestStatusToXContentListener<>(channel));
  }
}
