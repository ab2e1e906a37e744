/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.Messages;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.VectorEncoding;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.queries.function.FunctionScoreQuery;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.RescoreTopNQuery;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.SetOnce;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.MapperService;
import org.opensearch.index.query.AbstractQueryBuilder;
import org.opensearch.index.query.InnerHitContextBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilderVisitor;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.index.query.QueryShardContext;

/**
 * The query {@code cross_modal}: the k documents of each shard whose filter embeddings are nearest
 * to the query's.
 *
 * <pre>{@code
 * {"cross_modal": {"field": "image", "query_text": "six tanks beside a pond", "k": 500,
 *                  "filter": {"range": {"acquired": {"gte": "2024"}}}}}
 * }</pre>
 *
 * The query side is exactly one of {@code query_text}, {@code query_image} (with {@code sensor}),
 * {@code query_id} (a document's own field, with {@code index}, {@code routing} and {@code
 * query_field}) and {@code query_vector}. A hit scores (1 + cosine) / 2, times the boost. The
 * filter is applied inside the search: k hits pass it, if there are so many.
 *
 * <p>With {@code "calibrate": true} an image finds the k nearest of each sensor, and a hit scores
 * the probability that both show one place, by the model's calibration of the two sensors. It is
 * the default where the field's model has several sensors and all the calibrations.
 */
public final class CrossModalQueryBuilder extends AbstractQueryBuilder<CrossModalQueryBuilder> {
  public static final String NAME = "cross_modal";

  /** Hits per shard unless the request says otherwise: as many as a search returns by default. */
  public static final int DEFAULT_K = 10;

  /** Most hits per shard: as many as a search may page through by default. */
  public static final int MAX_K = 10_000;

  // Each level is an encoding and a search; nobody needs many.
  private static final int MAX_DEPTH = 10;

  static final String QUERY_VECTOR = "query_vector";
  private static final List<String> SIDES =
      List.of(QuerySide.QUERY_TEXT, QuerySide.QUERY_IMAGE, QuerySide.QUERY_ID, QUERY_VECTOR);

  private final String field;
  private final QuerySide side;
  // What the vector was encoded from; null for a vector that the request brought.
  private final Asked asked;
  private final float[] vector;
  private final String filterSpace;
  private final int k;
  private final QueryBuilder filter;
  private final int depth;
  // Null for what the model can do.
  private final Boolean calibrate;
  private final List<SensorCalibration> calibrations;

  // Set while the encoding is under way; a rewrite of this very builder finds it there.
  private final SetOnce<EncodedQuery> encoded;

  /** What a request's body says. */
  private static final class Body extends QuerySideBody {
    private static final ObjectParser<Body, Void> PARSER = new ObjectParser<>(NAME, Body::new);

    static {
      declareOn(PARSER);
      PARSER.declareFloatArray((body, v) -> body.vector = v, new ParseField(QUERY_VECTOR));
      PARSER.declareInt((body, v) -> body.k = v, new ParseField("k"));
      PARSER.declareObject(
          (body, v) -> body.filter = v,
          (parser, context) -> parseInnerQueryBuilder(parser),
          new ParseField("filter"));
      PARSER.declareBoolean(
          (body, v) -> body.calibrate = v, new ParseField(Calibrations.CALIBRATE));
      PARSER.declareFloat((body, v) -> body.boost = v, BOOST_FIELD);
      PARSER.declareString((body, v) -> body.queryName = v, NAME_FIELD);
    }

    private List<Float> vector;
    private int k = DEFAULT_K;
    private QueryBuilder filter;
    private Boolean calibrate;
    private float boost = DEFAULT_BOOST;
    private String queryName;

    private Body() {
      super(NAME);
    }

    private CrossModalQueryBuilder build() {
      QuerySide side = side(vector == null ? List.of() : List.of(QUERY_VECTOR), SIDES);
      float[] values = null;
      if (side == null) {
        values = new float[vector.size()];
        for (int i = 0; i < values.length; i++) {
          values[i] = vector.get(i);
        }
        values = Embeddings.unit(QUERY_VECTOR, values, values.length);
      }
      return new CrossModalQueryBuilder(
              field(), side, null, values, null, k, filter, calibrate, List.of(), null)
          .boost(boost)
          .queryName(queryName);
    }
  }

  /**
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   */
  public CrossModalQueryBuilder(String field, QuerySide side, int k, QueryBuilder filter) {
    this(field, side, k, filter, null);
  }

  /**
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   * @param calibrate whether hits score probabilities; null where the model decides
   */
  public CrossModalQueryBuilder(
      String field, QuerySide side, int k, QueryBuilder filter, Boolean calibrate) {
    this(
        field,
        Objects.requireNonNull(side, "side"),
        null,
        null,
        null,
        k,
        filter,
        calibrate,
        List.of(),
        null);
  }

