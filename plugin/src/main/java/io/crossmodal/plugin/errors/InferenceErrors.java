/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.errors;

import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.registry.ModelCatalog;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.rest.RestStatus;

/** Maps failures of the inference to exceptions that OpenSearch answers with the right status. */
public final class InferenceErrors {
  private InferenceErrors() {}

  /**
   * Refuses the id of a model that does not exist.
   *
   * @throws ResourceNotFoundException 404, when there is no such model
   */
  public static void checkKnown(ModelCatalog catalog, String id) {
    if (!catalog.has(id)) {
      throw new ResourceNotFoundException(
          "unknown model [{}], this node has {}", id, catalog.ids());
    }
  }

  /**
   * Returns a failure as OpenSearch answers it: 400 for bad input, 429 for a full queue, busy
   * search threads or a full memory budget, 504 for a deadline (as core's own search timeout), 503
   * for a model that is not there, 500 for a model that broke.
   *
   * @param failure as a future of inference gives it
   */
  public static RuntimeException toOpenSearch(Throwable failure) {
    RuntimeException cause = Futures.unwrap(failure);
    if (cause instanceof InferenceException.QueueFull
        || cause instanceof InferenceException.SearchThreadsBusy) {
      OpenSearchRejectedExecutionException rejected =
          new OpenSearchRejectedExecutionException(cause.getMessage());
      rejected.initCause(cause);
      return rejected;
    }
    if (cause instanceof InferenceException.DeadlineExceeded) {
      return status(RestStatus.GATEWAY_TIMEOUT, cause);
    }
    if (cause instanceof InferenceException.MemoryExceeded) {
      return status(RestStatus.TOO_MANY_REQUESTS, cause);
    }
    if (cause instanceof InferenceException.ModelUnavailable) {
      return status(RestStatus.SERVICE_UNAVAILABLE, cause);
    }
    if (cause instanceof InferenceException) {
      return status(RestStatus.INTERNAL_SERVER_ERROR, cause);
    }
    return cause;
  }

  private static RuntimeException status(RestStatus status, RuntimeException cause) {
    // The message says all a user needs; the cause goes to the log with the stack trace.
    return new OpenSearchStatusException(cause.getMessage(), status, cause);
  }
}
