/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.EncodedQuery;
import io.crossmodal.plugin.query.QueryEncoder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.scoring.Scorers;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.apache.lucene.util.SetOnce;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.index.query.QueryShardContext;
import org.opensearch.index.shard.SearchOperationListener;
import org.opensearch.search.rescore.RescoreContext;
import org.opensearch.search.rescore.RescorerBuilder;

/**
 * The rescorer {@code fusion}: a text is fused with the window's images or an image with its texts,
 * and an image is compared with images by their patches, which needs no fusion encoder.
 *
 * <pre>{@code
 * "rescore": {"window_size": 128, "fusion": {"field": "image", "query_text": "six tanks",
 *   "score_mode": "replace|total|multiply|avg|max|min", "query_weight": 1,
 *   "rescore_query_weight": 1, "missing": "keep_first_pass|score_zero|fail",
 *   "on_failure": "fail|keep_first_pass", "timeout": "200ms", "filter_size": 0,
 *   "calibrate": true|false}}
 * }</pre>
 *
 * The first of each list is the default. {@code on_failure} fails by default, for a search that
 * says nothing and lacks its rescore would look like a bad model; who prefers some order to none
 * says so. Without {@code timeout} the node's own limit holds. {@code calibrate} is the query's: of
 * an image compared with images, whether p is the probability that both show one place, by the
 * model's calibration of MaxSim for the two sensors; by default where the model has several sensors
 * and all the calibrations.
 */
public final class FusionRescorerBuilder extends RescorerBuilder<FusionRescorerBuilder> {
  public static final String NAME = "fusion";

  private final String field;
  private final Side side;
  private final Work work;

  // Null for what the model can do.
  private final Boolean calibrate;

  /** How far the query side has come on its way to the shards. */
  private sealed interface Side {
    /** What the request says. */
    record Asked(QuerySide query) implements Side {}

    /**
     * While the encoding is under way.
     *
     * @param result a rewrite of this very builder finds it there
     */
    record Pending(QuerySide query, SetOnce<EncodedQuery> result) implements Side {}

    /** What shards take. */
    record Ready(EncodedSide encoded) implements Side {}
  }

  /**
   * What there is to do.
   *
   * @param reported whether the shards say what they did
   * @param refused why the shard must not rescore, which is said on its own node; null where it may
   */
  private record Work(
      FusionOptions options,
      RescoreStage stage,
      boolean reported,
      RescoreAdmission.Refusal refused) {
    private Work of(FusionOptions others, RescoreStage other) {
      return new Work(others, other, reported, refused);
    }
  }

  public FusionRescorerBuilder(String field, QuerySide side, FusionOptions options) {
    this(field, side, options, null);
  }

  /**
   * @param calibrate whether p of two images is a probability; null where the model decides
   */
  public FusionRescorerBuilder(
      String field, QuerySide side, FusionOptions options, Boolean calibrate) {
    this(
        Objects.requireNonNull(field, "field"),
        new Side.Asked(Objects.requireNonNull(side, "side")),
        new Work(Objects.requireNonNull(options, "options"), RescoreStage.SHARD, false, null),
        calibrate);
  }

  private FusionRescorerBuilder(String field, Side side, Work work, Boolean calibrate) {
    this.field = field;
    this.side = side;
    this.work = work;
    this.calibrate = calibrate;
  }

