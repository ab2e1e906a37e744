/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.stream.JsonWriter;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.image.Window;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.trainer.encode.Geolocation.Position;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Writes documents as the two lines each that {@code _bulk} takes: under the field a value that the
 * node need not encode, beside it what is known of the picture.
 *
 * @param field full name of the {@code cross_modal} field
 * @param sensor whose tower encodes
 * @param model who encodes
 * @param tokens how tokens are written
 * @param places whether it is written where a picture lies
 * @param thumbnails whether a picture's thumbnail is written, where it has one
 */
public record DocumentFormat(
    String field,
    String sensor,
    ModelManifest model,
    TokenForm tokens,
    boolean places,
    boolean thumbnails) {
  static final String CAPTION = "caption";
  static final String PATH = "path";
  static final String CLASS = "class";
  static final String LABELS = "labels";
  static final String ACQUIRED = "acquired";
  static final String FOOTPRINT = "footprint";
  static final String CENTRE = "centre";

  static final String SCENE = "scene";
  static final String WINDOW = "window";
  static final String RESOLUTION = "resolution";
  static final String NO_DATA = "no_data";
  static final String CLOUD = "cloud";
  static final String STRETCH = "stretch";
  static final String THUMBNAIL = "thumbnail";
  static final String STAC = "stac";
  static final String ORIGIN = "origin";

  private static final List<String> KNOWN =
      List.of(
          CAPTION,
          PATH,
          CLASS,
          LABELS,
          ACQUIRED,
          FOOTPRINT,
          CENTRE,
          SCENE,
          WINDOW,
          RESOLUTION,
          NO_DATA,
          CLOUD,
          STRETCH,
          THUMBNAIL,
          STAC,
          ORIGIN);

  private static final int PREFIX = 16;

  public DocumentFormat {
    Objects.requireNonNull(field, "field");
    Objects.requireNonNull(tokens, "tokens");
    model.config().sensor(sensor);
    if (KNOWN.contains(field)) {
      throw new IllegalArgumentException(
          "the field [" + field + "] is taken by what is known of a picture; name another");
    }
  }

  /** Makes a form that has thumbnails. */
  public DocumentFormat(
      String field, String sensor, ModelManifest model, TokenForm tokens, boolean places) {
    this(field, sensor, model, tokens, places, true);
  }

  /** Returns about how many bytes a document takes. */
  int documentBytes() {
    ModelConfig config = model.config();
    int count = config.imageTokens(config.sensor(sensor));
    long block =
        tokens.encoding().map(encoding -> encoding.bytes(count, config.tokenWidth())).orElse(0L);
    return Math.toIntExact(500 + (4L * config.embeddingDimension() + block) * 4 / 3);
  }

  /** Returns the lines of these documents, UTF-8, each ended by a line feed. */
  byte[] lines(List<Document> documents) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(documents.size() * documentBytes());
    try (OutputStreamWriter out = new OutputStreamWriter(bytes, StandardCharsets.UTF_8)) {
      for (Document document : documents) {
        out.write("{\"index\":{\"_id\":\"" + document.id() + "\"}}\n");
        JsonWriter json = new JsonWriter(out);
        write(document, json);
        json.flush();
        out.write('\n');
      }
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return bytes.toByteArray();
  }

  private void write(Document document, JsonWriter json) throws IOException {
    SourceImage image = document.image();
    json.beginObject().name(field).beginObject();
    json.name("embedding").value(base64(document.encoding().embedding()));
    if (tokens.encoding().isPresent()) {
      byte[] block = document.picture().tokens().orElseGet(() -> block(document));
      json.name("tokens").value(Base64.getEncoder().encodeToString(block));
    }
    json.name("sensor")
        .value(sensor)
        .name(TargetIndex.ENCODED_FROM)
        .value(mark(document.facts().digest()))
        .endObject();
    if (document.facts().chip().isPresent()) {
      json.name(SCENE).value(image.path());
      write(document.facts().chip().get(), json);
    } else {
      json.name(PATH).value(image.path());
    }
    if (image.captions().size() == 1) {
      json.name(CAPTION).value(image.captions().get(0));
    } else if (!image.captions().isEmpty()) {
      strings(json.name(CAPTION), image.captions());
    }
    if (image.sceneClass().isPresent()) {
      json.name(CLASS).value(image.sceneClass().get());
    }
    if (!image.labels().isEmpty()) {
      strings(json.name(LABELS), image.labels());
    }
    Optional<Instant> acquired =
        image.acquired().or(() -> document.facts().chip().flatMap(Chip::acquired));
    if (acquired.isPresent()) {
      json.name(ACQUIRED).value(acquired.get().toString());
    }
    if (places && document.facts().place().isPresent()) {
      write(document.facts().place().get(), json);
    }
    if (document.facts().stretch().isPresent()) {
      json.name(STRETCH).value(document.facts().stretch().get().toString());
    }
    if (thumbnails && !document.facts().thumbnail().isEmpty()) {
      json.name(THUMBNAIL).value(document.facts().thumbnail());
    }
    ProvenanceFields.write(document.picture().provenance(), json);
    json.endObject();
  }

  /** Returns its tokens in the form in which they are kept. */
  byte[] block(Document document) {
    return TokenBlockFormat.write(
        document.encoding().tokens(),
        tokens.encoding().orElseThrow(),
        model.fingerprints().tokenSpace());
  }

  /** Returns an embedding as the node takes bytes: float32, little-endian. */
  private static String base64(float[] embedding) {
    ByteBuffer bytes =
        ByteBuffer.allocate(embedding.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(embedding);
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  private static void write(Chip chip, JsonWriter json) throws IOException {
    Window window = chip.window();
    json.name(WINDOW).beginArray();
    json.value(window.x()).value(window.y()).value(window.width()).value(window.height());
    json.endArray();
    if (chip.resolution().isPresent()) {
      json.name(RESOLUTION).value(Math.round(chip.resolution().getAsDouble() * 1000) / 1000.0);
    }
    json.name(NO_DATA).value(Math.round(chip.noData() * 1000) / 1000.0);
    if (chip.cloud().isPresent()) {
      json.name(CLOUD).value(Math.round(chip.cloud().getAsDouble() * 1000) / 1000.0);
    }
  }

  private static void write(PictureReader.Place place, JsonWriter json) throws IOException {
    json.name(CENTRE).beginObject();
    json.name("lat").value(place.centre().latitude());
    json.name("lon").value(place.centre().longitude()).endObject();
    List<List<Position>> polygons = place.footprint();
    boolean several = polygons.size() > 1;
    json.name(FOOTPRINT).beginObject().name("type").value(several ? "MultiPolygon" : "Polygon");
    json.name("coordinates").beginArray();
    for (List<Position> ring : polygons) {
      if (several) {
        json.beginArray();
      }
      json.beginArray();
      for (Position corner : ring) {
        position(corner, json);
      }
      position(ring.get(0), json);
      json.endArray();
      if (several) {
        json.endArray();
      }
    }
    json.endArray().endObject();
  }

  private static void position(Position position, JsonWriter json) throws IOException {
    json.beginArray().value(position.longitude()).value(position.latitude()).endArray();
  }

  private static void strings(JsonWriter json, List<String> values) throws IOException {
    json.beginArray();
    for (String value : values) {
      json.value(value);
    }
    json.endArray();
  }

  /**
   * Returns from what and by which model it was encoded, in the form that the plugin checks against
   * the field: an embedding of another model's space is refused though it has the right length.
   *
   * @param digest of what was encoded
   */
  String mark(String digest) {
    Fingerprints spaces = model.fingerprints();
    return digest
        + "."
        + spaces.embeddingSpace().substring(0, PREFIX)
        + "."
        + spaces.tokenSpace().substring(0, PREFIX);
  }

  /**
   * An encoded picture on its way to a sink.
   *
   * @param id of the document, from {@link ContentId}
   * @param stamp of the file that it was read from
   * @param picture that it is of
   * @param facts that are known of it
   */
  record Document(
      String id, String stamp, Encodable picture, Encodable.Facts facts, Encoding encoding) {
    SourceImage image() {
      return picture.image();
    }
  }
}
