/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.action.EncodeAction;
import io.crossmodal.plugin.action.EncodeRequest;
import io.crossmodal.plugin.errors.InferenceErrors;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.action.RestCancellableNodeClient;
import org.opensearch.rest.action.RestToXContentListener;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code POST /_plugins/_cross_modal/models/{id}/_encode}: what a document would store, for
 * searches and indexing by vector.
 *
 * <p>Before a body is parsed, it must find memory for what becomes of it under the breaker {@code
 * request}; else it is answered 429.
 */
public final class RestEncodeHandler extends BaseRestHandler {
  /** What a body becomes, as a multiple of its own size: characters, their text, its bytes. */
  private static final int COPIES = 4;

  private final MemoryBudget heap;

  /** Answers by the node's models, within a budget for heap. */
  public RestEncodeHandler(MemoryBudget heap) {
    this.heap = heap;
  }

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
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    String model = request.param("id");
    int length = request.requiredContent().length();
    // Ends with the connection.
    RestCancellableNodeClient caller =
        new RestCancellableNodeClient(client, request.getHttpChannel());
    return channel -> {
      MemoryBudget.Reservation memory = reserve(length);
      boolean sent = false;
      try {
        EncodeRequest encode = parse(model, request);
        caller.execute(
            EncodeAction.INSTANCE,
            encode,
            ActionListener.runBefore(new RestToXContentListener<>(channel), memory::close));
        sent = true;
      } finally {
        if (!sent) {
          memory.close();
        }
      }
    };
  }

  private static EncodeRequest parse(String model, RestRequest request) throws IOException {
    try (XContentParser parser = request.contentParser()) {
      return EncodeRequest.parse(model, parser);
    }
  }

  private MemoryBudget.Reservation reserve(int length) {
    try {
      return heap.reserve("texts or pictures to encode", (long) COPIES * length);
    } catch (InferenceException e) {
      throw InferenceErrors.toOpenSearch(e);
    }
  }
}
