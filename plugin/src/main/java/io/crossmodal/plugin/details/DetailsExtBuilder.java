/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.details;

import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.search.SearchExtBuilder;

/**
 * The part {@code cross_modal} of a search's {@code ext}.
 *
 * <pre>{@code
 * "ext": {"cross_modal": {"details": true, "heat_map": true}}
 * }</pre>
 *
 * Both are false where they are left out.
 */
public final class DetailsExtBuilder extends SearchExtBuilder {
  public static final String NAME = "cross_modal";

  static final String DETAILS = "details";
  static final String HEAT_MAP = "heat_map";
  private static final List<String> KEYS = List.of(DETAILS, HEAT_MAP);

  private final boolean details;
  private final boolean heatMap;

  /**
   * What to add to each hit.
   *
   * @param details what its fusion score was made of
   * @param heatMap where the query's words look in its picture
   */
  public DetailsExtBuilder(boolean details, boolean heatMap) {
    this.details = details;
    this.heatMap = heatMap;
  }

  public DetailsExtBuilder(StreamInput in) throws IOException {
    this(in.readBoolean(), in.readBoolean());
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeBoolean(details);
    out.writeBoolean(heatMap);
  }

  /** Reads a request's part; the parser stands at its value. */
  public static DetailsExtBuilder fromXContent(XContentParser parser) throws IOException {
    if (parser.currentToken() != XContentParser.Token.START_OBJECT) {
      throw refused(parser, "must be an object of " + KEYS + ", got [" + got(parser) + "]");
    }
    boolean details = false;
    boolean heatMap = false;
    while (parser.nextToken() != XContentParser.Token.END_OBJECT) {
      String key = parser.currentName();
      if (!KEYS.contains(key)) {
        throw refused(parser, "has no [" + key + "], it takes " + KEYS);
      }
      if (parser.nextToken() != XContentParser.Token.VALUE_BOOLEAN) {
        throw refused(parser, "[" + key + "] must be true or false, got [" + got(parser) + "]");
      }
      if (key.equals(DETAILS)) {
        details = parser.booleanValue();
      } else {
        heatMap = parser.booleanValue();
      }
    }
    return new DetailsExtBuilder(details, heatMap);
  }

  private static String got(XContentParser parser) throws IOException {
    XContentParser.Token token = parser.currentToken();
    if (token == XContentParser.Token.START_OBJECT) {
      return "an object";
    }
    if (token == XContentParser.Token.START_ARRAY) {
      return "an array";
    }
    return String.valueOf(parser.textOrNull());
  }

  private static ParsingException refused(XContentParser parser, String message) {
    return new ParsingException(parser.getTokenLocation(), "[ext." + NAME + "] " + message);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    return builder.startObject(NAME).field(DETAILS, details).field(HEAT_MAP, heatMap).endObject();
  }

  boolean details() {
    return details;
  }

  boolean heatMap() {
    return heatMap;
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof DetailsExtBuilder builder
        && details == builder.details
        && heatMap == builder.heatMap;
  }

  @Override
  public int hashCode() {
    return Objects.hash(details, heatMap);
  }
}
