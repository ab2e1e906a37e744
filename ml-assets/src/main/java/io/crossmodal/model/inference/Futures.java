/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/** Unwraps failures of futures, and reports the errors of the node that they would swallow. */
public final class Futures {
  private Futures() {}

  /**
   * Reports the Error that a future may end with, as {@link #reportError}.
   *
   * @return a future that ends after that, as the given one did
   */
  public static <T> CompletableFuture<T> reportingErrors(CompletableFuture<T> future) {
    return future.whenComplete((done, failure) -> reportError(failure));
  }

  /**
   * Throws an Error that a future has caught on a thread of its own, so that it reaches the handler
   * of uncaught failures. There OpenSearch ends a process whose heap is exhausted, instead of
   * having it go on with what that left behind. An engine whose library is missing or of another
   * version (a {@link LinkageError}) is no reason to end the process.
   *
   * @param failure what a future gave, with or without the wrapping; null where there is none
   */
  private static void reportError(Throwable failure) {
    if (cause(failure) instanceof Error error && !(error instanceof LinkageError)) {
      new Thread(
              () -> {
                throw error;
              },
              "cross-modal-error")
          .start();
    }
  }

  /**
   * Returns the failure of inference itself, without the wrappings of futures, and reports an Error
   * as {@link #reportError}.
   *
   * @return an {@link InferenceException.ModelFailed} for what is no {@link RuntimeException}
   */
  public static RuntimeException unwrap(Throwable failure) {
    reportError(failure);
    Throwable cause = cause(failure);
    return cause instanceof RuntimeException known
        ? known
        : new InferenceException.ModelFailed("the model failed: " + cause, cause);
  }

  /** Returns the failure itself, without the wrappings of futures. */
  public static Throwable cause(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }
}
