/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import java.util.Map;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.tasks.CancellableTask;
import org.opensearch.tasks.Task;
import org.opensearch.tasks.TaskAwareRequest;
import org.opensearch.transport.TransportService;

/**
 * A request to another node that can be cancelled without the search that it is a part of: a task
 * of this node between the search's and that of the other node. Thread-safe.
 */
public final class ChildTask {
  private static final Logger LOGGER = LogManager.getLogger(ChildTask.class);

  private final TransportService transport;
  private final IntermediateTask task;

  private ChildTask(TransportService transport, IntermediateTask task) {
    this.transport = transport;
    this.task = task;
  }

  /**
   * Begins one; {@link #end} has to follow, whatever comes of it.
   *
   * @param action that the other node is asked for
   * @param parent the search's task on this node; null for none
   * @throws TaskCancelledException when the search was cancelled
   */
  public static ChildTask begin(TransportService transport, String action, Task parent) {
    TaskId of =
        parent == null
            ? TaskId.EMPTY_TASK_ID
            : new TaskId(transport.getLocalNode().getId(), parent.getId());
    return new ChildTask(
        transport,
        (IntermediateTask)
            transport.getTaskManager().register("direct", action, new TaskRequest(of)));
  }

  /** Returns the task that the request is sent as a child of. */
  public Task task() {
    return task;
  }

  /** Cancels the request on the other node. */
  public void cancel(String why) {
    ThreadContext context = transport.getThreadPool().getThreadContext();
    ThreadContext.StoredContext before = context.stashContext();
    try {
      // IntermediateTask nodes, whoever searches.
      context.markAsSystemContext();
      transport
          .getTaskManager()
          .cancelTaskAndDescendants(
              task,
              why,
              false,
              ActionListener.wrap(
                  done -> {},
                  e -> LOGGER.debug("a node was not told that its answer is not needed", e)));
    } finally {
      before.restore();
    }
  }

  /** Ends the task; the other node has answered, or will not. */
  public void end() {
    transport.getTaskManager().unregister(task);
  }

  /** Makes the task. */
  private static final class TaskRequest implements TaskAwareRequest {
    private TaskId parent;

    private TaskRequest(TaskId parent) {
      this.parent = parent;
    }

    @Override
    public void setParentTask(TaskId taskId) {
      parent = taskId;
    }

    @Override
    public TaskId getParentTask() {
      return parent;
    }

    @Override
    public Task createTask(
        long id, String type, String action, TaskId of, Map<String, String> headers) {
      return new IntermediateTask(id, type, action, of, headers);
    }
  }

  /** A shard's search does not pass its cancellation on; this does. */
  private static final class IntermediateTask extends CancellableTask {
    private IntermediateTask(
        long id, String type, String action, TaskId parent, Map<String, String> headers) {
      super(id, type, action, "asks another node", parent, headers);
    }

    @Override
    public boolean shouldCancelChildrenOnCancellation() {
      return true;
    }
  }
}
