/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Objects;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** The answer to a {@link PairsRequest}, or why there is none. */
final class PairsResponse extends ActionResponse {
  private final PairQuestion<?> question;
  private final Object answer;
  private final Refusal refusal;
  private final String why;

  /** Why a scorer gave no answer; a type, for exceptions do not travel as what they were. */
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

    /** What {@link #of} was told, as it is thrown on the node that asked. */
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

  private PairsResponse(PairQuestion<?> question, Object answer, Refusal refusal, String why) {
    this.question = question;
    this.answer = answer;
    this.refusal = refusal;
    this.why = why;
  }

  static <T> PairsResponse answer(PairQuestion<T> question, T answer) {
    return new PairsResponse(question, Objects.requireNonNull(answer, "answer"), null, "");
  }

  static PairsResponse refused(PairQuestion<?> question, RuntimeException failure) {
    return new PairsResponse(
        question, null, Refusal.of(failure), String.valueOf(failure.getMessage()));
  }

  PairsResponse(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, ScorePairsAction.NAME);
    question = PairQuestion.read(in);
    refusal = in.readBoolean() ? in.readEnum(Refusal.class) : null;
    why = in.readString();
    answer = refusal == null ? question.readAnswer(in) : null;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    question.write(out);
    out.writeBoolean(refusal != null);
    if (refusal != null) {
      out.writeEnum(refusal);
    }
    out.writeString(why);
    if (refusal == null) {
      writeAnswer(out, question);
    }
  }

  @SuppressWarnings("unchecked") // made of an answer to this very question
  private <T> void writeAnswer(StreamOutput out, PairQuestion<T> asked) throws IOException {
    asked.writeAnswer(out, (T) answer);
  }

  /** Null where there is an answer. */
  Refusal refusal() {
    return refusal;
  }

  /** The scorer's own words; empty where there is an answer. */
  String why() {
    return why;
  }

  /**
   * The answer.
   *
   * @throws IllegalStateException when it is one to another question, or none
   */
  @SuppressWarnings("unchecked") // made of an answer to this very question
  <T> T answer(PairQuestion<T> asked) {
    if (asked != question || answer == null) {
      throw new IllegalStateException("this is no answer to what was asked");
    }
    return (T) answer;
  }
}
