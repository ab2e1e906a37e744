/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingRequest;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.mapper.Spaces;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.ContextPreservingActionListener;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.common.inject.Inject;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;

/** Encodes texts or images for a user, on the node that receives the request. */
public final class EncodeAction extends ActionType<EncodeResponse> {
  public static final EncodeAction INSTANCE = new EncodeAction();
  static final String NAME = "cluster:admin/cross_modal/encode";

  private EncodeAction() {
    super(NAME, EncodeResponse::new);
  }

  /** Encodes on this node, in batches, of which each is an answer before the next is encoded. */
  public static final class Transport
      extends HandledTransportAction<EncodeRequest, EncodeResponse> {
    private static final long PRINTED_FLOAT = 12;
    private static final double BASE64 = 4.0 / 3;

    private final ThreadPool threadPool;
    private final EncodingService service;

    @Inject
    public Transport(
        TransportService transportService,
        ActionFilters actionFilters,
        ThreadPool threadPool,
        EncodingService service) {
      super(NAME, transportService, actionFilters, EncodeRequest::new);
      this.threadPool = threadPool;
      this.service = service;
    }

    @Override
    protected void doExecute(
        Task task, EncodeRequest request, ActionListener<EncodeResponse> listener) {
      ModelCatalog catalog = service.models().catalog();
      InferenceErrors.checkKnown(catalog, request.model());
      ModelManifest model = catalog.manifest(request.model());
      ActionListener<EncodeResponse> inContext =
          new ContextPreservingActionListener<>(
              threadPool.getThreadContext().newRestorableContext(false), listener);
      MemoryBudget.Reservation memory;
      try {
        memory =
            service
                .heap()
                .reserve("the answer with " + request.size() + " encodings", bytes(request, model));
      } catch (InferenceException.MemoryExceeded e) {
        listener.onFailure(InferenceErrors.toOpenSearch(e));
        return;
      }
      CompletableFuture<EncodeResponse> answer = new CompletableFuture<>();
      CompletableFuture<?> unused =
          answer.whenComplete(
              (response, failure) -> {
                // The response is text before the listener returns.
                try (memory) {
                  if (failure == null) {
                    inContext.onResponse(response);
                  } else {
                    inContext.onFailure(InferenceErrors.toOpenSearch(failure));
                  }
                }
              });
      try {
        bound((EncodingTask) task, request, model.id(), answer);
        encode(request, model, answer);
      } catch (RuntimeException e) {
        answer.completeExceptionally(e);
      }
    }

    /** Ends with the connection, or with the longest that any waits for a model. */
    private void bound(
        EncodingTask task, EncodeRequest request, String model, CompletableFuture<?> answer) {
      task.bound(
          answer,
          threadPool,
          TimeValue.timeValueNanos(service.longestWait().toNanos()),
          wait ->
              String.format(
                  Locale.ROOT,
                  "the encoding of [%d] items by model [%s], which is %s on this node and had [%s]"
                      + " (send fewer in one request, load the model before, or raise"
                      + " [plugins.cross_modal.rescore.longest_wait]),",
                  request.size(),
                  model,
                  service.models().status(model).state(),
                  wait));
    }

    private void encode(
        EncodeRequest request, ModelManifest model, CompletableFuture<EncodeResponse> answer) {
      EncodeResponse.Item[] items = new EncodeResponse.Item[request.size()];
      EncodingRequest.Listener listener =
          (i, outcome) -> {
            if (outcome instanceof Encoded.Failure failure
                && failure.cause() instanceof InferenceException) {
              // A full queue or a broken model is no item's fault, and the request's to answer for.
              answer.completeExceptionally(failure.cause());
            } else if (!answer.isDone()) {
              items[i] = item(outcome, request, model);
            }
          };
      CompletableFuture<?> unused =
          (request.images().isEmpty()
                  ? service.encodeTexts(
                      EncodingRequest.ofDocuments(model.id(), request.texts(), listener)
                          .cancelledBy(answer))
                  : service.encodeImages(
                      Spaces.of(model).sensor(request.sensor()),
                      EncodingRequest.ofDocuments(model.id(), request.images(), listener)
                          .cancelledBy(answer)))
              .whenComplete(
                  (done, failure) -> {
                    if (failure != null) {
                      answer.completeExceptionally(failure);
                    } else if (!answer.isDone()) {
                      answer.complete(new EncodeResponse(model.id(), List.of(items)));
                    }
                  });
    }

    /** Returns the heap of the response, as numbers and as the text that they are printed to. */
    private static long bytes(EncodeRequest request, ModelManifest model) {
      Spaces spaces = Spaces.of(model);
      long bytes = (Float.BYTES + PRINTED_FLOAT) * spaces.dimension();
      if (request.tokens()) {
        int count =
            request.images().isEmpty()
                ? spaces.textTokens()
                : spaces.imageTokens().get(spaces.sensor(request.sensor()));
        bytes += (long) ((1 + BASE64) * count * (spaces.hidden() + Float.BYTES));
      }
      return request.size() * bytes;
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
                  success.encoding().tokens(),
                  TokenEncoding.INT8,
                  model.fingerprints().tokenSpace())
              : null;
      return new EncodeResponse.Item(success.encoding().embedding(), tokens, success.notice(), "");
    }
  }
}
