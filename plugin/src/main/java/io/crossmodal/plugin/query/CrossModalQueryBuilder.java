/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.Messages;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.action.EncodedQuery;
import io.crossmodal.plugin.action.EncodedQuery.Embedding;
import io.crossmodal.plugin.action.EncodedQuery.Part;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.wire.ModelValues;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.query.AbstractQueryBuilder;
import org.opensearch.index.query.InnerHitContextBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilderVisitor;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.index.query.QueryShardContext;

/**
 * The query {@code cross_modal}: the k documents of each shard whose embeddings are nearest to the
 * query's.
 *
 * <pre>{@code
 * {"cross_modal": {"field": "image", "query_text": "six tanks beside a pond", "k": 500,
 *                  "filter": {"range": {"acquired": {"gte": "2024"}}}}}
 * }</pre>
 *
 * The source is exactly one of {@code query_text}, {@code query_image} (with {@code sensor}),
 * {@code query_id} (a document's own field, with {@code index}, {@code routing} and {@code
 * query_field}), {@code query_vector}, and {@code like} (with {@code unlike}), which adds up
 * several of the first three, each with a weight: {@link Sides}. A hit scores (1 + cosine) / 2,
 * times the boost. The filter is applied inside the search: k hits pass it, if there are so many.
 *
 * <p>With {@code "calibrate": true} an image finds the k nearest of each sensor, and a hit scores
 * the probability that both show one place, by the model's calibration of the two sensors. It is
 * the default where the field's model has several sensors and all the calibrations. {@code ef},
 * {@code oversample} and {@code exact} are {@link Recall}'s.
 */
public final class CrossModalQueryBuilder extends AbstractQueryBuilder<CrossModalQueryBuilder> {
  public static final String NAME = "cross_modal";

  /** Hits per shard unless the request says otherwise: as many as a search returns by default. */
  public static final int DEFAULT_K = 10;

  /** Most hits per shard: as many as a search may page through by default. */
  public static final int MAX_K = 10_000;

  // Each level costs an encoding and a search.
  private static final int MAX_DEPTH = 10;

  private final String field;
  private final QueryState<Embedding> state;
  private final int k;
  private final QueryBuilder filter;
  private final int depth;
  // Null where the model decides.
  private final Boolean calibrate;
  private final Recall recall;

  /**
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   */
  public CrossModalQueryBuilder(String field, QuerySource source, int k, QueryBuilder filter) {
    this(field, source, k, filter, null);
  }

  /**
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   * @param calibrate whether hits score probabilities; null where the model decides
   */
  public CrossModalQueryBuilder(
      String field, QuerySource source, int k, QueryBuilder filter, Boolean calibrate) {
    this(field, new QueryState.Typed<>(source), k, filter, calibrate, Recall.DEFAULT);
  }

  /**
   * @param vector D values of the field's model, neither zero nor infinite; scaled to unit length
   * @param k from 1 to {@link #MAX_K}
   * @param filter null for none
   */
  public CrossModalQueryBuilder(String field, float[] vector, int k, QueryBuilder filter) {
    this(field, given(vector), k, filter, null, Recall.DEFAULT);
  }

  CrossModalQueryBuilder(
      String field,
      QueryState<Embedding> state,
      int k,
      QueryBuilder filter,
      Boolean calibrate,
      Recall recall) {
    if (k < 1 || k > MAX_K) {
      throw new IllegalArgumentException("[k] must be from 1 to " + MAX_K + ", got [" + k + "]");
    }
    this.depth = depth(filter);
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
    if (Boolean.TRUE.equals(calibrate)
        && state.encoded().filter(encoded -> encoded.half().calibrations().isEmpty()).isPresent()) {
      throw Calibrations.missing(CrossModalQueryBody.QUERY_VECTOR, "a vector has no sensor");
    }
    this.field = Objects.requireNonNull(field, "field");
    this.state = state;
    this.k = k;
    this.filter = filter;
    this.calibrate = calibrate;
    this.recall = recall.check(k);
  }

  /**
   * Returns this query with another work for its recall.
   *
   * @throws IllegalArgumentException for what does not go with its k
   */
  public CrossModalQueryBuilder with(Recall recall) {
    return new CrossModalQueryBuilder(field, state, k, filter, calibrate, recall)
        .boost(boost())
        .queryName(queryName());
  }

  /** Returns the state of a vector that the request brought. */
  static QueryState<Embedding> given(float[] vector) {
    return new QueryState.Encoded<>(
        null,
        new Embedding(
            null,
            Embeddings.unit(CrossModalQueryBody.QUERY_VECTOR, vector, vector.length),
            List.of()));
  }