  /**
   * @param vector D values of the field's model, neither zero nor infinite; scaled to unit length
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   */
  public CrossModalQueryBuilder(String field, float[] vector, int k, QueryBuilder filter) {
    this(
        field,
        null,
        null,
        Embeddings.unit(QUERY_VECTOR, vector, vector.length),
        null,
        k,
        filter,
        null,
        List.of(),
        null);
  }

  private CrossModalQueryBuilder(
      String field,
      QuerySide side,
      Asked asked,
      float[] vector,
      String filterSpace,
      int k,
      QueryBuilder filter,
      Boolean calibrate,
      List<SensorCalibration> calibrations,
      SetOnce<EncodedQuery> encoded) {
    if (k < 1 || k > MAX_K) {
      throw new IllegalArgumentException("[k] must be from 1 to " + MAX_K + ", got [" + k + "]");
    }
    this.depth = filter == null ? 1 : 1 + depth(filter);
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException(
          "[filter] of ["
              + NAME
              + "] has ["
              + NAME
              + "] in ["
              + NAME
              + "], more than "
              + MAX_DEPTH
              + " deep: each is a search of its own");
    }
    this.field = Objects.requireNonNull(field, "field");
    this.side = side;
    this.asked = asked;
    this.vector = vector;
    this.filterSpace = filterSpace;
    this.k = k;
    this.filter = filter;
    if (Boolean.TRUE.equals(calibrate) && side == null && calibrations.isEmpty()) {
      throw Calibrations.missing(QUERY_VECTOR, "a vector has no sensor");
    }
    this.calibrate = calibrate;
    this.calibrations = calibrations;
    this.encoded = encoded;
  }

  public CrossModalQueryBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    field = in.readString();
    side = in.readOptionalWriteable(QuerySide::new);
    asked = in.readOptionalWriteable(Asked::new);
    vector = side == null ? in.readFloatArray() : null;
    filterSpace = in.readOptionalString();
    k = in.readVInt();
    filter = in.readOptionalNamedWriteable(QueryBuilder.class);
    depth = filter == null ? 1 : 1 + depth(filter);
    calibrate = in.readOptionalBoolean();
    calibrations = Calibrations.read(in);
    encoded = null;
  }

  /** How many queries of this type stand in one another in a filter. */
  private static int depth(QueryBuilder filter) {
    int[] deepest = new int[1];
    filter.visit(
        new QueryBuilderVisitor() {
          @Override
          public void accept(QueryBuilder query) {
            if (query instanceof CrossModalQueryBuilder nested) {
              deepest[0] = Math.max(deepest[0], nested.depth);
            }
          }

          @Override
          public QueryBuilderVisitor getChildVisitor(BooleanClause.Occur occur) {
            return this;
          }
        });
    return deepest[0];
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    if (encoded != null) {
      throw new IllegalStateException("[" + NAME + "] is sent while its encoding is under way");
    }
    WireFormat.write(out);
    out.writeString(field);
    out.writeOptionalWriteable(side);
    out.writeOptionalWriteable(asked);
    if (side == null) {
      out.writeFloatArray(vector);
    }
    out.writeOptionalString(filterSpace);
    out.writeVInt(k);
    out.writeOptionalNamedWriteable(filter);
    out.writeOptionalBoolean(calibrate);
    Calibrations.write(out, calibrations);
  }

  /** Reads a request's body. */
  public static CrossModalQueryBuilder fromXContent(XContentParser parser) throws IOException {
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
    } else if (asked != null) {
      asked.toXContent(builder, params);
    } else {
      builder.array(QUERY_VECTOR, vector);
    }
    builder.field("k", k);
    if (filter != null) {
      builder.field("filter", filter);
    }
    if (calibrate != null) {
      builder.field(Calibrations.CALIBRATE, calibrate);
    }
    printBoostAndQueryName(builder);
    builder.endObject();
  }

  @Override
  protected QueryBuilder doRewrite(QueryRewriteContext context) throws IOException {
    // In the round of the encoding: what stands in the filter is encoded beside it, and a query
    // in a filter in a filter takes no more rounds than one.
    QueryBuilder within = filter == null ? null : filter.rewrite(context);
    EncodedQuery result = encoded == null ? null : encoded.get();
    if (result != null) {
      return copy(
          null,
          side.asked(),
          result.embedding(),
          result.filterSpace(),
          within,
          Calibrations.choose(
              calibrate,
              result.calibrations(),
              side.key(),
              "model [" + result.model() + "] has no calibrations for this query"),
          null);
    }
    if (side != null && encoded == null && context.convertToShardContext() == null) {
      SetOnce<EncodedQuery> pending = new SetOnce<>();
      QueryEncoder.encode(context, field, side, pending::set);
      return copy(side, null, null, null, within, calibrations, pending);
    }
    return within == filter
        ? this
        : copy(side, asked, vector, filterSpace, within, calibrations, encoded);
  }

  private CrossModalQueryBuilder copy(
      QuerySide newSide,
      Asked newAsked,
      float[] newVector,
      String newFilterSpace,
      QueryBuilder newFilter,
      List<SensorCalibration> newCalibrations,
      SetOnce<EncodedQuery> newEncoded) {
    return new CrossModalQueryBuilder(
            field,
            newSide,
            newAsked,
            newVector,
            newFilterSpace,
            k,
            newFilter,
            calibrate,
            newCalibrations,
            newEncoded)
        .boost(boost())
        .queryName(queryName());
  }

  @Override
  protected Query doToQuery(QueryShardContext context) throws IOException {
    if (context.getIndexReader() == null && isPercolator(context.getMapperService())) {
      throw NearestDocsQuery.notIndexed();
    }
    if (vector == null) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] cannot encode [%s] here, as in the filter of an alias: give a [%s]",
              NAME,
              side.key(),
              QUERY_VECTOR));
    }
    MappedFieldType type = context.fieldMapper(field);
    if (type == null && filterSpace != null) {
      // The coordinating node found the field in another of the searched indices.
      return new MatchNoDocsQuery("no field [" + field + "] in this index");
    }
    if (!(type instanceof CrossModalFieldType crossModal)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] must be of type [%s], %s",
              Messages.excerpt(field),
              NAME,
              type == null ? "there is no such field" : "its type is [" + type.typeName() + "]"));
    }
    FieldDefinition definition = crossModal.definition();
    if (filterSpace != null && !filterSpace.equals(definition.spaces().filter())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the query was encoded in the filter space [%s], but field [%s] of model [%s] has"
                  + " [%s]",
              filterSpace,
              field,
              definition.modelId(),
              definition.spaces().filter()));
    }
    float[] target = Embeddings.unit(QUERY_VECTOR, vector, definition.spaces().dimension());
    Query within = filter == null ? null : filter.toQuery(context);
    return new NearestDocsQuery(
        calibrations.isEmpty()
            ? nearest(crossModal, target, within)
            : calibrated(crossModal, target, within));
  }

  /** Whether an index keeps queries: one that is read without an index is one of them. */
  private static boolean isPercolator(MapperService mappers) {
    for (MappedFieldType type : mappers.fieldTypes()) {
      if (type.typeName().equals("percolator")) {
        return true;
      }
    }
    return false;
  }

  /** The k nearest of each sensor: those of the nearest sensor alone would be no fair list. */
  private Query calibrated(CrossModalFieldType type, float[] target, Query within) {
    BooleanQuery.Builder any = new BooleanQuery.Builder();
    for (SensorCalibration calibration : calibrations) {
      Query own = within;
      if (calibrations.size() > 1) {
        Query ofSensor =
            SortedDocValuesField.newSlowExactQuery(
                CrossModalFieldType.sensorField(type.name()), new BytesRef(calibration.archive()));
        own =
            within == null
                ? ofSensor
                : new BooleanQuery.Builder()
                    .add(within, BooleanClause.Occur.FILTER)
                    .add(ofSensor, BooleanClause.Occur.FILTER)
                    .build();
      }
      any.add(
          new FunctionScoreQuery(nearest(type, target, own), new CalibratedScore(calibration)),
          BooleanClause.Occur.SHOULD);
    }
    return any.build();
  }

  private Query nearest(CrossModalFieldType type, float[] target, Query within) {
    VectorEncoding encoding = type.hnsw().encoding();
    if (!encoding.quantised()) {
      return new VisibleKnnQuery(type.name(), target, k, within);
    }
    return RescoreTopNQuery.createFullPrecisionRescorerQuery(
        new VisibleKnnQuery(type.name(), target, k * encoding.oversampling(), within),
        target,
        type.name(),
        k);
  }

  @Override
  protected void extractInnerHitBuilders(Map<String, InnerHitContextBuilder> innerHits) {
    if (filter != null) {
      InnerHitContextBuilder.extractInnerHits(filter, innerHits);
    }
  }

  @Override
  public void visit(QueryBuilderVisitor visitor) {
    visitor.accept(this);
    if (filter != null) {
      filter.visit(visitor.getChildVisitor(BooleanClause.Occur.FILTER));
    }
  }

  @Override
  protected boolean doEquals(CrossModalQueryBuilder other) {
    return field.equals(other.field)
        && Objects.equals(side, other.side)
        && Objects.equals(asked, other.asked)
        && Arrays.equals(vector, other.vector)
        && Objects.equals(filterSpace, other.filterSpace)
        && k == other.k
        && Objects.equals(filter, other.filter)
        && Objects.equals(calibrate, other.calibrate)
        && calibrations.equals(other.calibrations);
  }

  @Override
  protected int doHashCode() {
    return Objects.hash(
        field,
        side,
        asked,
        Arrays.hashCode(vector),
        filterSpace,
        k,
        filter,
        calibrate,
        calibrations);
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }
}
