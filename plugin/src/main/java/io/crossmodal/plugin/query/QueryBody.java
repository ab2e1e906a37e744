/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.action.EncodeRequest;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.action.Sides;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.xcontent.AbstractObjectParser;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/**
 * The part of a request's body that names the field and what is searched by. The parsers of the
 * query and of the rescorer extend it with their own parameters.
 */
public abstract class QueryBody {
  private final String name;
  String field;
  String text;
  byte[] image;
  String sensor;
  String stretch;
  String id;
  String index;
  String routing;
  String queryField;
  List<Sides.Side> like;
  List<Sides.Side> unlike;
  Boolean prompt;

  /**
   * @param name of the query or rescorer, for messages
   */
  protected QueryBody(String name) {
    this.name = name;
  }

  /** Declares the parameters of this class. */
  protected static <B extends QueryBody> void declareOn(AbstractObjectParser<B, Void> parser) {
    parser.declareString((p, value) -> p.field = value, new ParseField("field"));
    parser.declareString((p, value) -> p.text = value, new ParseField(QuerySource.QUERY_TEXT));
    parser.declareField(
        (p, value) -> p.image = value,
        (request, context) -> EncodeRequest.bytes(request, "[query_image] is no base64"),
        new ParseField(QuerySource.QUERY_IMAGE),
        ObjectParser.ValueType.VALUE);
    parser.declareString((p, value) -> p.sensor = value, new ParseField(QuerySource.SENSOR));
    parser.declareString((p, value) -> p.stretch = value, new ParseField(QuerySource.STRETCH));
    parser.declareString((p, value) -> p.id = value, new ParseField(QuerySource.QUERY_ID));
    parser.declareString((p, value) -> p.index = value, new ParseField(QuerySource.INDEX));
    parser.declareString((p, value) -> p.routing = value, new ParseField(QuerySource.ROUTING));
    parser.declareString(
        (p, value) -> p.queryField = value, new ParseField(QuerySource.QUERY_FIELD));
    parser.declareField(
        (p, value) -> p.like = value,
        (request, context) -> SideBody.list(request, Sides.LIKE),
        new ParseField(Sides.LIKE),
        ObjectParser.ValueType.VALUE_OBJECT_ARRAY);
    parser.declareField(
        (p, value) -> p.unlike = value,
        (request, context) -> SideBody.list(request, Sides.UNLIKE),
        new ParseField(Sides.UNLIKE),
        ObjectParser.ValueType.VALUE_OBJECT_ARRAY);
    parser.declareBoolean((p, value) -> p.prompt = value, new ParseField(QuerySource.PROMPT));
  }

  /**
   * Reads a request's body.
   *
   * @param build makes a query or rescorer of what was read
   * @throws ParsingException with the message of what {@code build} refuses
   */
  protected static <B extends QueryBody, T> T parse(
      ObjectParser<B, Void> parser, XContentParser request, Function<B, T> build)
      throws IOException {
    B body = parser.parse(request, null);
    try {
      return build.apply(body);
    } catch (IllegalArgumentException e) {
      throw new ParsingException(request.getTokenLocation(), e.getMessage(), e);
    }
  }

  /**
   * Returns the field's name.
   *
   * @throws IllegalArgumentException when there is none
   */
  protected final String field() {
    if (field == null || field.isEmpty()) {
      throw new IllegalArgumentException("[" + name + "] needs [field]");
    }
    return field;
  }

  /**
   * Returns the source, unless another one is given that only the subclass knows.
   *
   * @param others names of those that only the subclass knows and that were given
   * @param accepted names of all that may be given
   * @return null where {@code others} names the source
   * @throws IllegalArgumentException unless exactly one is given
   */
  protected final QuerySource source(List<String> others, List<String> accepted) {
    List<String> given = new ArrayList<>(others);
    if (text != null) {
      given.add(QuerySource.QUERY_TEXT);
    }
    if (image != null) {
      given.add(QuerySource.QUERY_IMAGE);
    }
    if (id != null) {
      given.add(QuerySource.QUERY_ID);
    }
    if (like != null) {
      given.add(Sides.LIKE);
    }
    if (given.isEmpty() && unlike != null) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] goes with [%s]: say what hits shall be like as well",
              Sides.UNLIKE,
              Sides.LIKE));
    }
    if (given.size() != 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] needs exactly one of %s, got %s", name, accepted, given));
    }
    goesWith(QuerySource.SENSOR, sensor, QuerySource.QUERY_IMAGE, given.get(0));
    goesWith(QuerySource.STRETCH, stretch, QuerySource.QUERY_IMAGE, given.get(0));
    goesWith(QuerySource.INDEX, index, QuerySource.QUERY_ID, given.get(0));
    goesWith(QuerySource.ROUTING, routing, QuerySource.QUERY_ID, given.get(0));
    goesWith(QuerySource.QUERY_FIELD, queryField, QuerySource.QUERY_ID, given.get(0));
    goesWith(QuerySource.PROMPT, prompt, QuerySource.QUERY_TEXT, given.get(0));
    goesWith(Sides.UNLIKE, unlike, Sides.LIKE, given.get(0));
    if (like != null) {
      return new Sides(like, unlike == null ? List.of() : unlike);
    }
    if (text != null) {
      return new QuerySource.Text(text, prompt == null || prompt);
    }
    if (id != null) {
      return new QuerySource.Document(id, index, queryField, routing);
    }
    return image != null ? QuerySource.Image.typed(image, sensor, stretch) : null;
  }

  private static void goesWith(String name, Object value, String side, String given) {
    if (value != null && !side.equals(given)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] goes with [%s] only, got it with [%s]", name, side, given));
    }
  }
}
