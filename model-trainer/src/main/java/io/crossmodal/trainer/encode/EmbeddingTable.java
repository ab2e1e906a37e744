/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.stream.JsonWriter;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Window;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.trainer.data.geoparquet.Column;
import io.crossmodal.trainer.data.geoparquet.Column.Kind;
import io.crossmodal.trainer.data.geoparquet.GeoRow;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import io.crossmodal.trainer.encode.Geolocation.Position;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** Documents as rows of a table: a column a field, and what the model made in two more. */
final class EmbeddingTable {
  static final String ID = "id";
  static final String EMBEDDING = "embedding";
  static final String TOKENS = "tokens";
  static final String ENCODED_FROM = "encoded_from";
  private static final String LATITUDE = "centre_lat";
  private static final String LONGITUDE = "centre_lon";

  /** Key of what the file says of the model. */
  static final String METADATA = "crossmodal";

  static final List<Column> COLUMNS =
      List.of(
          new Column(ID, Kind.TEXT),
          new Column(DocumentFormat.PATH, Kind.TEXT),
          new Column(DocumentFormat.SCENE, Kind.TEXT),
          new Column(DocumentFormat.WINDOW, Kind.INTEGERS),
          new Column(DocumentFormat.RESOLUTION, Kind.NUMBER),
          new Column(DocumentFormat.NO_DATA, Kind.NUMBER),
          new Column(DocumentFormat.CLOUD, Kind.NUMBER),
          new Column(DocumentFormat.ACQUIRED, Kind.TIME),
          new Column(DocumentFormat.CAPTION, Kind.TEXTS),
          new Column(DocumentFormat.CLASS, Kind.TEXT),
          new Column(DocumentFormat.LABELS, Kind.TEXTS),
          new Column(DocumentFormat.STRETCH, Kind.TEXT),
          new Column(DocumentFormat.STAC, Kind.JSON),
          new Column(LATITUDE, Kind.NUMBER),
          new Column(LONGITUDE, Kind.NUMBER),
          new Column(ENCODED_FROM, Kind.TEXT),
          new Column(EMBEDDING, Kind.FLOATS),
          new Column(TOKENS, Kind.BYTES),
          new Column(DocumentFormat.THUMBNAIL, Kind.BYTES));

  /** Of a document whose block is kept as it is. */
  private static final TokenBlock NO_TOKENS = new TokenBlock(1, 1, new float[1]);

  private EmbeddingTable() {}

  /** Returns what a file says of the model that encoded it. */
  static String metadata(DocumentFormat format) {
    Fingerprints spaces = format.model().fingerprints();
    JsonObject json = new JsonObject();
    json.addProperty("model", format.model().id());
    json.addProperty("embedding_space", spaces.embeddingSpace());
    json.addProperty("token_space", spaces.tokenSpace());
    json.addProperty("field", format.field());
    json.addProperty("sensor", format.sensor());
    json.addProperty("tokens", format.tokens().key());
    return json.toString();
  }

