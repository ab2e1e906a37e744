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
import org.opensearch.core.ParseField;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/** One side of {@code like} or {@code unlike} in a request. */
final class SideBody {
  private static final List<String> SOURCES = List.of("text", "image", "id");
  private static final ObjectParser<SideBody, Void> PARSER =
      new ObjectParser<>("side", SideBody::new);

  static {
    PARSER.declareString((side, v) -> side.text = v, new ParseField("text"));
    PARSER.declareBoolean((side, v) -> side.prompt = v, new ParseField(QuerySource.PROMPT));
    PARSER.declareField(
        (side, v) -> side.image = v,
        (request, context) -> EncodeRequest.bytes(request, "[image] is no base64"),
        new ParseField("image"),
        ObjectParser.ValueType.VALUE);
    PARSER.declareString((side, v) -> side.sensor = v, new ParseField(QuerySource.SENSOR));
    PARSER.declareString((side, v) -> side.stretch = v, new ParseField(QuerySource.STRETCH));
    PARSER.declareString((side, v) -> side.id = v, new ParseField("id"));
    PARSER.declareString((side, v) -> side.index = v, new ParseField(QuerySource.INDEX));
    PARSER.declareString((side, v) -> side.routing = v, new ParseField(QuerySource.ROUTING));
    PARSER.declareString((side, v) -> side.field = v, new ParseField("field"));
    PARSER.declareFloat((side, v) -> side.weight = v, new ParseField("weight"));
  }

  private String text;
  private Boolean prompt;
  private byte[] image;
  private String sensor;
  private String stretch;
  private String id;
  private String index;
  private String routing;
  private String field;
  private Float weight;

  /**
   * Reads all sides of a list, or one that stands without brackets.
   *
   * @param list its key
   * @throws ParsingException naming the side that cannot be
   */
  static List<Sides.Side> list(XContentParser request, String list) throws IOException {
    List<Sides.Side> sides = new ArrayList<>();
    if (request.currentToken() == XContentParser.Token.START_OBJECT) {
      sides.add(read(request, list, 0));
      return sides;
    }
    while (request.nextToken() != XContentParser.Token.END_ARRAY) {
      if (sides.size() == Sides.MOST) {
        throw new ParsingException(
            request.getTokenLocation(),
            String.format(Locale.ROOT, "[%s] takes at most %d sides", list, Sides.MOST));
      }
      if (request.currentToken() != XContentParser.Token.START_OBJECT) {
        throw new ParsingException(
            request.getTokenLocation(),
            String.format(
                Locale.ROOT,
                "[%s[%d]] must be an object with one of %s",
                list,
                sides.size(),
                SOURCES));
      }
      sides.add(read(request, list, sides.size()));
    }
    return sides;
  }

  private static Sides.Side read(XContentParser request, String list, int place)
      throws IOException {
    SideBody body = PARSER.parse(request, null);
    try {
      return new Sides.Side(
          body.source(),
          body.weight != null
              ? body.weight
              : list.equals(Sides.LIKE) ? Sides.LIKE_WEIGHT : Sides.UNLIKE_WEIGHT);
    } catch (IllegalArgumentException e) {
      throw new ParsingException(
          request.getTokenLocation(),
          String.format(Locale.ROOT, "[%s[%d]]: %s", list, place, e.getMessage()),
          e);
    }
  }

  private QuerySource source() {
    List<String> given = new ArrayList<>();
    if (text != null) {
      given.add("text");
    }
    if (image != null) {
      given.add("image");
    }
    if (id != null) {
      given.add("id");
    }
    if (given.size() != 1) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "a side needs exactly one of %s, got %s", SOURCES, given));
    }
    goesWith(QuerySource.PROMPT, prompt, "text", given.get(0));
    goesWith(QuerySource.SENSOR, sensor, "image", given.get(0));
    goesWith(QuerySource.STRETCH, stretch, "image", given.get(0));
    goesWith(QuerySource.INDEX, index, "id", given.get(0));
    goesWith(QuerySource.ROUTING, routing, "id", given.get(0));
    goesWith("field", field, "id", given.get(0));
    if (text != null) {
      return new QuerySource.Text(text, prompt == null || prompt);
    }
    return image != null
        ? QuerySource.Image.typed(image, sensor, stretch)
        : new QuerySource.Document(id, index, field, routing);
  }

  private static void goesWith(String name, Object value, String side, String given) {
    if (value != null && !side.equals(given)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] goes with [%s] only, got it with [%s]", name, side, given));
    }
  }
}
