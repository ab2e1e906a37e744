/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.tasks.CancellableTask;

/** The encoding of a query as a part of its search, with which it is cancelled. */
final class EncodeQueryTask extends CancellableTask {
  private final CompletableFuture<Void> cancelled = new CompletableFuture<>();

  EncodeQueryTask(
      long id,
      String type,
      String action,
      String description,
      TaskId parent,
      Map<String, String> headers) {
    super(id, type, action, description, parent, headers);
  }

  /** Completes when somebody cancels the task. */
  CompletableFuture<Void> cancelled() {
    return cancelled;
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
