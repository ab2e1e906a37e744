/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.net.URI;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads the JSON of items as the STAC item specification and the extensions eo, projection, file
 * and timestamps have it.
 *
 * @see <a href="https://github.com/radiantearth/stac-spec/tree/v1.1.0/item-spec">STAC items</a>
 */
final class ItemJson {
  private static final Pattern EPSG = Pattern.compile("EPSG:(\\d{1,6})");
  private static final Pattern MULTIHASH = Pattern.compile("[0-9a-fA-F]{4,200}");
  private static final int SHOWN = 100;

  private ItemJson() {}

  /**
   * Reads an item.
   *
   * @param base where its JSON was read, or its own link where it was among others
   * @throws IllegalArgumentException when it is none, saying what it lacks
   */
  static StacItem read(JsonObject json, URI base) {
    checkVersion(json);
    String id = required(json, "id");
    JsonObject properties = object(json, "properties");
    if (properties == null) {
      throw new IllegalArgumentException("an item needs properties");
    }
    JsonObject assets = object(json, "assets");
    if (assets == null) {
      throw new IllegalArgumentException("an item needs assets");
    }
    StacItem.When when = when(properties);
    return new StacItem(
        id,
        text(json, "collection"),
        base.toString(),
        when,
        new StacItem.Taker(
            text(properties, "platform"),
            text(properties, "constellation"),
            strings(properties, "instruments")),
        number(properties, "gsd", 0, 1e9),
        number(properties, "eo:cloud_cover", 0, 100),
        epsg(properties),
        rings(object(json, "geometry")),
        text(properties, "updated"),
        assets(assets, base));
  }

  /**
   * Checks the version of an item, catalogue or collection.
   *
   * @throws IllegalArgumentException when it is none that is read
   */
  static void checkVersion(JsonObject json) {
    String version = text(json, "stac_version");
    if (!version.startsWith("1.")) {
      throw new IllegalArgumentException(
          version.isEmpty()
              ? "no stac_version, so this is no STAC; versions 1.0 and 1.1 are read"
              : "STAC [" + shown(version) + "] is not read; versions 1.0 and 1.1 are");
    }
  }

  private static StacItem.When when(JsonObject properties) {
    Optional<Instant> datetime = time(properties, "datetime");
    Optional<Instant> start = time(properties, "start_datetime");
    Optional<Instant> end = time(properties, "end_datetime");
    if (datetime.isEmpty() && (start.isEmpty() || end.isEmpty())) {
      throw new IllegalArgumentException(
          "an item needs a datetime, or a start_datetime and an end_datetime");
    }
    return new StacItem.When(datetime, start, end);
  }

