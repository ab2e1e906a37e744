/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.action.LoadModelAction;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.Strings;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code POST /_plugins/_cross_modal/models/{id}/_load} and {@code /_unload}, on the nodes that
 * encode or score, or on those that {@code ?node_id=} names by id, name, role or attribute. Answers
 * as {@link RestModelsHandler} does, when all of them are done.
 */
public final class RestLoadModelHandler extends BaseRestHandler {
  private static final String LOAD = "_load";
  private static final ObjectParser<Body, Void> PARSER = new ObjectParser<>(LOAD, Body::new);

  static {
    PARSER.declareString(
        (body, name) -> body.precision = PrecisionPolicy.of(name), new ParseField("precision"));
  }

  /** Fields of a request's body. */
  private static final class Body {
    private PrecisionPolicy precision;
  }

  private final ModelCatalog catalog;

  public RestLoadModelHandler(ModelCatalog catalog) {
    this.catalog = catalog;
  }

  @Override
  public String getName() {
    return "cross_modal_load_model";
  }

  @Override
  public List<Route> routes() {
    String model = "/_plugins/_cross_modal/models/{id}/";
    return List.of(
        new Route(RestRequest.Method.POST, model + LOAD),
        new Route(RestRequest.Method.POST, model + "_unload"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client)
      throws IOException {
    String id = request.param("id");
    String[] nodes = Strings.splitStringByCommaToArray(request.param("node_id", ""));
    boolean load = request.path().endsWith("/" + LOAD);
    Body body = new Body();
    if (load && request.hasContent()) {
      try (XContentParser parser = request.contentParser()) {
        PARSER.parse(parser, body, null);
      }
    }
    return channel ->
        client.execute(
            LoadModelAction.INSTANCE,
            new LoadModelAction.Request(id, load, body.precision, nodes),
            new ModelListing(catalog, id, channel));
  }
}
