/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.ParseField;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.query.AbstractQueryBuilder;
import org.opensearch.index.query.QueryBuilder;

/** The body of a query {@code cross_modal} in a request. */
final class CrossModalQueryBody extends QueryBody {
  static final String QUERY_VECTOR = "query_vector";

  private static final List<String> SOURCES =
      List.of(
          QuerySource.QUERY_TEXT,
          QuerySource.QUERY_IMAGE,
          QuerySource.QUERY_ID,
          QUERY_VECTOR,
          Sides.LIKE);
  private static final ObjectParser<CrossModalQueryBody, Void> PARSER =
      new ObjectParser<>(CrossModalQueryBuilder.NAME, CrossModalQueryBody::new);

  static {
    declareOn(PARSER);
    PARSER.declareFloatArray((body, v) -> body.vector = v, new ParseField(QUERY_VECTOR));
    PARSER.declareInt((body, v) -> body.k = v, new ParseField("k"));
    PARSER.declareObject(
        (body, v) -> body.filter = v,
        (parser, context) -> AbstractQueryBuilder.parseInnerQueryBuilder(parser),
        new ParseField("filter"));
    PARSER.declareBoolean((body, v) -> body.calibrate = v, new ParseField(Calibrations.CALIBRATE));
    PARSER.declareInt((body, v) -> body.ef = v, new ParseField(Recall.EF));
    PARSER.declareFloat((body, v) -> body.oversample = v, new ParseField(Recall.OVERSAMPLE));
    PARSER.declareBoolean((body, v) -> body.exact = v, new ParseField(Recall.EXACT));
    PARSER.declareFloat((body, v) -> body.boost = v, AbstractQueryBuilder.BOOST_FIELD);
    PARSER.declareString((body, v) -> body.queryName = v, AbstractQueryBuilder.NAME_FIELD);
  }

  private List<Float> vector;
  private int k = CrossModalQueryBuilder.DEFAULT_K;
  private QueryBuilder filter;
  private Boolean calibrate;
  private Integer ef;
  private Float oversample;
  private boolean exact;
  private float boost = AbstractQueryBuilder.DEFAULT_BOOST;
  private String queryName;

  private CrossModalQueryBody() {
    super(CrossModalQueryBuilder.NAME);
  }

  /** Reads a request's body. */
  static CrossModalQueryBuilder parse(XContentParser parser) throws IOException {
    return parse(PARSER, parser, CrossModalQueryBody::build);
  }

  private CrossModalQueryBuilder build() {
    QuerySource source = source(vector == null ? List.of() : List.of(QUERY_VECTOR), SOURCES);
    return new CrossModalQueryBuilder(
            field(),
            source != null
                ? new QueryState.Typed<>(source)
                : CrossModalQueryBuilder.given(floats(vector)),
            k,
            filter,
            calibrate,
            new Recall(ef, oversample, exact))
        .boost(boost)
        .queryName(queryName);
  }

  private static float[] floats(List<Float> list) {
    float[] values = new float[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i);
    }
    return values;
  }
}
