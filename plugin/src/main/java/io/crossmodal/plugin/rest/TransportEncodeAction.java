/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.Encoded;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.ModelCatalog;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.mapper.Spaces;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.ContextPreservingActionListener;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;

/** Encodes on this node, in batches. */
public final class TransportEncodeAction
    extends HandledTransportAction<EncodeRequest, EncodeResponse> {
  private final ThreadPool threadPool;
  private final ModelService service;

  @Inject
  public TransportEncodeAction(
      TransportService transportService,
      ActionFilters actionFilters,
      ThreadPool threadPool,
      ModelService service) {
    super(EncodeAction.NAME, transportService, actionFilters, EncodeRequest::new);
    this.threadPool = threadPool;
    this.service = service;
  }

  @Override
  protected void doExecute(
      Task task, EncodeRequest request, ActionListener<EncodeResponse> listener) {
    ModelCatalog catalog = service.catalog();
    if (!catalog.has(request.model())) {
      throw new ResourceNotFoundException(
          "unknown model [{}], this node has {}", request.model(), catalog.ids());
    }
    ModelManifest model = catalog.manifest(request.model());
    ActionListener<EncodeResponse> inContext =
        new ContextPreservingActionListener<>(
            threadPool.getThreadContext().newRestorableContext(false), listener);
    CompletableFuture<?> unused =
        encode(request, model)
            .whenComplete(
                (outcomes, failure) -> {
                  Optional<InferenceException> refused =
                      failure == null ? nodesFault(outcomes) : Optional.empty();
                  if (failure != null) {
                    inContext.onFailure(InferenceErrors.toOpenSearch(failure));
                  } else if (refused.isPresent()) {
                    inContext.onFailure(InferenceErrors.toOpenSearch(refused.get()));
                  } else {
                    inContext.onResponse(
                        new EncodeResponse(
                            model.id(),
                            outcomes.stream().map(o -> item(o, request, model)).toList()));
                  }
                });
  }

  private CompletableFuture<List<Encoded>> encode(EncodeRequest request, ModelManifest model) {
    return request.images().isEmpty()
        ? service.encodeTexts(model.id(), request.texts())
        : service.encodeImages(
            model.id(), Spaces.of(model).sensor(request.sensor()), request.images());
  }

  /** A full queue or a broken model is no item's fault, and the request's to answer for. */
  private static Optional<InferenceException> nodesFault(List<Encoded> outcomes) {
    return outcomes.stream()
        .filter(Encoded.Failure.class::isInstance)
        .map(outcome -> ((Encoded.Failure) outcome).cause())
        .filter(InferenceException.class::isInstance)
        .map(InferenceException.class::cast)
        .findFirst();
  }

  private static EncodeResponse.Item item(
      Encoded outcome, EncodeRequest request, ModelManifest model) {
    if (outcome instanceof Encoded.Failure failure) {
      return EncodeResponse.Item.failed(String.valueOf(failure.cause().getMessage()));
    }
    Encoded.Success success = (Encoded.Success) outcome;
    byte[] tokens =
        request.tokens()
            ? TokenBlockFormat.write(
                success.encoding().tokens(), TokenEncoding.INT8, model.fingerprints().tokenSpace())
            : null;
    return new EncodeResponse.Item(success.encoding().embedding(), tokens, success.notice(), "");
  }
}
