/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

/** Why the model gave no answer, where the caller's input was not to blame. */
@SuppressWarnings("serial") // nodes send refusals by type, never these objects
public abstract class InferenceException extends RuntimeException {
  InferenceException(String message, Throwable cause) {
    super(message, cause);
  }

  /** The worker's queue is full: try again later, or send less at once. */
  public static class QueueFull extends InferenceException {
    public QueueFull(int capacity) {
      this(
          "the model's queue is full, it holds ["
              + capacity
              + "] jobs; retry later, send smaller requests, or raise"
              + " [plugins.cross_modal.inference.queue_size]");
    }

    public QueueFull(String message) {
      super(message, null);
    }
  }

  /** Half of the node's search threads rescore, and as many searches wait for them as may. */
  public static final class SearchThreadsBusy extends InferenceException {
    public SearchThreadsBusy(String message) {
      super(message, null);
    }
  }

  /** Thrown where the jobs in the queue take longer than the caller can wait. */
  public static final class QueueTooSlow extends QueueFull {
    /**
     * @param expectedMillis until the jobs that wait already are done
     * @param remainingMillis until the caller's deadline
     */
    public QueueTooSlow(long expectedMillis, long remainingMillis) {
      super(
          "the model's queue takes about ["
              + expectedMillis
              + "ms], longer than the ["
              + remainingMillis
              + "ms] that this request can wait; retry later, lower [window_size], or raise"
              + " [timeout]");
    }
  }

  /** There is no memory for the model, or for the smallest call of it. */
  public static final class MemoryExceeded extends InferenceException {
    /**
     * @param what the memory was for
     * @param why what the budget says
     */
    public MemoryExceeded(String what, long bytes, String why, Throwable cause) {
      super(what + " needs " + bytes + " bytes, which the node does not grant: " + why, cause);
    }

    public MemoryExceeded(String message) {
      super(message, null);
    }
  }

  /** The caller's deadline passed before the model answered. */
  public static final class DeadlineExceeded extends InferenceException {
    public DeadlineExceeded(String what) {
      super(what + " did not finish before its deadline", null);
    }
  }

  /** The model cannot be loaded on this node, or the node is shutting down. */
  public static final class ModelUnavailable extends InferenceException {
    public ModelUnavailable(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** The model threw while it computed. */
  public static final class ModelFailed extends InferenceException {
    public ModelFailed(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
