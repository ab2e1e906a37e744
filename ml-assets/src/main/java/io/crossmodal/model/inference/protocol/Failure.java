/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.inference.InferenceException;
import java.util.Locale;

/**
 * Why a request was not answered, as both sides name it: an HTTP status, as the protocol has it,
 * and the type beside the text, so that nobody infers it from the text.
 */
public enum Failure {
  /** The request is none. */
  BAD_REQUEST(400),
  /** There is no such model or path. */
  NOT_FOUND(404),
  /** The worker does not have the bundle of this digest: it is to be sent. */
  BUNDLE_MISSING(404),
  /** The bundle is to blame, and would be again. */
  BUNDLE_REFUSED(422),
  /** Too many jobs wait. */
  QUEUE_FULL(429),
  /** What waits takes longer than this job can wait. */
  QUEUE_TOO_SLOW(429),
  /** There is no memory for it. */
  MEMORY_EXCEEDED(429),
  /** The model broke. */
  MODEL_FAILED(500),
  /** The model cannot be loaded, or the worker is closing. */
  MODEL_UNAVAILABLE(503),
  /** The job's time was over. */
  DEADLINE_EXCEEDED(504);

  private final int status;

  Failure(int status) {
    this.status = status;
  }

  /** Returns the HTTP status. */
  public int status() {
    return status;
  }

  /** Returns what a failure of inference is called. */
  public static Failure of(Throwable cause) {
    if (cause instanceof InferenceException.QueueTooSlow) {
      return QUEUE_TOO_SLOW;
    }
    if (cause instanceof InferenceException.QueueFull) {
      return QUEUE_FULL;
    }
    if (cause instanceof InferenceException.MemoryExceeded) {
      return MEMORY_EXCEEDED;
    }
    if (cause instanceof InferenceException.DeadlineExceeded) {
      return DEADLINE_EXCEEDED;
    }
    if (cause instanceof InferenceException.ModelUnavailable) {
      return cause.getCause() instanceof BundleException ? BUNDLE_REFUSED : MODEL_UNAVAILABLE;
    }
    if (cause instanceof BundleException) {
      return BUNDLE_REFUSED;
    }
    return cause instanceof IllegalArgumentException ? BAD_REQUEST : MODEL_FAILED;
  }

  /** Returns the body that tells of it. */
  public JsonObject json(String text) {
    JsonObject json = new JsonObject();
    json.addProperty("error", text);
    json.addProperty("type", name().toLowerCase(Locale.ROOT));
    return json;
  }

  /**
   * Reads a failure's type.
   *
   * @param status of the response, which tells where a server of another make gives no type
   */
  public static Failure read(int status, JsonObject json) {
    JsonElement type = json.get("type");
    if (type != null && type.isJsonPrimitive()) {
      for (Failure failure : values()) {
        if (failure.name().toLowerCase(Locale.ROOT).equals(type.getAsString())) {
          return failure;
        }
      }
    }
    for (Failure failure : values()) {
      if (failure.status == status) {
        return failure;
      }
    }
    return status < 500 ? BAD_REQUEST : MODEL_FAILED;
  }

  /** Returns the failure of inference that it stands for where the model's callers see it. */
  public InferenceException exception(String text) {
    return switch (this) {
      case QUEUE_FULL, QUEUE_TOO_SLOW -> new InferenceException.QueueFull(text);
      case MEMORY_EXCEEDED -> new InferenceException.MemoryExceeded(text);
      case DEADLINE_EXCEEDED -> new InferenceException.DeadlineExceeded(text);
      case NOT_FOUND, BUNDLE_MISSING, BUNDLE_REFUSED, MODEL_UNAVAILABLE ->
          new InferenceException.ModelUnavailable(text, null);
      case BAD_REQUEST, MODEL_FAILED -> new InferenceException.ModelFailed(text, null);
    };
  }
}
