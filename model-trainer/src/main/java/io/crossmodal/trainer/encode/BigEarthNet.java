/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Sentinel-2 patches of BigEarthNet (Sumbul et al. 2019): a folder each, however deep, with a
 * GeoTIFF a band, and in version 1 a JSON with labels and date. Version 2 has them in a table of
 * its own, which is not read; there the date comes from the patch's name.
 */
final class BigEarthNet {
  private static final String RED = "_B04.tif";
  private static final List<String> RED_GREEN_BLUE = List.of(RED, "_B03.tif", "_B02.tif");
  private static final String LABELS = "_labels_metadata.json";

  /** Version 1 leaves out an hour's leading zero: 20170924T93020. */
  private static final Pattern NAME =
      Pattern.compile("S2[A-C]_MSIL2A_(\\d{8})T(\\d{5,6})_.*" + Pattern.quote(RED));

  private BigEarthNet() {}

  /** Returns whether a file is the red band of a patch, by its name. */
  static boolean isPatch(Path file) {
    return NAME.matcher(file.getFileName().toString()).matches();
  }

  /**
   * Returns a patch as a picture to encode.
   *
   * @param red a file that {@link #isPatch}
   * @param notes told what is wrong with its JSON, without which the patch is as good
   */
  static SourceImage patch(Path red, List<String> notes) throws IOException {
    String file = red.getFileName().toString();
    String name = file.substring(0, file.length() - RED.length());
    List<Path> bands =
        RED_GREEN_BLUE.stream().map(band -> red.resolveSibling(name + band)).toList();
    List<String> labels = new ArrayList<>();
    Optional<Instant> acquired = named(file);
    Path json = red.resolveSibling(name + LABELS);
    if (Files.isRegularFile(json)) {
      try {
        JsonObject metadata = JsonParser.parseString(Files.readString(json)).getAsJsonObject();
        for (JsonElement label : metadata.getAsJsonArray("labels")) {
          labels.add(label.getAsString());
        }
        String date = metadata.get("acquisition_date").getAsString();
        acquired = Optional.of(utc(date, "yyyy-MM-dd HH:mm:ss"));
      } catch (IOException
          | JsonParseException
          | IllegalStateException
          | NullPointerException
          | DateTimeException e) {
        notes.add(json + " is not BigEarthNet's: " + e.getMessage());
      }
    }
    return new SourceImage(name, bands, List.of(), Optional.empty(), labels, acquired);
  }

  private static Optional<Instant> named(String file) {
    Matcher name = NAME.matcher(file);
    if (!name.matches()) {
      return Optional.empty();
    }
    String time = String.format(Locale.ROOT, "%06d", Integer.parseInt(name.group(2)));
    try {
      return Optional.of(utc(name.group(1) + time, "yyyyMMddHHmmss"));
    } catch (DateTimeException e) {
      return Optional.empty();
    }
  }

  private static Instant utc(String text, String pattern) {
    DateTimeFormatter form = DateTimeFormatter.ofPattern(pattern, Locale.ROOT);
    return LocalDateTime.parse(text, form).toInstant(ZoneOffset.UTC);
  }
}
