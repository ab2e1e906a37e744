/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Objects;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** The response to a {@link PairsRequest}: what the operation gave, or why it gave nothing. */
final class PairsResponse extends ActionResponse {
  private final PairOperation<?> operation;
  private final Object answer;
  private final Refusal refusal;
  private final String why;

  /**
   * Reason for which a scorer gave no answer; a type, for exceptions do not travel as what they
   * were.
   */
  enum Refusal {
    QUEUE_FULL,
    MEMORY,
    LATE,
    UNAVAILABLE,
    FAILED,
    FOREIGN_TOKENS,
    BAD_REQUEST;

    static Refusal of(RuntimeException failure) {
      if (failure instanceof InferenceException.QueueFull) {
        return QUEUE_FULL;
      }
      if (failure instanceof InferenceException.MemoryExceeded) {
        return MEMORY;
      }
      if (failure instanceof InferenceException.DeadlineExceeded) {
        return LATE;
      }
      if (failure instanceof InferenceException.ModelUnavailable) {
        return UNAVAILABLE;
      }
      if (failure instanceof ForeignTokensException) {
        return FOREIGN_TOKENS;
      }
      return failure instanceof IllegalArgumentException ? BAD_REQUEST : FAILED;
    }

    /** Returns the exception to throw on the node that sent the request. */
    RuntimeException toException(String why) {
      return switch (this) {
        case QUEUE_FULL -> new InferenceException.QueueFull(why);
        case MEMORY -> new InferenceException.MemoryExceeded(why);
        case LATE -> new InferenceException.DeadlineExceeded("a rescore");
        case UNAVAILABLE -> new InferenceException.ModelUnavailable(why, null);
        case FAILED -> new InferenceException.ModelFailed(why, null);
        case FOREIGN_TOKENS -> new ForeignTokensException(why, null);
        case BAD_REQUEST -> new IllegalArgumentException(why);
      };
    }
  }

  private PairsResponse(PairOperation<?> operation, Object answer, Refusal refusal, String why) {
    this.operation = operation;
    this.answer = answer;
    this.refusal = refusal;
    this.why = why;
  }

  static <T> PairsResponse answer(PairOperation<T> operation, T answer) {
    return new PairsResponse(operation, Objects.requireNonNull(answer, "answer"), null, "");
  }

  static PairsResponse refused(PairOperation<?> operation, RuntimeException failure) {
    return new PairsResponse(
        operation, null, Refusal.of(failure), String.valueOf(failure.getMessage()));
  }

  PairsResponse(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, ScorePairsAction.NAME);
    operation = PairOperation.read(in);
    refusal = in.readBoolean() ? in.readEnum(Refusal.class) : null;
    why = in.readString();
    answer = refusal == null ? operation.readAnswer(in) : null;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    operation.write(out);
    out.writeBoolean(refusal != null);
    if (refusal != null) {
      out.writeEnum(refusal);
    }
    out.writeString(why);
    if (refusal == null) {
      writeAnswer(out, operation);
    }
  }

  @SuppressWarnings("unchecked") // made of a response to this very operation
  private <T> void writeAnswer(StreamOutput out, PairOperation<T> asked) throws IOException {
    asked.writeAnswer(out, (T) answer);
  }

  /** Returns why there is no response; null where there is one. */
  Refusal refusal() {
    return refusal;
  }

  /** Returns the scorer's own words; empty where there is a response. */
  String why() {
    return why;
  }

  /**
   * Returns the response.
   *
   * @throws IllegalStateException when it is of another operation, or a refusal
   */
  @SuppressWarnings("unchecked") // made of a response to this very operation
  <T> T answer(PairOperation<T> asked) {
    if (asked != operation || answer == null) {
      throw new IllegalStateException("this is no answer to what was asked");
    }
    return (T) answer;
  }
}