  static GeoRow row(Document document, DocumentFormat format) {
    SourceImage image = document.image();
    Encodable.Facts facts = document.facts();
    Map<String, Object> values = new HashMap<>();
    values.put(ID, document.id());
    values.put(facts.chip().isPresent() ? DocumentFormat.SCENE : DocumentFormat.PATH, image.path());
    facts
        .chip()
        .ifPresent(
            chip -> {
              Window window = chip.window();
              values.put(
                  DocumentFormat.WINDOW,
                  new int[] {window.x(), window.y(), window.width(), window.height()});
              chip.resolution().ifPresent(metres -> values.put(DocumentFormat.RESOLUTION, metres));
              values.put(DocumentFormat.NO_DATA, chip.noData());
              chip.cloud().ifPresent(share -> values.put(DocumentFormat.CLOUD, share));
              chip.acquired().ifPresent(time -> values.put(DocumentFormat.ACQUIRED, time));
            });
    image.acquired().ifPresent(time -> values.put(DocumentFormat.ACQUIRED, time));
    if (!image.captions().isEmpty()) {
      values.put(DocumentFormat.CAPTION, image.captions());
    }
    image.sceneClass().ifPresent(name -> values.put(DocumentFormat.CLASS, name));
    if (!image.labels().isEmpty()) {
      values.put(DocumentFormat.LABELS, image.labels());
    }
    facts.stretch().ifPresent(range -> values.put(DocumentFormat.STRETCH, range.toString()));
    stac(document.picture().provenance()).ifPresent(json -> values.put(DocumentFormat.STAC, json));
    values.put(ENCODED_FROM, facts.digest());
    values.put(EMBEDDING, document.encoding().embedding());
    if (format.tokens() != TokenForm.NONE) {
      values.put(TOKENS, document.picture().tokens().orElseGet(() -> format.block(document)));
    }
    if (format.thumbnails() && !facts.thumbnail().isEmpty()) {
      values.put(DocumentFormat.THUMBNAIL, Base64.getDecoder().decode(facts.thumbnail()));
    }
    List<List<double[]>> polygons = new ArrayList<>();
    facts
        .place()
        .ifPresent(
            place -> {
              values.put(LATITUDE, place.centre().latitude());
              values.put(LONGITUDE, place.centre().longitude());
              for (List<Position> corners : place.footprint()) {
                List<double[]> ring = new ArrayList<>();
                corners.forEach(corner -> ring.add(position(corner)));
                ring.add(position(corners.get(0)));
                polygons.add(ring);
              }
            });
    return new GeoRow(values, polygons);
  }

  private static double[] position(Position corner) {
    return new double[] {corner.longitude(), corner.latitude()};
  }

