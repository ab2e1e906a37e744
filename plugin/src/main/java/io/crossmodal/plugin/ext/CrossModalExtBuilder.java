/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.opensearch.core.common.ParsingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.builder.SearchSourceBuilder;

/**
 * The part {@code cross_modal} of a search's {@code ext}.
 *
 * <pre>{@code
 * "ext": {"cross_modal": {"details": true, "heat_map": true, "global_window": 128}}
 * }</pre>
 *
 * The first two are false where they are left out; {@code heat_map} may be {@code "geo"}, for which
 * {@code footprint} names the field that says where a picture lies. Without {@code global_window}
 * each shard has the window of its own that {@code rescore} gives it. Any search with this part, be
 * it empty, gets a report of its rescores.
 */
public final class CrossModalExtBuilder extends SearchExtBuilder {
  public static final String NAME = "cross_modal";

  static final String DETAILS = "details";
  static final String HEAT_MAP = "heat_map";
  static final String GLOBAL_WINDOW = "global_window";
  static final String FOOTPRINT = "footprint";
  private static final List<String> KEYS = List.of(DETAILS, HEAT_MAP, GLOBAL_WINDOW, FOOTPRINT);

  /** The value of {@code heat_map} for patches on the ground. */
  static final String GEO = "geo";

  /** The field of footprints unless the request names one, as the trainer's encode writes it. */
  static final String DEFAULT_FOOTPRINT = "footprint";

  /** A part that asks for nothing of hits. */
  static final CrossModalExtBuilder NOTHING = new CrossModalExtBuilder(false, false, 0);

  private final boolean details;
  private final boolean heatMap;
  private final int globalWindow;
  // Null where heat maps do not say where their patches lie.
  private final String footprint;

  /**
   * @param details what its fusion score was made of
   * @param heatMap where the query's words look in its picture
   * @param globalWindow hits of all shards together that are rescored; 0 for a window per shard
   */
  public CrossModalExtBuilder(boolean details, boolean heatMap, int globalWindow) {
    this(details, heatMap, globalWindow, null);
  }

  private CrossModalExtBuilder(
      boolean details, boolean heatMap, int globalWindow, String footprint) {
    this.details = details;
    this.heatMap = heatMap;
    this.globalWindow = globalWindow;
    this.footprint = footprint;
  }

  /**
   * Returns this part with heat maps whose patches lie on the ground.
   *
   * @param field of the footprints, a {@code geo_shape}
   */
  public CrossModalExtBuilder onTheGround(String field) {
    return new CrossModalExtBuilder(details, true, globalWindow, field);
  }

  public CrossModalExtBuilder(StreamInput in) throws IOException {
    WireFormat.read(in, NAME);
    details = in.readBoolean();
    heatMap = in.readBoolean();
    globalWindow = in.readVInt();
    footprint = in.readOptionalString();
  }

  /** Returns the part of a search; null where it has none. */
  public static CrossModalExtBuilder of(SearchSourceBuilder source) {
    if (source == null) {
      return null;
    }
    for (SearchExtBuilder ext : source.ext()) {
      if (ext instanceof CrossModalExtBuilder found) {
        return found;
      }
    }
    return null;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeBoolean(details);
    out.writeBoolean(heatMap);
    out.writeVInt(globalWindow);
    out.writeOptionalString(footprint);
  }

