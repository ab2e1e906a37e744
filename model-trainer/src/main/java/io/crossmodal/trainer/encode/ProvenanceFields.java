/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonObject;
import com.google.gson.stream.JsonWriter;
import io.crossmodal.trainer.data.stac.StacItem;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * Fields of a document that say where its picture comes from: {@code stac}, with the names that
 * STAC gives its properties, and {@code origin}, which {@code --sync} compares.
 */
final class ProvenanceFields {
  static final String SOURCE = "source";
  static final String FIELD = "field";
  static final String SCENE = "scene";
  static final String CHECKSUM = "checksum";
  static final String MADE = "made";

  /** True in documents without a picture, such as the only one of a scene without a kept chip. */
  static final String EMPTY = "empty";

  /** Scenes that are being sent. */
  static final String UNFINISHED = "unfinished";

  private ProvenanceFields() {}

  /** Writes what is known, as fields of an object that was begun. */
  static void write(Provenance provenance, JsonWriter json) throws IOException {
    if (provenance.item().isPresent()) {
      json.name(DocumentFormat.STAC);
      write(provenance.item().get(), provenance.assets(), json);
    } else if (provenance.kept().isPresent()) {
      json.name(DocumentFormat.STAC).jsonValue(provenance.kept().get());
    }
    if (provenance.owner().isPresent()) {
      Provenance.Owner owner = provenance.owner().get();
      json.name(DocumentFormat.ORIGIN).beginObject();
      json.name(SOURCE).value(owner.source()).name(FIELD).value(owner.field());
      json.name(SCENE).value(owner.scene());
      json.name(CHECKSUM).value(owner.checksum()).name(MADE).value(owner.made()).endObject();
    }
  }

  static void write(StacItem item, List<String> assets, JsonWriter json) throws IOException {
    json.beginObject().name("id").value(item.id());
    text("collection", item.collection(), json);
    text("href", item.href(), json);
    strings("assets", assets, json);
    time("datetime", item.when().datetime(), json);
    time("start_datetime", item.when().start(), json);
    time("end_datetime", item.when().end(), json);
    text("platform", item.taker().platform(), json);
    text("constellation", item.taker().constellation(), json);
    strings("instruments", item.taker().instruments(), json);
    if (item.gsd().isPresent()) {
      json.name("gsd").value(item.gsd().getAsDouble());
    }
    if (item.cloudCover().isPresent()) {
      json.name("eo:cloud_cover").value(item.cloudCover().getAsDouble());
    }
    if (item.epsg().isPresent()) {
      json.name("proj:epsg").value(item.epsg().getAsInt());
    }
    json.endObject();
  }

  private static void text(String name, String value, JsonWriter json) throws IOException {
    if (!value.isEmpty()) {
      json.name(name).value(value);
    }
  }

  private static void time(String name, Optional<Instant> value, JsonWriter json)
      throws IOException {
    if (value.isPresent()) {
      json.name(name).value(value.get().toString());
    }
  }

  private static void strings(String name, List<String> values, JsonWriter json)
      throws IOException {
    if (!values.isEmpty()) {
      json.name(name).beginArray();
      for (String value : values) {
        json.value(value);
      }
      json.endArray();
    }
  }

  /** Returns the properties of a mapping for them. */
  static JsonObject mapping() {
    JsonObject stac = new JsonObject();
    for (String keyword :
        List.of("id", "collection", "assets", "platform", "constellation", "instruments")) {
      stac.add(keyword, TargetIndex.type("keyword"));
    }
    stac.add("href", kept());
    for (String date : List.of("datetime", "start_datetime", "end_datetime")) {
      stac.add(date, TargetIndex.type("date"));
    }
    stac.add("gsd", TargetIndex.type("float"));
    stac.add("eo:cloud_cover", TargetIndex.type("float"));
    stac.add("proj:epsg", TargetIndex.type("integer"));
    JsonObject origin = new JsonObject();
    for (String keyword : List.of(SOURCE, FIELD, SCENE, CHECKSUM, MADE)) {
      origin.add(keyword, TargetIndex.type("keyword"));
    }
    origin.add(EMPTY, TargetIndex.type("boolean"));
    origin.add(UNFINISHED, kept());
    JsonObject properties = new JsonObject();
    properties.add(DocumentFormat.STAC, object(stac));
    properties.add(DocumentFormat.ORIGIN, object(origin));
    return properties;
  }

  /** Returns the type of what is in the source alone. */
  private static JsonObject kept() {
    JsonObject kept = TargetIndex.type("keyword");
    kept.addProperty("index", false);
    kept.addProperty("doc_values", false);
    return kept;
  }

  private static JsonObject object(JsonObject properties) {
    JsonObject object = new JsonObject();
    object.add("properties", properties);
    return object;
  }
}