  private static Optional<String> stac(Provenance provenance) {
    if (provenance.item().isEmpty()) {
      return provenance.kept();
    }
    StringWriter text = new StringWriter();
    try {
      JsonWriter json = new JsonWriter(text);
      ProvenanceFields.write(provenance.item().get(), provenance.assets(), json);
      json.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return Optional.of(text.toString());
  }

  /** A picture whose encoding is known; nobody reads it. */
  private record Stored(SourceImage image, Provenance provenance, Optional<byte[]> tokens)
      implements Encodable {
    @Override
    public String name() {
      return image.path();
    }

    @Override
    public String stamp() {
      throw new IllegalStateException("an encoded picture is not read");
    }

    @Override
    public Reading read(PictureReader reader) {
      throw new IllegalStateException("an encoded picture is not read");
    }

    @Override
    public void done() {}
  }

  /**
   * Makes a document of a row.
   *
   * @throws IllegalArgumentException when a value is missing or makes no sense, saying which
   */
  static Document document(GeoRow row, DocumentFormat format) {
    Map<String, Object> values = row.values();
    String id = text(values, ID, "[0-9a-f]{32}");
    String digest = text(values, ENCODED_FROM, "[0-9a-f]{64}");
    boolean chip = values.containsKey(DocumentFormat.SCENE);
    String path = text(values, chip ? DocumentFormat.SCENE : DocumentFormat.PATH, "(?s).+");
    SourceImage image =
        new SourceImage(
            path,
            List.of(Path.of("")),
            texts(values, DocumentFormat.CAPTION),
            Optional.ofNullable((String) values.get(DocumentFormat.CLASS)),
            texts(values, DocumentFormat.LABELS),
            Optional.ofNullable((Instant) values.get(DocumentFormat.ACQUIRED)));
    byte[] thumbnail = (byte[]) values.get(DocumentFormat.THUMBNAIL);
    Encodable.Facts facts =
        new Encodable.Facts(
            digest,
            digest,
            place(row),
            chip ? Optional.of(chip(values)) : Optional.empty(),
            Optional.ofNullable((String) values.get(DocumentFormat.STRETCH)).map(Stretch::of),
            thumbnail == null ? "" : Base64.getEncoder().encodeToString(thumbnail));
    return new Document(
        id,
        ContentId.shortened("parquet\0" + id + digest),
        new Stored(image, Provenance.kept(json(values)), tokens(values, format)),
        facts,
        new Encoding(NO_TOKENS, embedding(values, format)));
  }

  private static String text(Map<String, Object> values, String name, String form) {
    Object value = values.get(name);
    if (!(value instanceof String text) || !text.matches(form)) {
      throw new IllegalArgumentException(
          "[" + name + "] is [" + value + "], which no run of encode wrote");
    }
    return text;
  }

  private static List<String> texts(Map<String, Object> values, String name) {
    return values.get(name) instanceof List<?> list
        ? list.stream().map(String::valueOf).toList()
        : List.of();
  }

  private static Optional<String> json(Map<String, Object> values) {
    String text = (String) values.get(DocumentFormat.STAC);
    if (text == null) {
      return Optional.empty();
    }
    try {
      // Written anew: it becomes a part of a line.
      return Optional.of(JsonParser.parseString(text).getAsJsonObject().toString());
    } catch (JsonParseException | IllegalStateException e) {
      throw new IllegalArgumentException("[stac] is no JSON object: " + e.getMessage(), e);
    }
  }

  private static Optional<PictureReader.Place> place(GeoRow row) {
    if (row.polygons().isEmpty()
        || !(row.values().get(LATITUDE) instanceof Double latitude)
        || !(row.values().get(LONGITUDE) instanceof Double longitude)) {
      return Optional.empty();
    }
    List<List<Position>> polygons = new ArrayList<>();
    for (List<double[]> ring : row.polygons()) {
      if (ring.size() < 4 || !ring.stream().allMatch(at -> isOnEarth(at[1], at[0]))) {
        throw new IllegalArgumentException("its geometry has a ring that lies nowhere");
      }
      polygons.add(
          ring.subList(0, ring.size() - 1).stream().map(at -> new Position(at[1], at[0])).toList());
    }
    if (!isOnEarth(latitude, longitude)) {
      throw new IllegalArgumentException("its centre lies nowhere: " + latitude + ", " + longitude);
    }
    return Optional.of(new PictureReader.Place(new Position(latitude, longitude), polygons));
  }

  private static boolean isOnEarth(double latitude, double longitude) {
    return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  }

  private static OptionalDouble number(Map<String, Object> values, String name) {
    if (!(values.get(name) instanceof Double number)) {
      return OptionalDouble.empty();
    }
    if (!Double.isFinite(number)) {
      throw new IllegalArgumentException("[" + name + "] is " + number);
    }
    return OptionalDouble.of(number);
  }

  private static Chip chip(Map<String, Object> values) {
    if (!(values.get(DocumentFormat.WINDOW) instanceof int[] window) || window.length != 4) {
      throw new IllegalArgumentException("[window] must be four numbers");
    }
    return new Chip(
        new Window(window[0], window[1], window[2], window[3]),
        number(values, DocumentFormat.RESOLUTION),
        number(values, DocumentFormat.NO_DATA).orElse(0),
        number(values, DocumentFormat.CLOUD),
        Optional.empty());
  }

  private static float[] embedding(Map<String, Object> values, DocumentFormat format) {
    int dimension = format.model().config().embeddingDimension();
    if (!(values.get(EMBEDDING) instanceof float[] embedding) || embedding.length != dimension) {
      throw new IllegalArgumentException("[embedding] must be " + dimension + " numbers");
    }
    for (float value : embedding) {
      if (!Float.isFinite(value)) {
        throw new IllegalArgumentException("[embedding] has a value that is not finite");
      }
    }
    return embedding;
  }

  private static Optional<byte[]> tokens(Map<String, Object> values, DocumentFormat format) {
    if (format.tokens() == TokenForm.NONE) {
      return Optional.empty();
    }
    if (!(values.get(TOKENS) instanceof byte[] bytes)) {
      throw new IllegalArgumentException("[tokens] is missing, and the field keeps them");
    }
    TokenBlockFormat.Header header = TokenBlockFormat.header(bytes, 0, bytes.length);
    if (!header.matches(format.model().fingerprints().tokenSpace())
        || header.encoding() != format.tokens().encoding().orElseThrow()) {
      throw new IllegalArgumentException("[tokens] belong to another model, or field");
    }
    return Optional.of(bytes);
  }
}
