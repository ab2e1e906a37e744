/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.inference.InferenceException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.tasks.CancellableTask;
import org.opensearch.threadpool.Scheduler;
import org.opensearch.threadpool.ThreadPool;

/** An encoding in progress, of a search or of an {@code _encode}. */
public final class EncodingTask extends CancellableTask {
  private final CompletableFuture<Void> cancelled = new CompletableFuture<>();

  public EncodingTask(
      long id,
      String type,
      String action,
      String description,
      TaskId parent,
      Map<String, String> headers) {
    super(id, type, action, description, parent, headers);
  }

  /**
   * Ends a wait when its time is over, or when the task is cancelled.
   *
   * @param waiting completes at the end of the wait
   * @param late names what did not finish, by the time that it had
   */
  public void bound(
      CompletableFuture<?> waiting,
      ThreadPool threadPool,
      TimeValue wait,
      Function<TimeValue, String> late) {
    CompletableFuture<?> unusedCancellation =
        cancelled.thenRun(
            () ->
                waiting.completeExceptionally(
                    new TaskCancelledException("cancelled while it was encoded")));
    Scheduler.Cancellable timer =
        threadPool.schedule(
            () ->
                waiting.completeExceptionally(
                    new InferenceException.DeadlineExceeded(late.apply(wait))),
            wait,
            ThreadPool.Names.GENERIC);
    CompletableFuture<?> unusedEnd = waiting.whenComplete((done, failure) -> timer.cancel());
  }

  @Override
  protected void onCancelled() {
    cancelled.complete(null);
  }

  @Override
  public boolean shouldCancelChildrenOnCancellation() {
    return false;
  }
}
