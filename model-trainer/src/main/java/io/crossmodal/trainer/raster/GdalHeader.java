/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.image.ImageFormatException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What gdalinfo says of a raster, as far as it is used.
 *
 * @param driver short name of the format
 * @param files that it is read from, its own first; none where it lies elsewhere
 * @param width columns
 * @param height rows
 * @param affine as {@link io.crossmodal.trainer.data.Georeference} has it; none where it has none
 * @param epsg number of its coordinate reference system; 0 for none, or one without a number
 * @param points whether ground control points say where it lies
 * @param rpcs whether rational polynomial coefficients do
 * @param acquired when it was taken
 * @param bands at least one
 */
record GdalHeader(
    String driver,
    List<String> files,
    int width,
    int height,
    List<Double> affine,
    int epsg,
    boolean points,
    boolean rpcs,
    Optional<Instant> acquired,
    List<Band> bands) {
  /** The type of a WKT's system, which its own number follows; a compound one's first counts. */
  private static final Pattern SYSTEM =
      Pattern.compile("\\b(PROJCRS|PROJCS|GEOGCRS|GEOGCS|GEODCRS|BOUNDCRS)\\[");

  private static final Pattern NUMBER =
      Pattern.compile("(?:ID|AUTHORITY)\\[\"EPSG\",\"?(\\d{1,9})\"?\\]");

  /** A Byte that is noted to be signed. */
  static final String SIGNED_BYTE = "Byte, signed";

  /**
   * A band.
   *
   * @param type of its samples, as GDAL names it; {@link #SIGNED_BYTE} for what GDAL has before 3.7
   * @param meaning colour interpretation, as GDAL names it
   * @param blockWidth columns of the blocks that it is stored in
   * @param blockHeight rows of them
   * @param masked whether a mask of all bands says where it has data, that is no opacity
   * @param levels sizes of its overviews
   */
  record Band(
      String type,
      String meaning,
      int blockWidth,
      int blockHeight,
      boolean masked,
      List<Size> levels) {}

  /**
   * Size of an overview.
   *
   * @param width columns
   * @param height rows
   */
  record Size(int width, int height) {}

  /**
   * Reads what gdalinfo printed.
   *
   * @throws ImageFormatException when it holds no bands, naming the rasters that it holds in place
   *     of them
   */
  static GdalHeader parse(String json) {
    try {
      return of(JsonParser.parseString(json).getAsJsonObject());
    } catch (JsonParseException | IllegalStateException | NullPointerException e) {
      throw new IllegalStateException("gdalinfo printed something else: " + json, e);
    }
  }

  private static GdalHeader of(JsonObject info) {
    JsonArray size = info.getAsJsonArray("size");
    JsonObject metadata = child(info, "metadata");
    List<Band> bands = new ArrayList<>();
    for (JsonElement band : info.getAsJsonArray("bands")) {
      bands.add(band(band.getAsJsonObject()));
    }
    if (bands.isEmpty()) {
      throw new ImageFormatException(
          "it holds no bands, but perhaps rasters of their own, which are named one by one: "
              + child(metadata, "SUBDATASETS"));
    }
    List<Double> affine = new ArrayList<>();
    if (info.has("geoTransform")) {
      info.getAsJsonArray("geoTransform").forEach(number -> affine.add(number.getAsDouble()));
    }
    List<String> files = new ArrayList<>();
    if (info.has("files")) {
      info.getAsJsonArray("files").forEach(file -> files.add(file.getAsString()));
    }
    JsonElement wkt = child(info, "coordinateSystem").get("wkt");
    return new GdalHeader(
        info.get("driverShortName").getAsString(),
        files,
        size.get(0).getAsInt(),
        size.get(1).getAsInt(),
        affine,
        wkt == null ? 0 : epsg(wkt.getAsString()),
        info.has("gcps"),
        metadata.has("RPC"),
        acquired(child(metadata, "IMAGERY").get("ACQUISITIONDATETIME")),
        List.copyOf(bands));
  }

  private static JsonObject child(JsonObject object, String name) {
    JsonElement child = object.get(name);
    return child == null || !child.isJsonObject() ? new JsonObject() : child.getAsJsonObject();
  }

  private static Band band(JsonObject band) {
    JsonArray block = band.getAsJsonArray("block");
    List<Size> levels = new ArrayList<>();
    if (band.has("overviews")) {
      for (JsonElement overview : band.getAsJsonArray("overviews")) {
        JsonArray size = overview.getAsJsonObject().getAsJsonArray("size");
        levels.add(new Size(size.get(0).getAsInt(), size.get(1).getAsInt()));
      }
    }
    JsonElement flags = child(band, "mask").get("flags");
    String said = flags == null ? "" : flags.toString();
    return new Band(
        isSigned(band) ? SIGNED_BYTE : band.get("type").getAsString(),
        band.get("colorInterpretation").getAsString(),
        block.get(0).getAsInt(),
        block.get(1).getAsInt(),
        said.contains("PER_DATASET") && !said.contains("ALPHA"),
        List.copyOf(levels));
  }

  private static boolean isSigned(JsonObject band) {
    JsonElement noted = child(child(band, "metadata"), "IMAGE_STRUCTURE").get("PIXELTYPE");
    return noted != null && noted.getAsString().equals("SIGNEDBYTE");
  }

  private static Optional<Instant> acquired(JsonElement text) {
    if (text == null) {
      return Optional.empty();
    }
    try {
      DateTimeFormatter form = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss", Locale.ROOT);
      return Optional.of(
          LocalDateTime.parse(text.getAsString().replaceFirst("\\..*", ""), form)
              .toInstant(ZoneOffset.UTC));
    } catch (DateTimeParseException e) {
      return Optional.empty();
    }
  }

  /** Returns the number of a system in WKT, which stands at the end of what its type opens. */
  static int epsg(String wkt) {
    Matcher system = SYSTEM.matcher(wkt);
    if (!system.find()) {
      return 0;
    }
    int depth = 0;
    boolean quoted = false;
    for (int i = system.end() - 1; i < wkt.length(); i++) {
      char c = wkt.charAt(i);
      if (c == '"') {
        quoted = !quoted;
      } else if (!quoted && (c == ']' || c == '[')) {
        depth += c == '[' ? 1 : -1;
        if (depth == 0) {
          return 0;
        }
      } else if (!quoted && depth == 1 && (c == 'I' || c == 'A')) {
        Matcher number = NUMBER.matcher(wkt).region(i, wkt.length());
        if (number.lookingAt()) {
          return Integer.parseInt(number.group(1));
        }
      }
    }
    return 0;
  }
}
