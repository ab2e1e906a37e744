/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.tasks.Task;
import org.opensearch.transport.TransportService;

/**
 * Runs operations on other nodes' pairs. They wait in the same queue as this node's own and leave
 * it when their task is cancelled or their time is over.
 */
public final class TransportScorePairsAction
    extends HandledTransportAction<PairsRequest, PairsResponse> {
  private final ScoringService scoring;

  /**
   * @param scorers gets to know how this node reaches others: a plugin is told nowhere else
   */
  @Inject
  public TransportScorePairsAction(
      TransportService transportService,
      ActionFilters actionFilters,
      ScoringService scoring,
      Scorers scorers) {
    super(
        ScorePairsAction.NAME,
        transportService,
        actionFilters,
        PairsRequest::new,
        scorers.executor());
    this.scoring = scoring;
    scorers.connect(transportService);
  }

  @Override
  protected void doExecute(
      Task task, PairsRequest request, ActionListener<PairsResponse> listener) {
    answer(request.operation(), request, (PairsRequest.PairsTask) task, listener);
  }

  private <T> void answer(
      PairOperation<T> operation,
      PairsRequest request,
      PairsRequest.PairsTask task,
      ActionListener<PairsResponse> listener) {
    CompletableFuture<T> answer;
    MemoryBudget.Growing memory =
        new MemoryBudget.Growing(scoring.heap(), "what a scorer was asked by another node");
    try {
      Pairs pairs = request.pairs();
      memory.add(pairs.bytes());
      if (operation == PairOperation.ATTENTION) {
        memory.add(pairs.attentionBytes());
      }
      check(operation, pairs);
      answer = operation.ask(scoring, pairs, request.deadline());
    } catch (RuntimeException e) {
      memory.close();
      listener.onResponse(PairsResponse.refused(operation, e));
      return;
    }
    task.whenCancelled(() -> answer.cancel(true));
    CompletableFuture<?> unused =
        answer.whenComplete(
            (given, failure) -> {
              memory.close();
              if (failure == null) {
                listener.onResponse(PairsResponse.answer(operation, given));
              } else if (failure instanceof CancellationException) {
                listener.onFailure(new TaskCancelledException("cancelled while rescoring"));
              } else {
                listener.onResponse(PairsResponse.refused(operation, Futures.unwrap(failure)));
              }
            });
  }

  /** The model's name may mean another model here, for a moment or in a plugin of other age. */
  private void check(PairOperation<?> operation, Pairs pairs) {
    if (!scoring.models().catalog().has(pairs.model())) {
      throw new InferenceException.ModelUnavailable(
          "the scorer does not know the model [" + pairs.model() + "]", null);
    }
    ModelManifest model = scoring.models().catalog().manifest(pairs.model());
    String here = model.fingerprints().tokenSpace();
    if (!here.equals(pairs.tokenSpace())) {
      throw new InferenceException.ModelUnavailable(
          "the scorer's model ["
              + pairs.model()
              + "] has the token space ["
              + here
              + "], the field's is ["
              + pairs.tokenSpace()
              + "]",
          null);
    }
    if (!operation.isOf(model.config())) {
      // The node that asks has seen a version that can.
      throw new InferenceException.ModelUnavailable(
          "the scorer has not heard yet of the version of model [" + pairs.model() + "] to ask",
          null);
    }
    pairs.checkSpace();
  }
}
