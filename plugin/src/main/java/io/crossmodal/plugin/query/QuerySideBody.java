/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import org.opensearch.core.ParseField;
import org.opensearch.core.xcontent.AbstractObjectParser;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/**
 * The part of a request's body that names the field and the query side, common to the query and the
 * rescorer: their parsers extend this with their own parameters.
 */
public abstract class QuerySideBody {
  private final String name;
  String field;
  String text;
  byte[] image;
  String sensor;
  String id;
  String index;
  String routing;
  String queryField;

  /**
   * @param name of the query or rescorer, for messages
   */
  protected QuerySideBody(String name) {
    this.name = name;
  }

  /** Declares the parameters of this class. */
  protected static <B extends QuerySideBody> void declareOn(AbstractObjectParser<B, Void> parser) {
    parser.declareString((p, value) -> p.field = value, new ParseField("field"));
    parser.declareString((p, value) -> p.text = value, new ParseField(QuerySide.QUERY_TEXT));
    parser.declareField(
        (p, value) -> p.image = value,
        (xContent, context) -> image(xContent),
        new ParseField(QuerySide.QUERY_IMAGE),
        ObjectParser.ValueType.VALUE);
    parser.declareString((p, value) -> p.sensor = value, new ParseField(QuerySide.SENSOR));
    parser.declareString((p, value) -> p.id = value, new ParseField(QuerySide.QUERY_ID));
    parser.declareString((p, value) -> p.index = value, new ParseField(QuerySide.INDEX));
    parser.declareString((p, value) -> p.routing = value, new ParseField(QuerySide.ROUTING));
    parser.declareString((p, value) -> p.queryField = value, new ParseField(QuerySide.QUERY_FIELD));
  }

  private static byte[] image(XContentParser parser) throws IOException {
    if (parser.currentToken() == XContentParser.Token.VALUE_EMBEDDED_OBJECT) {
      return parser.binaryValue();
    }
    try {
      return Base64.getDecoder().decode(parser.text());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "[" + QuerySide.QUERY_IMAGE + "] is no base64: " + e.getMessage(), e);
    }
  }

  /**
   * The field's name.
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
   * The query side, if it is not the given other one.
   *
   * @param others names of sides that only the subclass knows and that were given
   * @param accepted names of all sides that may be given
   * @return null where {@code others} names the side
   * @throws IllegalArgumentException unless exactly one side is given
   */
  protected final QuerySide side(List<String> others, List<String> accepted) {
    List<String> given = new ArrayList<>(others);
    if (text != null) {
      given.add(QuerySide.QUERY_TEXT);
    }
    if (image != null) {
      given.add(QuerySide.QUERY_IMAGE);
    }
    if (id != null) {
      given.add(QuerySide.QUERY_ID);
    }
    if (given.size() != 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] needs exactly one of %s, got %s", name, accepted, given));
    }
    goesWith(QuerySide.SENSOR, sensor, QuerySide.QUERY_IMAGE, given.get(0));
    goesWith(QuerySide.INDEX, index, QuerySide.QUERY_ID, given.get(0));
    goesWith(QuerySide.ROUTING, routing, QuerySide.QUERY_ID, given.get(0));
    goesWith(QuerySide.QUERY_FIELD, queryField, QuerySide.QUERY_ID, given.get(0));
    if (text != null) {
      return QuerySide.text(text);
    }
    if (id != null) {
      return QuerySide.document(id, index, queryField, routing);
    }
    return image != null ? QuerySide.image(image, sensor) : null;
  }

  private static void goesWith(String name, String value, String side, String given) {
    if (value != null && !side.equals(given)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] goes with [%s] only, got it with [%s]", name, side, given));
    }
  }
}
