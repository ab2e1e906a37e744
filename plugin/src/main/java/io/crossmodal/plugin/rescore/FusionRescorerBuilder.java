/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.action.EncodedQuery;
import io.crossmodal.plugin.action.EncodedQuery.Tokens;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.QueryState;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionRescoreContext.RescorePhase;
import io.crossmodal.plugin.rescore.FusionRescoreContext.Work;
import io.crossmodal.plugin.rescore.Selection.Outcome;
import io.crossmodal.plugin.scoring.Scorers;
import io.crossmodal.plugin.wire.ModelValues;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
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
 *   "min_p": 0.5, "group": "place", "diversity": 0.7, "calibrate": true|false}}
 * }</pre>
 *
 * The first of each list is the default. {@code on_failure} fails by default, for a search that
 * silently lacks its rescore would look like a bad model. Without {@code timeout} the node's own
 * limit holds. {@code calibrate} is the query's: of an image compared with images, whether p is the
 * probability that both show one place, by the model's calibration of MaxSim for the two sensors;
 * by default where the model has several sensors and all the calibrations.
 */
public final class FusionRescorerBuilder extends RescorerBuilder<FusionRescorerBuilder> {
  public static final String NAME = "fusion";

  private final String field;
  private final QueryState<Tokens> state;
  private final Work work;
  // Null where the model decides.
  private final Boolean calibrate;

  public FusionRescorerBuilder(String field, QuerySource source, FusionOptions options) {
    this(field, source, options, null);
  }

  /**
   * @param calibrate whether p of two images is a probability; null where the model decides
   */
  public FusionRescorerBuilder(
      String field, QuerySource source, FusionOptions options, Boolean calibrate) {
    this(
        Objects.requireNonNull(field, "field"),
        new QueryState.Typed<>(source),
        Work.of(options.check(), RescorePhase.SHARD, false),
        calibrate);
  }

  FusionRescorerBuilder(String field, QueryState<Tokens> state, Work work, Boolean calibrate) {
    this.field = field;
    this.state = state;
    this.work = work;
    this.calibrate = calibrate;
  }

