/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.TokenStorage;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.EncodedQuery;
import io.crossmodal.plugin.query.QueryEncoder;
import io.crossmodal.plugin.query.QuerySide;
import io.crossmodal.plugin.query.QuerySideBody;
import io.crossmodal.plugin.scoring.Scorers;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import org.apache.lucene.util.SetOnce;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.ObjectParser;
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

  private static final List<String> SIDES = List.of("query_text", "query_image", "query_id");

  private final String field;
  private final QuerySide side;
  private final EncodedSide encoded;
  private final FusionOptions options;
  private final RescoreStage stage;
  private final boolean reported;

  // Why the shard must not rescore, which is said on its own node; null where it may.
  private final RescoreAdmission.Refusal refused;

  // Null for what the model can do.
  private final Boolean calibrate;

  // Set while the encoding is under way; a rewrite of this very builder finds it there.
  private final SetOnce<EncodedQuery> pending;

  /** What a request's body says. */
  private static final class Body extends QuerySideBody {
    private static final ObjectParser<Body, Void> PARSER = new ObjectParser<>(NAME, Body::new);

    static {
      declareOn(PARSER);
      PARSER.declareString(
          (body, v) -> body.mode = constant(FusionScoreMode.class, "score_mode", v),
          new ParseField("score_mode"));
      PARSER.declareFloat((body, v) -> body.queryWeight = v, new ParseField("query_weight"));
      PARSER.declareFloat(
          (body, v) -> body.rescoreQueryWeight = v, new ParseField("rescore_query_weight"));
      PARSER.declareString(
          (body, v) -> body.missing = constant(MissingPolicy.class, "missing", v),
          new ParseField("missing"));
      PARSER.declareString(
          (body, v) -> body.onFailure = constant(FailurePolicy.class, "on_failure", v),
          new ParseField("on_failure"));
      PARSER.declareString(
          (body, v) -> body.timeout = TimeValue.parseTimeValue(v, "timeout"),
          new ParseField("timeout"));
      PARSER.declareInt((body, v) -> body.filterSize = v, new ParseField("filter_size"));
      PARSER.declareBoolean(
          (body, v) -> body.calibrate = v, new ParseField(Calibrations.CALIBRATE));
    }

    private FusionScoreMode mode = FusionOptions.DEFAULT.combiner().mode();
    private float queryWeight = FusionOptions.DEFAULT.combiner().queryWeight();
    private float rescoreQueryWeight = FusionOptions.DEFAULT.combiner().rescoreQueryWeight();
    private MissingPolicy missing = FusionOptions.DEFAULT.missing();
    private FailurePolicy onFailure = FusionOptions.DEFAULT.onFailure();
    private TimeValue timeout;
    private int filterSize;
    private Boolean calibrate;

    private Body() {
      super(NAME);
    }

    private FusionRescorerBuilder build() {
      return new FusionRescorerBuilder(
          field(),
          side(List.of(), SIDES),
          new FusionOptions(
              new ScoreCombiner(mode, queryWeight, rescoreQueryWeight),
              missing,
              onFailure,
              timeout,
              filterSize),
          calibrate);
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
        field,
        Objects.requireNonNull(side, "side"),
        null,
        options,
        RescoreStage.SHARD,
        false,
        null,
        calibrate,
        null);
  }

  private FusionRescorerBuilder(
      String field,
      QuerySide side,
      EncodedSide encoded,
      FusionOptions options,
      RescoreStage stage,
      boolean reported,
      RescoreAdmission.Refusal refused,
      Boolean calibrate,
      SetOnce<EncodedQuery> pending) {
    this.field = Objects.requireNonNull(field, "field");
    this.side = side;
    this.encoded = encoded;
    this.options = Objects.requireNonNull(options, "options");
    this.stage = stage;
    this.reported = reported;
    this.refused = refused;
    this.calibrate = calibrate;
    this.pending = pending;
  }

  public FusionRescorerBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    field = in.readString();
    side = in.readOptionalWriteable(QuerySide::new);
    encoded = in.readOptionalWriteable(EncodedSide::new);
    options = new FusionOptions(in);
    stage = in.readEnum(RescoreStage.class);
    reported = in.readBoolean();
    refused = null;
    calibrate = in.readOptionalBoolean();
    pending = null;
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    if (pending != null) {
      throw new IllegalStateException("[" + NAME + "] is sent while its encoding is under way");
    }
    WireFormat.write(out);
    out.writeString(field);
    out.writeOptionalWriteable(side);
    out.writeOptionalWriteable(encoded);
    options.writeTo(out);
    out.writeEnum(stage);
    out.writeBoolean(reported);
    out.writeOptionalBoolean(calibrate);
  }

  /** Reads a request's body. */
  public static FusionRescorerBuilder fromXContent(XContentParser parser) throws IOException {
    Body body = Body.PARSER.parse(parser, null);
    try {
      return body.build();
    } catch (IllegalArgumentException e) {
      throw new ParsingException(parser.getTokenLocation(), e.getMessage(), e);
    }
  }

  @Override
  protected void doXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field("field", field);
    if (side != null) {
      side.toXContent(builder, params);
    } else if (encoded != null) {
      encoded.asked().toXContent(builder, params);
    }
    options.toXContent(builder, params);
    if (calibrate != null) {
      builder.field(Calibrations.CALIBRATE, calibrate);
    }
    builder.endObject();
  }

  @Override
  public RescorerBuilder<FusionRescorerBuilder> rewrite(QueryRewriteContext context) {
    if (pending != null) {
      EncodedQuery result = pending.get();
      return result == null
          ? this
          : copy(
              null,
              new EncodedSide(
                  result.modality(),
                  side.asked(),
                  result.model(),
                  result.tokenSpace(),
                  tokens(result),
                  result.words(),
                  Calibrations.choose(
                      calibrate,
                      result.maxSimCalibrations(),
                      side.key(),
                      "model ["
                          + result.model()
                          + "] has none of MaxSim for this query, or tokens are pooled")),
              null);
    }
    if (side != null && context.convertToShardContext() == null) {
      RescoredSearch.check(context, stage);
      SetOnce<EncodedQuery> started = new SetOnce<>();
      QueryEncoder.encode(context, field, side, started::set);
      return copy(side, null, started);
    }
    return this;
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

  private FusionRescorerBuilder copy(
      QuerySide newSide, EncodedSide newEncoded, SetOnce<EncodedQuery> newPending) {
    return copy(newSide, newEncoded, options, stage, reported, newPending);
  }

  private FusionRescorerBuilder copy(
      QuerySide newSide,
      EncodedSide newEncoded,
      FusionOptions newOptions,
      RescoreStage newStage,
      boolean newReported,
      SetOnce<EncodedQuery> newPending) {
    FusionRescorerBuilder copy =
        new FusionRescorerBuilder(
            field,
            newSide,
            newEncoded,
            newOptions,
            newStage,
            newReported,
            refused,
            calibrate,
            newPending);
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
    return copy(side, encoded, options, stage, true, pending);
  }

  /**
   * The same, of a shard that keeps the first pass and says why.
   *
   * @param why it must not rescore
   */
  FusionRescorerBuilder refused(RescoreAdmission.Refusal why) {
    FusionRescorerBuilder copy =
        new FusionRescorerBuilder(
            field, side, encoded, options, stage, reported, why, calibrate, pending);
    copy.windowSize = windowSize;
    return copy;
  }

  /**
   * The same, whose shards leave it to the coordinating node which of their hits are rescored.
   *
   * @param window hits that each shard offers
   */
  public FusionRescorerBuilder deferred(int window) {
    return copy(side, encoded, options, RescoreStage.DEFERRED, reported, pending)
        .windowSize(window);
  }

  /** Whether the coordinating node chooses the hits. */
  public boolean isDeferred() {
    return stage == RescoreStage.DEFERRED;
  }

  /**
   * For hits that the coordinating node chose: gives each its fusion score p, and not what combines
   * it with the first pass.
   *
   * @param window how many
   */
  public FusionRescorerBuilder ofChosen(int window) {
    FusionOptions alone =
        new FusionOptions(
            new ScoreCombiner(FusionScoreMode.TOTAL, 0, 1),
            options.missing(),
            options.onFailure(),
            options.timeout(),
            0);
    return copy(side, encoded, alone, RescoreStage.SHARD, reported, pending).windowSize(window);
  }

  /**
   * For hits that the coordinating node chose: gives each the MLP filter's logit, and negative
   * infinity where it has no tokens and {@code missing} is {@code score_zero}.
   *
   * @param window how many
   */
  public FusionRescorerBuilder filterOfChosen(int window) {
    return copy(side, encoded, options, RescoreStage.FILTER, reported, pending).windowSize(window);
  }

  /** The field as the request names it. */
  public String field() {
    return field;
  }

  /** How it behaves. */
  public FusionOptions options() {
    return options;
  }

  /** Id of the model that encoded the query; empty before the rewrite. */
  Optional<String> modelIfKnown() {
    return encoded == null ? Optional.empty() : Optional.of(encoded.model());
  }

  /**
   * Id of the model that encoded the query.
   *
   * @throws IllegalStateException before the rewrite
   */
  public String model() {
    if (encoded == null) {
      throw new IllegalStateException("[" + NAME + "] has not been rewritten yet");
    }
    return encoded.model();
  }

  @Override
  protected RescoreContext innerBuildContext(int windowSize, QueryShardContext context) {
    // A model may be replaced while a cached answer lives.
    context.setIsCacheable(false);
    if (encoded == null) {
      throw new IllegalArgumentException(
          "[" + NAME + "] cannot encode [" + side.key() + "] here: it must be rewritten first");
    }
    MappedFieldType type = context.fieldMapper(field);
    if (type == null) {
      // The coordinating node found the field in another of the searched indices.
      return new FusionRescoreContext(
          windowSize, field, null, null, options, stage, reported, refused);
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
    check(crossModal.definition());
    return new FusionRescoreContext(
        windowSize, field, crossModal, encoded, options, stage, reported, refused);
  }

  private void check(FieldDefinition definition) {
    if (definition.tokens() == TokenStorage.NONE) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] stores no tokens to rescore with: its mapping says [tokens: none]",
              field));
    }
    if (encoded.modality() == Modality.TEXT && definition.modality() == Modality.TEXT) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] fuses a text with an image, or compares images: [%s] does not go with field"
                  + " [%s] of modality [%s]",
              NAME,
              encoded.asked().key(),
              field,
              definition.modality().key()));
    }
    if (encoded.modality() == definition.modality() && options.filterSize() > 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[filter_size] must be 0, got [%d]: [%s] is an image that is compared with images,"
                  + " the MLP filter takes a text with an image",
              options.filterSize(),
              encoded.asked().key()));
    }
    // Refuses a model that is gone, or has other spaces than the field.
    definition.model();
    String tokenSpace = definition.spaces().tokens();
    if (!tokenSpace.equals(encoded.tokenSpace())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the query was encoded by [%s] in the token space [%s], but the model [%s] of field"
                  + " [%s] has [%s]",
              encoded.model(),
              encoded.tokenSpace(),
              definition.modelId(),
              field,
              tokenSpace));
    }
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
        && Objects.equals(side, builder.side)
        && Objects.equals(encoded, builder.encoded)
        && options.equals(builder.options)
        && stage == builder.stage
        && reported == builder.reported
        && Objects.equals(calibrate, builder.calibrate);
  }

  @Override
  public int hashCode() {
    return Objects.hash(
        super.hashCode(), field, side, encoded, options, stage, reported, calibrate);
  }

  private static <E extends Enum<E>> E constant(Class<E> type, String name, String value) {
    for (E constant : type.getEnumConstants()) {
      if (FusionOptions.key(constant).equals(value)) {
        return constant;
      }
    }
    throw new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "[%s] must be one of %s, got [%s]",
            name,
            Arrays.stream(type.getEnumConstants()).map(FusionOptions::key).toList(),
            value));
  }

  /**
   * Bounds rescores by the timeout and the cancellation of their search, and has them scored where
   * the node wants it; one for each index.
   */
  public static SearchOperationListener searchListener(Scorers scorers, RescoreLimits limits) {
    return new SearchBounds.Listener(scorers, limits);
  }
}