  private static Optional<Instant> time(JsonObject json, String name) {
    String text = text(json, name);
    if (text.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(OffsetDateTime.parse(text).toInstant());
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          name + " [" + shown(text) + "] is no time such as 2024-05-01T10:20:30Z", e);
    }
  }

  /** Version 2 of the extension has {@code proj:code}, those before {@code proj:epsg}. */
  private static OptionalInt epsg(JsonObject properties) {
    Matcher code = EPSG.matcher(text(properties, "proj:code").toUpperCase(Locale.ROOT));
    if (code.matches()) {
      return OptionalInt.of(Integer.parseInt(code.group(1)));
    }
    OptionalDouble number = number(properties, "proj:epsg", 1, 999_999);
    return number.isEmpty() ? OptionalInt.empty() : OptionalInt.of((int) number.getAsDouble());
  }

  /** The outer ring of a polygon, or of each of several, as a footprint over the antimeridian. */
  private static List<List<Double>> rings(JsonObject geometry) {
    String type = geometry == null ? "" : text(geometry, "type");
    if (!type.equals("Polygon") && !type.equals("MultiPolygon")) {
      return List.of();
    }
    List<List<Double>> rings = new ArrayList<>();
    try {
      JsonArray coordinates = geometry.getAsJsonArray("coordinates");
      if (type.equals("Polygon")) {
        rings.add(ring(coordinates));
      } else {
        coordinates.forEach(polygon -> rings.add(ring(polygon.getAsJsonArray())));
      }
    } catch (IllegalStateException
        | IndexOutOfBoundsException
        | NullPointerException
        | ClassCastException
        | NumberFormatException
        | UnsupportedOperationException e) {
      throw new IllegalArgumentException("its geometry is no polygon: " + e.getMessage(), e);
    }
    rings.removeIf(ring -> ring.size() < 6);
    return rings;
  }

  private static List<Double> ring(JsonArray polygon) {
    JsonArray outer = polygon.get(0).getAsJsonArray();
    List<Double> ring = new ArrayList<>();
    for (JsonElement position : outer.asList().subList(0, outer.size() - 1)) {
      double longitude = position.getAsJsonArray().get(0).getAsDouble();
      double latitude = position.getAsJsonArray().get(1).getAsDouble();
      if (!(Math.abs(longitude) <= 180 && Math.abs(latitude) <= 90)) {
        throw new IllegalArgumentException(
            "its geometry has the position [" + longitude + ", " + latitude + "]");
      }
      ring.add(longitude);
      ring.add(latitude);
    }
    return ring;
  }

  private static List<StacItem.Asset> assets(JsonObject assets, URI base) {
    List<StacItem.Asset> found = new ArrayList<>();
    for (Map.Entry<String, JsonElement> entry : assets.entrySet()) {
      if (!entry.getValue().isJsonObject()) {
        throw new IllegalArgumentException("asset [" + shown(entry.getKey()) + "] is no object");
      }
      JsonObject asset = entry.getValue().getAsJsonObject();
      OptionalDouble size = number(asset, "file:size", 0, 1e18);
      found.add(
          new StacItem.Asset(
              entry.getKey(),
              Links.resolve(base, required(asset, "href")),
              text(asset, "type"),
              strings(asset, "roles"),
              checksum(asset, entry.getKey()),
              size.isEmpty() ? OptionalLong.empty() : OptionalLong.of((long) size.getAsDouble())));
    }
    return found;
  }

  private static String checksum(JsonObject asset, String key) {
    String checksum = text(asset, "file:checksum");
    if (!checksum.isEmpty() && !MULTIHASH.matcher(checksum).matches()) {
      throw new IllegalArgumentException(
          "file:checksum [" + shown(checksum) + "] of asset [" + key + "] is no multihash");
    }
    return checksum.toLowerCase(Locale.ROOT);
  }

  private static String required(JsonObject json, String name) {
    String value = text(json, name);
    if (value.isEmpty()) {
      throw new IllegalArgumentException("no text [" + name + "]");
    }
    return value;
  }

  /** Returns a text; an empty one where there is none. */
  static String text(JsonObject json, String name) {
    return json.get(name) instanceof JsonPrimitive value && value.isString()
        ? value.getAsString()
        : "";
  }

  static JsonObject object(JsonObject json, String name) {
    return json.get(name) instanceof JsonObject value ? value : null;
  }

  private static List<String> strings(JsonObject json, String name) {
    List<String> values = new ArrayList<>();
    if (json.get(name) instanceof JsonArray array) {
      for (JsonElement value : array) {
        if (value instanceof JsonPrimitive text && text.isString()) {
          values.add(text.getAsString());
        }
      }
    }
    return values;
  }

  private static OptionalDouble number(JsonObject json, String name, double least, double most) {
    if (!(json.get(name) instanceof JsonPrimitive value) || !value.isNumber()) {
      return OptionalDouble.empty();
    }
    double number = value.getAsDouble();
    if (!(number >= least && number <= most)) {
      throw new IllegalArgumentException(
          name + " is " + shown(value.toString()) + "; it lies within " + least + " and " + most);
    }
    return OptionalDouble.of(number);
  }

  /** Returns a text of others as messages show it. */
  static String shown(String text) {
    return text.length() > SHOWN ? text.substring(0, SHOWN) + "..." : text;
  }
}
