/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.tasks.CancellableTask;
import org.opensearch.tasks.Task;

/** An operation on pairs, and until when its response is of use. */
final class PairsRequest extends ActionRequest {
  private final PairOperation<?> operation;
  // Exactly one of both is set.
  private final Pairs pairs;
  private final ForeignTokensException damaged;
  private final Deadline deadline;

  PairsRequest(PairOperation<?> operation, Pairs pairs, Deadline deadline) {
    this.operation = operation;
    this.pairs = pairs;
    this.damaged = null;
    this.deadline = deadline;
  }

  PairsRequest(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, ScorePairsAction.NAME);
    operation = PairOperation.read(in);
    // Nodes' clocks differ; what is left of the time does not.
    deadline = Deadline.after(Duration.ofNanos(in.readZLong()));
    Pairs read = null;
    ForeignTokensException refused = null;
    try {
      read = Pairs.read(in);
    } catch (ForeignTokensException e) {
      refused = e;
    }
    pairs = read;
    damaged = refused;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    WireFormat.write(out);
    operation.write(out);
    out.writeZLong(deadline.remainingNanos());
    pairs.writeTo(out);
  }

  @Override
  public ActionRequestValidationException validate() {
    return null;
  }

  PairOperation<?> operation() {
    return operation;
  }

  /**
   * Returns the pairs.
   *
   * @throws ForeignTokensException when tokens came damaged: an answer for who asked, not for the
   *     connection
   */
  Pairs pairs() {
    if (damaged != null) {
      throw damaged;
    }
    return pairs;
  }

  Deadline deadline() {
    return deadline;
  }

  @Override
  public Task createTask(
      long id, String type, String action, TaskId parent, Map<String, String> headers) {
    return new PairsTask(id, type, action, getDescription(), parent, headers);
  }

  @Override
  public String getDescription() {
    return damaged == null
        ? "model [" + pairs.model() + "], [" + pairs.candidates().size() + "] candidates"
        : "damaged tokens";
  }

  /** Whose cancellation takes the pairs out of the queue, on whichever node it is. */
  static final class PairsTask extends CancellableTask {
    private Runnable whenCancelled = () -> {};

    private PairsTask(
        long id,
        String type,
        String action,
        String description,
        TaskId parent,
        Map<String, String> headers) {
      super(id, type, action, description, parent, headers);
    }

    @Override
    public boolean shouldCancelChildrenOnCancellation() {
      return true;
    }

    /** Runs something when this is cancelled, or now where it was. */
    void whenCancelled(Runnable action) {
      synchronized (this) {
        whenCancelled = action;
      }
      if (isCancelled()) {
        action.run();
      }
    }

    @Override
    protected void onCancelled() {
      Runnable action;
      synchronized (this) {
        action = whenCancelled;
      }
      action.run();
    }
  }
}
