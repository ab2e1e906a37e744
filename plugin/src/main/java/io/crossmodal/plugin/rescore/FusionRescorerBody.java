/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.QueryBody;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.opensearch.common.logging.HeaderWarning;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.ParseField;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/** Fields of a request's body for a {@link FusionRescorerBuilder}. */
final class FusionRescorerBody extends QueryBody {
  private static final List<String> SOURCES =
      List.of("query_text", "query_image", "query_id", "like");

  private static final ObjectParser<FusionRescorerBody, Void> PARSER =
      new ObjectParser<>(FusionRescorerBuilder.NAME, FusionRescorerBody::new);

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
    PARSER.declareFloat((body, v) -> body.minP = v, new ParseField(Selection.MIN_P));
    PARSER.declareString((body, v) -> body.group = v, new ParseField(Selection.GROUP));
    PARSER.declareFloat((body, v) -> body.diversity = v, new ParseField(Selection.DIVERSITY));
    PARSER.declareBoolean((body, v) -> body.calibrate = v, new ParseField(Calibrations.CALIBRATE));
  }

  private FusionScoreMode mode = FusionOptions.DEFAULT.combiner().mode();
  private float queryWeight = FusionOptions.DEFAULT.combiner().queryWeight();
  private float rescoreQueryWeight = FusionOptions.DEFAULT.combiner().rescoreQueryWeight();
  private MissingPolicy missing = FusionOptions.DEFAULT.missing();
  private FailurePolicy onFailure = FusionOptions.DEFAULT.onFailure();
  private TimeValue timeout;
  private int filterSize;
  private float minP;
  private String group;
  private Float diversity;
  private Boolean calibrate;

  private FusionRescorerBody() {
    super(FusionRescorerBuilder.NAME);
  }

  private FusionRescorerBuilder build() {
    return new FusionRescorerBuilder(
        field(),
        read(source(List.of(), SOURCES)),
        new FusionOptions(
            new ScoreCombiner(mode, queryWeight, rescoreQueryWeight),
            missing,
            onFailure,
            timeout,
            filterSize,
            new Selection(minP, group, diversity)),
        calibrate);
  }

  /**
   * Returns what the fusion encoder reads: of several sides one, for it reads one text or picture
   * against each hit. Says so where there is more.
   */
  private static QuerySource read(QuerySource source) {
    if (!(source instanceof Sides sides)) {
      return source;
    }
    QuerySource read = sides.read();
    if (sides.placed().size() > 1) {
      HeaderWarning.addWarning(
          "[{}] reads one side, here the {} [{}]; the other sides have no part in p",
          FusionRescorerBuilder.NAME,
          Sides.part(read),
          Messages.excerpt(read.label().value()));
    }
    return read;
  }

  /** Reads a request's body. */
  static FusionRescorerBuilder parse(XContentParser parser) throws IOException {
    return parse(PARSER, parser, FusionRescorerBody::build);
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
}
