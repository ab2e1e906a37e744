/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.models.UploadModelAction;
import io.crossmodal.plugin.models.UploadModelRequest;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.lease.Releasables;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestChannel;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.action.RestStatusToXContentListener;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code PUT /_plugins/_cross_modal/models/{id}} with {@code {"bundle": base64}}, or its bytes in
 * CBOR or SMILE; with {@code ?part=i&parts=n}, i from 0, a part of it.
 *
 * <p>Before a body is parsed, it must find one of few places, and memory for what becomes of it
 * under the breaker {@code request}; else it is answered 429.
 */
public final class RestUploadModelHandler extends BaseRestHandler {
  /** Uploads, or parts, that a node takes at once. */
  static final int MAX_AT_ONCE = 2;

  /**
   * What a body becomes, as a multiple of its own size: decoded into a growing buffer, copied to
   * its size, written into a document that grows by doubling, and sent to the replica.
   */
  private static final int COPIES = 4;

  private final MemoryBudget heap;
  private final Semaphore places = new Semaphore(MAX_AT_ONCE);

  public RestUploadModelHandler(MemoryBudget heap) {
    this.heap = heap;
  }

  @Override
  public String getName() {
    return "cross_modal_upload_model";
  }

  @Override
  public List<Route> routes() {
    return List.of(new Route(RestRequest.Method.PUT, "/_plugins/_cross_modal/models/{id}"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    String id = request.param("id");
    if (request.hasParam("part") != request.hasParam("parts")) {
      throw new IllegalArgumentException(
          "[part] and [parts] go together, got only ["
              + (request.hasParam("part") ? "part" : "parts")
              + "]");
    }
    int part = request.paramAsInt("part", 0);
    int parts = request.paramAsInt("parts", 1);
    int length = request.requiredContent().length();
    // Parsed in the consumer alone: if this request is refused for its parameters, no place is
    // lost.
    return channel -> {
      Releasable place = enter(length);
      boolean sent = false;
      try {
        UploadModelRequest upload = parse(id, part, parts, request);
        RestChannel answers = channel;
        client.execute(
            UploadModelAction.INSTANCE,
            upload,
            ActionListener.runBefore(new RestStatusToXContentListener<>(answers), place::close));
        sent = true;
      } finally {
        if (!sent) {
          place.close();
        }
      }
    };
  }

  private static UploadModelRequest parse(String id, int part, int parts, RestRequest request)
      throws IOException {
    try (XContentParser parser = request.contentParser()) {
      return UploadModelRequest.parse(id, part, parts, parser);
    }
  }

  /**
   * Takes a place and memory.
   *
   * @param length of the body in bytes
   * @return gives both back, once
   */
  Releasable enter(int length) {
    if (!places.tryAcquire()) {
      throw new OpenSearchStatusException(
          "this node takes [{}] other uploads already, send this one again later",
          RestStatus.TOO_MANY_REQUESTS,
          MAX_AT_ONCE);
    }
    boolean entered = false;
    try {
      MemoryBudget.Reservation memory = heap.reserve("an uploaded model", (long) COPIES * length);
      entered = true;
      return Releasables.releaseOnce(
          () -> {
            memory.close();
            places.release();
          });
    } catch (InferenceException e) {
      throw InferenceErrors.toOpenSearch(e);
    } finally {
      if (!entered) {
        places.release();
      }
    }
  }
}
