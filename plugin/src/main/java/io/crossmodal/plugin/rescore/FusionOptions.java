/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import java.io.IOException;
import java.util.Locale;
import java.util.Objects;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * The options of the rescore clause {@code fusion}.
 *
 * @param combiner makes final scores
 * @param missing policy for hits without tokens
 * @param onFailure policy where scoring fails
 * @param timeout longest wait for the scores of one shard; null for the node's own limit
 * @param filterSize hits of the window that the model's pre-ranker, an MLP, passes on to the fusion
 *     encoder; 0 for all, without asking the filter
 * @param selection which hits of the window are returned
 */
public record FusionOptions(
    ScoreCombiner combiner,
    MissingPolicy missing,
    FailurePolicy onFailure,
    TimeValue timeout,
    int filterSize,
    Selection selection)
    implements Writeable, ToXContentFragment {
  public static final FusionOptions DEFAULT =
      new FusionOptions(
          new ScoreCombiner(FusionScoreMode.REPLACE, 1, 1),
          MissingPolicy.KEEP_FIRST_PASS,
          FailurePolicy.FAIL,
          null,
          0,
          Selection.ALL);

  public FusionOptions {
    Objects.requireNonNull(combiner, "combiner");
    Objects.requireNonNull(missing, "missing");
    Objects.requireNonNull(onFailure, "onFailure");
    Objects.requireNonNull(selection, "selection");
    if (timeout != null && timeout.nanos() <= 0) {
      throw new IllegalArgumentException("[timeout] must be above 0, got [" + timeout + "]");
    }
    if (filterSize < 0) {
      throw new IllegalArgumentException(
          "[filter_size] must be at least 0, got [" + filterSize + "]");
    }
  }

  /** Options that select all hits. */
  public FusionOptions(
      ScoreCombiner combiner,
      MissingPolicy missing,
      FailurePolicy onFailure,
      TimeValue timeout,
      int filterSize) {
    this(combiner, missing, onFailure, timeout, filterSize, Selection.ALL);
  }

  /**
   * Refuses what a request cannot have together. A shard that scores for the coordinating node has
   * another combiner, beside a selection that is made elsewhere.
   *
   * @return this
   */
  FusionOptions check() {
    if (selection.diversity() != null && combiner.mode() != FusionScoreMode.REPLACE) {
      throw new IllegalArgumentException(
          "[diversity] weighs p against how alike pictures are, so it goes with [score_mode:"
              + " replace] only, got ["
              + key(combiner.mode())
              + "]");
    }
    return this;
  }

  /** Returns the same with another selection. */
  public FusionOptions with(Selection other) {
    return new FusionOptions(combiner, missing, onFailure, timeout, filterSize, other);
  }

  FusionOptions(StreamInput in) throws IOException {
    this(
        new ScoreCombiner(in.readEnum(FusionScoreMode.class), in.readFloat(), in.readFloat()),
        in.readEnum(MissingPolicy.class),
        in.readEnum(FailurePolicy.class),
        in.readOptionalTimeValue(),
        in.readVInt(),
        new Selection(in));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeEnum(combiner.mode());
    out.writeFloat(combiner.queryWeight());
    out.writeFloat(combiner.rescoreQueryWeight());
    out.writeEnum(missing);
    out.writeEnum(onFailure);
    out.writeOptionalTimeValue(timeout);
    out.writeVInt(filterSize);
    selection.writeTo(out);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder
        .field("score_mode", key(combiner.mode()))
        .field("query_weight", combiner.queryWeight())
        .field("rescore_query_weight", combiner.rescoreQueryWeight())
        .field("missing", key(missing))
        .field("on_failure", key(onFailure))
        .field("filter_size", filterSize);
    selection.toXContent(builder, params);
    return timeout == null ? builder : builder.field("timeout", timeout.getStringRep());
  }

  /** Treatment of a hit in the window whose document has no stored tokens. */
  public enum MissingPolicy {
    /** It keeps its first-pass score, as if it lay outside the window. */
    KEEP_FIRST_PASS,
    /** Its fusion score is 0. */
    SCORE_ZERO,
    /** The search of its shard fails. */
    FAIL
  }

  /** Treatment of a search whose hits cannot be rescored: no model, no time, damaged tokens. */
  public enum FailurePolicy {
    /** Hits keep their first-pass scores; counted as degraded in the stats. */
    KEEP_FIRST_PASS,
    /** The search of the shard fails and says why. */
    FAIL
  }

  /** Combination of a fusion score and a first-pass score; all but {@link #REPLACE} as in core. */
  public enum FusionScoreMode {
    /** The fusion score alone decides; hits without one come after all that have one. */
    REPLACE,
    TOTAL,
    MULTIPLY,
    AVG,
    MAX,
    MIN
  }

  /** Returns the name of a constant in a request. */
  static String key(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }
}