  /** Reads a request's part; the parser stands at its value. */
  public static CrossModalExtBuilder fromXContent(XContentParser parser) throws IOException {
    if (parser.currentToken() != XContentParser.Token.START_OBJECT) {
      throw refused(parser, "must be an object of " + KEYS + ", got [" + got(parser) + "]");
    }
    boolean details = false;
    boolean heatMap = false;
    int globalWindow = 0;
    boolean geo = false;
    String footprint = null;
    while (parser.nextToken() != XContentParser.Token.END_OBJECT) {
      String key = parser.currentName();
      if (!KEYS.contains(key)) {
        throw refused(parser, "has no [" + key + "], it takes " + KEYS);
      }
      parser.nextToken();
      if (key.equals(GLOBAL_WINDOW)) {
        globalWindow = window(parser);
        continue;
      }
      if (key.equals(FOOTPRINT)) {
        footprint = field(parser);
        continue;
      }
      if (key.equals(HEAT_MAP)
          && parser.currentToken() == XContentParser.Token.VALUE_STRING
          && parser.text().equals(GEO)) {
        heatMap = true;
        geo = true;
        continue;
      }
      if (parser.currentToken() != XContentParser.Token.VALUE_BOOLEAN) {
        throw refused(
            parser,
            "["
                + key
                + (key.equals(HEAT_MAP)
                    ? "] must be true, false or [" + GEO + "]"
                    : "] must be true or false")
                + ", got ["
                + got(parser)
                + "]");
      }
      if (key.equals(DETAILS)) {
        details = parser.booleanValue();
      } else {
        heatMap = parser.booleanValue();
        geo = false;
      }
    }
    if (footprint != null && !geo) {
      throw refused(parser, "[" + FOOTPRINT + "] goes with [" + HEAT_MAP + ": " + GEO + "] only");
    }
    return new CrossModalExtBuilder(
        details,
        heatMap,
        globalWindow,
        !geo ? null : footprint == null ? DEFAULT_FOOTPRINT : footprint);
  }

  private static String field(XContentParser parser) throws IOException {
    if (parser.currentToken() != XContentParser.Token.VALUE_STRING || parser.text().isEmpty()) {
      throw refused(parser, "[" + FOOTPRINT + "] must name a field, got [" + got(parser) + "]");
    }
    return parser.text();
  }

  private static int window(XContentParser parser) throws IOException {
    boolean whole =
        parser.currentToken() == XContentParser.Token.VALUE_NUMBER
            && parser.numberType() == XContentParser.NumberType.INT;
    if (!whole || parser.intValue() < 1) {
      throw refused(
          parser,
          "[" + GLOBAL_WINDOW + "] must be a whole number from 1, got [" + got(parser) + "]");
    }
    return parser.intValue();
  }

  private static String got(XContentParser parser) throws IOException {
    XContentParser.Token token = parser.currentToken();
    if (token == XContentParser.Token.START_OBJECT) {
      return "an object";
    }
    if (token == XContentParser.Token.START_ARRAY) {
      return "an array";
    }
    return Messages.excerpt(parser.textOrNull());
  }

  private static ParsingException refused(XContentParser parser, String message) {
    return new ParsingException(parser.getTokenLocation(), "[ext." + NAME + "] " + message);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field(DETAILS, details).field(HEAT_MAP);
    if (footprint == null) {
      builder.value(heatMap);
    } else {
      builder.value(GEO).field(FOOTPRINT, footprint);
    }
    if (globalWindow > 0) {
      builder.field(GLOBAL_WINDOW, globalWindow);
    }
    return builder.endObject();
  }

  /** Returns whether hits tell what their scores were made of. */
  public boolean details() {
    return details;
  }

  /** Returns whether hits show where the query's words look. */
  public boolean heatMap() {
    return heatMap;
  }

  /** Returns the field of footprints; empty where heat maps do not say where their patches lie. */
  public Optional<String> footprint() {
    return Optional.ofNullable(footprint);
  }

  /** Returns the hits of the window of all shards together; 0 where each shard has its own. */
  public int globalWindow() {
    return globalWindow;
  }

  /** Returns whether the model is asked about the hits of the page once more. */
  public boolean describesHits() {
    return details || heatMap;
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CrossModalExtBuilder builder
        && details == builder.details
        && heatMap == builder.heatMap
        && globalWindow == builder.globalWindow
        && Objects.equals(footprint, builder.footprint);
  }

  @Override
  public int hashCode() {
    return Objects.hash(details, heatMap, globalWindow, footprint);
  }
}