  public CrossModalQueryBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    field = in.readString();
    QuerySource source = in.readOptionalWriteable(QuerySource::read);
    QuerySource.Label label = in.readOptionalWriteable(QuerySource.Label::new);
    float[] vector = source == null ? in.readFloatArray() : null;
    String space = in.readOptionalString();
    k = in.readVInt();
    filter = in.readOptionalNamedWriteable(QueryBuilder.class);
    depth = depth(filter);
    calibrate = in.readOptionalBoolean();
    List<SensorCalibration> calibrations = ModelValues.readCalibrations(in);
    recall = new Recall(in);
    List<Part> parts = in.readList(Part::new);
    state =
        source != null
            ? new QueryState.Typed<>(source)
            : new QueryState.Encoded<>(label, new Embedding(space, vector, calibrations, parts));
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    state.checkSendable(NAME);
    Optional<QueryState.Encoded<Embedding>> encoded = state.encoded();
    Optional<Embedding> half = encoded.map(QueryState.Encoded::half);
    WireFormat.write(out);
    out.writeString(field);
    out.writeOptionalWriteable(state.typed().orElse(null));
    out.writeOptionalWriteable(encoded.map(QueryState.Encoded::label).orElse(null));
    if (half.isPresent()) {
      out.writeFloatArray(half.get().vector());
    }
    out.writeOptionalString(half.map(Embedding::space).orElse(null));
    out.writeVInt(k);
    out.writeOptionalNamedWriteable(filter);
    out.writeOptionalBoolean(calibrate);
    ModelValues.writeCalibrations(out, half.map(Embedding::calibrations).orElse(List.of()));
    recall.writeTo(out);
    out.writeList(half.map(Embedding::parts).orElse(List.of()));
  }

  /** Returns how many queries of this type stand in one another, from this one down its filter. */
  private static int depth(QueryBuilder filter) {
    if (filter == null) {
      return 1;
    }
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
    return 1 + deepest[0];
  }

  /** Reads a request's body. */
  public static CrossModalQueryBuilder fromXContent(XContentParser parser) throws IOException {
    return CrossModalQueryBody.parse(parser);
  }

  @Override
  protected void doXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field("field", field);
    Embedding given = given().orElse(null);
    if (given != null) {
      builder.array(CrossModalQueryBody.QUERY_VECTOR, given.vector());
    } else {
      state.print(builder, params);
    }
    builder.field("k", k);
    if (filter != null) {
      builder.field("filter", filter);
    }
    if (calibrate != null) {
      builder.field(Calibrations.CALIBRATE, calibrate);
    }
    recall.toXContent(builder, params);
    printBoostAndQueryName(builder);
    builder.endObject();
  }

  /** Returns the vector that the request brought; empty where it brought a source. */
  private Optional<Embedding> given() {
    return state.encoded().filter(encoded -> encoded.label() == null).map(QueryState.Encoded::half);
  }

  @Override
  protected QueryBuilder doRewrite(QueryRewriteContext context) throws IOException {
    // In the round of the encoding: what stands in the filter is encoded beside it, and a query
    // in a filter in a filter takes no more rounds than one.
    QueryBuilder within = filter == null ? null : filter.rewrite(context);
    QueryState<Embedding> next = state.rewrite(context, field, this::calibrated);
    return within == filter && next == state
        ? this
        : new CrossModalQueryBuilder(field, next, k, within, calibrate, recall)
            .boost(boost())
            .queryName(queryName());
  }

  /** Returns the embedding with the calibrations that its hits are scored by. */
  private Embedding calibrated(String key, EncodedQuery encoded) {
    Embedding embedding = encoded.embedding();
    return embedding.with(
        Calibrations.choose(
            calibrate,
            embedding.calibrations(),
            key,
            embedding.parts().size() > 1
                ? "several sides together are no picture of a sensor"
                : "model [" + encoded.tokens().model() + "] has no calibrations for this query"));
  }

  @Override
  protected Query doToQuery(QueryShardContext context) throws IOException {
    NearestDocsQuery.checkIndexed(context);
    Embedding embedding =
        state
            .encoded()
            .map(QueryState.Encoded::half)
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        String.format(
                            Locale.ROOT,
                            "[%s] cannot encode [%s] here, as in the filter of an alias: give a"
                                + " [%s]",
                            NAME,
                            state.typed().orElseThrow().key(),
                            CrossModalQueryBody.QUERY_VECTOR)));
    MappedFieldType type = context.fieldMapper(field);
    if (type == null && embedding.space() != null) {
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
    String space = definition.spaces().embedding();
    if (embedding.space() != null && !embedding.space().equals(space)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the query was encoded in the filter space [%s], but field [%s] of model [%s] has"
                  + " [%s]",
              embedding.space(),
              field,
              definition.modelId(),
              space));
    }
    float[] target =
        Embeddings.unit(
            CrossModalQueryBody.QUERY_VECTOR, embedding.vector(), definition.spaces().dimension());
    NearestDocsQuery nearest =
        NearestDocsQuery.of(
            crossModal,
            target,
            k,
            filter == null ? null : filter.toQuery(context),
            embedding.calibrations(),
            recall,
            embedding.parts());
    return askedText()
        .map(text -> nearest.of(new AskedText(crossModal.name(), text, target)))
        .orElse(nearest);
  }

  /** Returns the text that was encoded; empty where something else was, or nothing yet. */
  private Optional<String> askedText() {
    return state
        .encoded()
        .map(QueryState.Encoded::label)
        .filter(label -> label.key().equals(QuerySource.QUERY_TEXT))
        .map(QuerySource.Label::value);
  }

  /** Returns the embedding space of the text that was encoded. */
  Optional<String> askedSpace() {
    return askedText().flatMap(text -> state.encoded()).map(encoded -> encoded.half().space());
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
        && state.equals(other.state)
        && k == other.k
        && Objects.equals(filter, other.filter)
        && Objects.equals(calibrate, other.calibrate)
        && recall.equals(other.recall);
  }

  @Override
  protected int doHashCode() {
    return Objects.hash(field, state, k, filter, calibrate, recall);
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }
}