  public FusionRescorerBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    field = in.readString();
    side =
        in.readBoolean() ? new Side.Ready(new EncodedSide(in)) : new Side.Asked(new QuerySide(in));
    work = new Work(new FusionOptions(in), in.readEnum(RescoreStage.class), in.readBoolean(), null);
    calibrate = in.readOptionalBoolean();
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeString(field);
    out.writeBoolean(side instanceof Side.Ready);
    if (side instanceof Side.Ready ready) {
      ready.encoded().writeTo(out);
    } else if (side instanceof Side.Asked asked) {
      asked.query().writeTo(out);
    } else {
      throw new IllegalStateException("[" + NAME + "] is sent while its encoding is under way");
    }
    work.options().writeTo(out);
    out.writeEnum(work.stage());
    out.writeBoolean(work.reported());
    out.writeOptionalBoolean(calibrate);
  }

  /** Reads a request's body. */
  public static FusionRescorerBuilder fromXContent(XContentParser parser) throws IOException {
    return FusionRescorerBody.parse(parser);
  }

  @Override
  protected void doXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field("field", field);
    if (side instanceof Side.Asked asked) {
      asked.query().toXContent(builder, params);
    } else if (side instanceof Side.Pending pending) {
      pending.query().toXContent(builder, params);
    } else if (side instanceof Side.Ready ready) {
      ready.encoded().asked().toXContent(builder, params);
    }
    work.options().toXContent(builder, params);
    if (calibrate != null) {
      builder.field(Calibrations.CALIBRATE, calibrate);
    }
    builder.endObject();
  }

  @Override
  public RescorerBuilder<FusionRescorerBuilder> rewrite(QueryRewriteContext context) {
    if (side instanceof Side.Pending pending) {
      EncodedQuery result = pending.result().get();
      return result == null ? this : with(new Side.Ready(encoded(pending.query(), result)));
    }
    if (side instanceof Side.Asked asked && context.convertToShardContext() == null) {
      RescoredSearch.check(context, work.stage());
      SetOnce<EncodedQuery> started = new SetOnce<>();
      QueryEncoder.encode(context, field, asked.query(), started::set);
      return with(new Side.Pending(asked.query(), started));
    }
    return this;
  }

  private EncodedSide encoded(QuerySide query, EncodedQuery result) {
    return new EncodedSide(
        result.modality(),
        query.asked(),
        result.model(),
        result.tokenSpace(),
        tokens(result),
        result.words(),
        Calibrations.choose(
            calibrate,
            result.maxSimCalibrations(),
            query.key(),
            "model ["
                + result.model()
                + "] has none of MaxSim for this query, or tokens are pooled"));
  }

  private static TokenBlock tokens(EncodedQuery query) {
    return query
        .tokens()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "[query_id]: the document stores no tokens to rescore with, its field's mapping"
                        + " says [tokens: none]"));
  }

  private FusionRescorerBuilder with(Side changed) {
    return copy(changed, work);
  }

  private FusionRescorerBuilder with(Work changed) {
    return copy(side, changed);
  }

  private FusionRescorerBuilder copy(Side newSide, Work newWork) {
    FusionRescorerBuilder copy = new FusionRescorerBuilder(field, newSide, newWork, calibrate);
    copy.windowSize = windowSize;
    return copy;
  }

  /**
   * Sets how many hits of each shard are rescored.
   *
   * @throws IllegalArgumentException for a window without hits
   */
  @Override
  public FusionRescorerBuilder windowSize(int hits) {
    if (hits < 1) {
      throw new IllegalArgumentException("[window_size] must be at least 1, got [" + hits + "]");
    }
    windowSize = hits;
    return this;
  }

  /** The same, whose shards say what they did. */
  public FusionRescorerBuilder reported() {
    return with(new Work(work.options(), work.stage(), true, work.refused()));
  }

  /**
   * The same, of a shard that keeps the first pass and says why.
   *
   * @param why it must not rescore
   */
  FusionRescorerBuilder refused(RescoreAdmission.Refusal why) {
    return with(new Work(work.options(), work.stage(), work.reported(), why));
  }

  /**
   * The same, whose shards leave it to the coordinating node which of their hits are rescored.
   *
   * @param window hits that each shard offers
   */
  public FusionRescorerBuilder deferred(int window) {
    return with(work.of(work.options(), RescoreStage.DEFERRED)).windowSize(window);
  }

  /** Whether the coordinating node chooses the hits. */
  public boolean isDeferred() {
    return work.stage() == RescoreStage.DEFERRED;
  }

  /**
   * For hits that the coordinating node chose: gives each its fusion score p, and not what combines
   * it with the first pass.
   *
   * @param window how many
   */
  public FusionRescorerBuilder ofChosen(int window) {
    FusionOptions options = work.options();
    FusionOptions alone =
        new FusionOptions(
            new ScoreCombiner(FusionScoreMode.TOTAL, 0, 1),
            options.missing(),
            options.onFailure(),
            options.timeout(),
            0);
    return with(work.of(alone, RescoreStage.SHARD)).windowSize(window);
  }

  /**
   * For hits that the coordinating node chose: gives each the MLP filter's logit, and negative
   * infinity where it has no tokens and {@code missing} is {@code score_zero}.
   *
   * @param window how many
   */
  public FusionRescorerBuilder filterOfChosen(int window) {
    return with(work.of(work.options(), RescoreStage.FILTER)).windowSize(window);
  }

  /** The field as the request names it. */
  public String field() {
    return field;
  }

  /** How it behaves. */
  public FusionOptions options() {
    return work.options();
  }

  /** Id of the model that encoded the query; empty before the rewrite. */
  Optional<String> modelIfKnown() {
    return side instanceof Side.Ready ready
        ? Optional.of(ready.encoded().model())
        : Optional.empty();
  }

  /**
   * Id of the model that encoded the query.
   *
   * @throws IllegalStateException before the rewrite
   */
  public String model() {
    return modelIfKnown()
        .orElseThrow(() -> new IllegalStateException("[" + NAME + "] has not been rewritten yet"));
  }

  @Override
  protected RescoreContext innerBuildContext(int windowSize, QueryShardContext context) {
    // A model may be replaced while a cached answer lives.
    context.setIsCacheable(false);
    if (!(side instanceof Side.Ready ready)) {
      throw new IllegalArgumentException(
          "[" + NAME + "] cannot encode its query here: it must be rewritten first");
    }
    MappedFieldType type = context.fieldMapper(field);
    if (type == null) {
      // The coordinating node found the field in another of the searched indices.
      return context(windowSize, null, null);
    }
    if (!(type instanceof CrossModalFieldType crossModal)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] must be of type [%s], its type is [%s]",
              field,
              CrossModalFieldMapper.TYPE,
              type.typeName()));
    }
    ready.encoded().check(field, crossModal.definition(), work.options().filterSize());
    return context(windowSize, crossModal, ready.encoded());
  }

  private FusionRescoreContext context(int window, CrossModalFieldType type, EncodedSide encoded) {
    return new FusionRescoreContext(
        window,
        field,
        type,
        encoded,
        work.options(),
        work.stage(),
        work.reported(),
        work.refused());
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other)
        && other instanceof FusionRescorerBuilder builder
        && field.equals(builder.field)
        && side.equals(builder.side)
        && work.options().equals(builder.work.options())
        && work.stage() == builder.work.stage()
        && work.reported() == builder.work.reported()
        && Objects.equals(calibrate, builder.calibrate);
  }

  @Override
  public int hashCode() {
    return Objects.hash(
        super.hashCode(), field, side, work.options(), work.stage(), work.reported(), calibrate);
  }

  /**
   * Bounds rescores by the timeout and the cancellation of their search, and has them scored where
   * the node wants it; one for each index.
   */
  public static SearchOperationListener searchListener(Scorers scorers, RescoreLimits limits) {
    return new SearchBounds.Listener(scorers, limits);
  }
}