  public FusionRescorerBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    field = in.readString();
    state = in.readBoolean() ? readEncoded(in) : new QueryState.Typed<>(QuerySource.read(in));
    Work sent = Work.of(new FusionOptions(in), in.readEnum(RescorePhase.class), in.readBoolean());
    calibrate = in.readOptionalBoolean();
    work = sent.with(in.readMap(StreamInput::readVInt, Outcome::new));
  }

  private static QueryState<Tokens> readEncoded(StreamInput in) throws IOException {
    Modality modality = in.readEnum(Modality.class);
    QuerySource.Label label = new QuerySource.Label(in);
    return new QueryState.Encoded<>(
        label,
        new Tokens(
            modality,
            in.readString(),
            in.readString(),
            ModelValues.readTokens(in),
            ModelValues.readWords(in),
            ModelValues.readCalibrations(in)));
  }

  private static void write(StreamOutput out, QueryState.Encoded<Tokens> encoded)
      throws IOException {
    Tokens tokens = encoded.half();
    out.writeEnum(tokens.modality());
    encoded.label().writeTo(out);
    out.writeString(tokens.model());
    out.writeString(tokens.space());
    ModelValues.writeTokens(out, tokens.block());
    ModelValues.writeWords(out, tokens.words());
    ModelValues.writeCalibrations(out, tokens.calibrations());
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    state.checkSendable(NAME);
    WireFormat.write(out);
    out.writeString(field);
    out.writeBoolean(state.encoded().isPresent());
    if (state.encoded().isPresent()) {
      write(out, state.encoded().get());
    } else {
      state.typed().orElseThrow().writeTo(out);
    }
    work.options().writeTo(out);
    out.writeEnum(work.phase());
    out.writeBoolean(work.reported());
    out.writeOptionalBoolean(calibrate);
    out.writeMap(work.outcomes(), StreamOutput::writeVInt, (to, outcome) -> outcome.writeTo(to));
  }

  /** Reads a request's body. */
  public static FusionRescorerBuilder fromXContent(XContentParser parser) throws IOException {
    return FusionRescorerBody.parse(parser);
  }

  @Override
  protected void doXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field("field", field);
    state.print(builder, params);
    work.options().toXContent(builder, params);
    if (calibrate != null) {
      builder.field(Calibrations.CALIBRATE, calibrate);
    }
    builder.endObject();
  }

  @Override
  public RescorerBuilder<FusionRescorerBuilder> rewrite(QueryRewriteContext context) {
    if (state instanceof QueryState.Typed<Tokens>) {
      RescoredSearch.check(context, work);
    }
    QueryState<Tokens> next = state.rewrite(context, field, this::calibrated);
    return next == state ? this : copy(next, work);
  }

  /** Returns the tokens with the calibrations that its hits are scored by. */
  private Tokens calibrated(String key, EncodedQuery encoded) {
    Tokens tokens = encoded.tokens();
    if (tokens.block() == null) {
      throw new IllegalArgumentException(
          "[query_id]: the document stores no tokens to rescore with, its field's mapping says"
              + " [tokens: none]");
    }
    return tokens.with(
        Calibrations.choose(
            calibrate,
            tokens.calibrations(),
            key,
            "model ["
                + tokens.model()
                + "] has none of MaxSim for this query, or tokens are pooled"));
  }

  private FusionRescorerBuilder with(Work changed) {
    return copy(state, changed);
  }

  private FusionRescorerBuilder copy(QueryState<Tokens> newState, Work newWork) {
    FusionRescorerBuilder copy = new FusionRescorerBuilder(field, newState, newWork, calibrate);
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

  /** Returns a copy whose shards report what they did. */
  public FusionRescorerBuilder reported() {
    return with(new Work(work.options(), work.phase(), true, work.refused(), work.outcomes()));
  }

  /**
   * Returns a copy for a shard that keeps the first pass and says why.
   *
   * @param why it must not rescore
   */
  FusionRescorerBuilder refused(RescoreAdmission.Refusal why) {
    return with(new Work(work.options(), work.phase(), work.reported(), why, work.outcomes()));
  }

  /**
   * Returns a copy for the fetch of hits that the coordinating node selected.
   *
   * @param outcomes what they became, by top-level document ids
   */
  public FusionRescorerBuilder selected(Map<Integer, Outcome> outcomes) {
    return with(work.with(outcomes));
  }

  /**
   * Returns a copy whose shards leave the choice of the rescored hits to the coordinating node.
   *
   * @param window hits that each shard offers
   */
  public FusionRescorerBuilder deferred(int window) {
    return with(work.with(work.options(), RescorePhase.DEFERRED)).windowSize(window);
  }

  /** Returns whether the coordinating node chooses the hits. */
  public boolean isDeferred() {
    return work.phase() == RescorePhase.DEFERRED;
  }

  /**
   * Returns a copy for hits that the coordinating node chose: gives each its fusion score p, not
   * yet combined with the first pass.
   *
   * @param window how many
   */
  public FusionRescorerBuilder forScoring(int window) {
    FusionOptions options = work.options();
    FusionOptions alone =
        new FusionOptions(
            new ScoreCombiner(FusionScoreMode.TOTAL, 0, 1),
            options.missing(),
            options.onFailure(),
            options.timeout(),
            0,
            options.selection().traits());
    return with(work.with(alone, RescorePhase.CHOSEN)).windowSize(window);
  }

  /**
   * Returns a copy for hits that the coordinating node chose: gives each the pre-ranker's logit,
   * and negative infinity where it has no tokens and {@code missing} is {@code score_zero}.
   *
   * @param window how many
   */
  public FusionRescorerBuilder forPreRanking(int window) {
    return with(work.with(work.options(), RescorePhase.PRE_RANK)).windowSize(window);
  }

  /** Returns the field as the request names it. */
  public String field() {
    return field;
  }

  /** Returns its options. */
  public FusionOptions options() {
    return work.options();
  }

  /** Returns the id of the model that encoded the query; empty before the rewrite. */
  Optional<String> modelIfKnown() {
    return state.encoded().map(encoded -> encoded.half().model());
  }

  /**
   * Returns the id of the model that encoded the query.
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
    QueryState.Encoded<Tokens> query =
        state
            .encoded()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "[" + NAME + "] cannot encode its query here: it must be rewritten first"));
    MappedFieldType type = context.fieldMapper(field);
    if (type != null && !(type instanceof CrossModalFieldType)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] must be of type [%s], its type is [%s]",
              field,
              CrossModalFieldMapper.TYPE,
              type.typeName()));
    }
    TraitReader traits =
        new TraitReader(context, (CrossModalFieldType) type, work.options().selection());
    // Null where the coordinating node found the field in another of the searched indices.
    return new FusionRescoreContext(
        windowSize, field, (CrossModalFieldType) type, query, work, traits);
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
        && state.equals(builder.state)
        && work.options().equals(builder.work.options())
        && work.phase() == builder.work.phase()
        && work.reported() == builder.work.reported()
        && work.outcomes().equals(builder.work.outcomes())
        && Objects.equals(calibrate, builder.calibrate);
  }

  @Override
  public int hashCode() {
    return Objects.hash(
        super.hashCode(),
        field,
        state,
        work.options(),
        work.phase(),
        work.reported(),
        work.outcomes(),
        calibrate);
  }

  /**
   * Bounds rescores by the timeout and the cancellation of their search, and has them scored where
   * the node wants it; one for each index.
   */
  public static SearchOperationListener searchListener(Scorers scorers, RescoreLimits limits) {
    return new ShardSearch.Listener(scorers, limits);
  }
}
