/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import java.io.IOException;
import java.io.Serializable;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * An index, or an alias of one, whose field takes what a model makes.
 *
 * @param name as the user wrote it
 * @param incarnation differs where an index of that name was deleted and made again
 * @param tokens what the field keeps of them
 * @param places whether it has a geo_shape {@code footprint} and a geo_point {@code centre}
 * @param thumbnails whether it has a binary field of that name, which is kept and not indexed
 */
public record TargetIndex(
    String name, String incarnation, TokenForm tokens, boolean places, boolean thumbnails)
    implements Serializable {
  private static final Duration TIMEOUT = Duration.ofMinutes(2);

  /** For one request with documents: a node that is busy answers late. */
  private static final Duration BUSY_TIMEOUT = Duration.ofMinutes(5);

  private static final Pattern NAME = Pattern.compile("[^,*\\s/?#\"<>|\\\\]+");
  static final String ENCODED_FROM = "encoded_from";

  private static final String MODELS = "/_plugins/_cross_modal/models/";

  /**
   * Looks at an index before anything is sent to it.
   *
   * @param field full name of the field
   * @param model who encodes
   * @throws IOException when there is no such index or field, it holds something else, or it
   *     belongs to a model of other spaces; the message says what to do
   */
  public static TargetIndex of(
      ClusterClient cluster, String index, String field, ModelManifest model)
      throws IOException, InterruptedException {
    Response response = cluster.send("GET", path(index), new byte[0], TIMEOUT);
    if (response.status() == 404) {
      throw new IOException(
          cluster.node() + " has no index [" + index + "]; --create-index makes one");
    }
    if (response.status() >= 300) {
      throw cluster.refused("GET", path(index), response);
    }
    return of(index, field, model, JsonParser.parseString(response.body()).getAsJsonObject());
  }

  /**
   * Reads the response to {@code GET /index}.
   *
   * @param indices settings and mappings by concrete name; several for an alias of several
   */
  static TargetIndex of(String index, String field, ModelManifest model, JsonObject indices)
      throws IOException {
    Map<String, String> incarnations = new TreeMap<>();
    TokenForm tokens = TokenForm.NONE;
    boolean places = true;
    boolean thumbnails = true;
    for (Map.Entry<String, JsonElement> entry : indices.entrySet()) {
      String name = entry.getKey();
      JsonObject one = entry.getValue().getAsJsonObject();
      JsonObject definition = find(one.getAsJsonObject("mappings"), field);
      if (definition == null || !"cross_modal".equals(text(definition, "type"))) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "index [%s] has no field [%s] of type cross_modal; there are %s",
                name,
                field,
                fields("", one.getAsJsonObject("mappings"))));
      }
      if ("text".equals(text(definition, "modality"))) {
        throw new IOException(
            "field [" + field + "] of index [" + name + "] has modality text; pictures need image");
      }
      checkSpaces(name, field, model, definition.getAsJsonObject("spaces"));
      String kept = text(definition, "tokens");
      tokens = kept == null ? TokenForm.INT8 : TokenForm.of(kept);
      places &=
          hasType(one, DocumentFormat.FOOTPRINT, "geo_shape")
              && hasType(one, DocumentFormat.CENTRE, "geo_point");
      thumbnails &= hasType(one, DocumentFormat.THUMBNAIL, "binary");
      incarnations.put(
          name, one.getAsJsonObject("settings").getAsJsonObject("index").get("uuid").getAsString());
    }
    return new TargetIndex(index, incarnations.toString(), tokens, places, thumbnails);
  }

  private static boolean hasType(JsonObject index, String field, String type) {
    JsonObject definition = find(index.getAsJsonObject("mappings"), field);
    return definition != null && type.equals(text(definition, "type"));
  }

  private static void checkSpaces(
      String index, String field, ModelManifest model, JsonObject spaces) throws IOException {
    Fingerprints own = model.fingerprints();
    String filter = spaces == null ? null : text(spaces, "filter");
    String tokens = spaces == null ? null : text(spaces, "tokens");
    if (!own.embeddingSpace().equals(filter) || !own.tokenSpace().equals(tokens)) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "field [%s] of index [%s] belongs to a model of filter space %s and token space %s;"
                  + " the bundle [%s] makes %s and %s. Name the bundle that the field was made"
                  + " with, or encode into a new index",
              field,
              index,
              filter,
              tokens,
              model.id(),
              own.embeddingSpace(),
              own.tokenSpace()));
    }
  }

  /**
   * Makes an index whose field belongs to a model that the cluster serves.
   *
   * @param served id under which it serves it
   * @param look how the pictures are shown: queries by picture are stretched alike
   * @return false where there is an index of that name already, which is left alone
   * @throws IOException when the cluster does not serve the model, or another one under this id
   */
  public static boolean create(
      ClusterClient cluster,
      String index,
      String field,
      ModelManifest model,
      String served,
      TokenForm tokens,
      Look look)
      throws IOException, InterruptedException {
    if (isThere(cluster, index)) {
      return false;
    }
    checkServed(cluster, model, served);
    cluster.call("PUT", path(index), mapping(field, served, tokens, look).toString(), TIMEOUT);
    return true;
  }

  /** Returns whether there is an index, or an alias, of that name. */
  public static boolean isThere(ClusterClient cluster, String index)
      throws IOException, InterruptedException {
    return cluster.send("HEAD", path(index), new byte[0], TIMEOUT).status() == 200;
  }

  private static void checkServed(ClusterClient cluster, ModelManifest model, String served)
      throws IOException, InterruptedException {
    Response response = cluster.send("GET", MODELS + encoded(served), new byte[0], TIMEOUT);
    if (response.status() == 404) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "%s does not serve a model [%s], by which texts would be compared with these"
                  + " pictures: deploy the bundle first, or name with --model the id it is served"
                  + " under",
              cluster.node(),
              served));
    }
    if (response.status() >= 300) {
      throw cluster.refused("GET", MODELS + served, response);
    }
    JsonObject fingerprints =
        JsonParser.parseString(response.body())
            .getAsJsonObject()
            .getAsJsonArray("models")
            .get(0)
            .getAsJsonObject()
            .getAsJsonObject("fingerprints");
    Fingerprints own = model.fingerprints();
    if (!own.embeddingSpace().equals(text(fingerprints, "filter_space"))
        || !own.tokenSpace().equals(text(fingerprints, "token_space"))) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "what %s serves as [%s] has other spaces than the bundle [%s]; name the bundle that"
                  + " was deployed under this id, or with --model the id of this bundle",
              cluster.node(),
              served,
              model.id()));
    }
  }

  /** Settings are left to the cluster's own defaults and templates. */
  static JsonObject mapping(String field, String served, TokenForm tokens, Look look) {
    JsonObject vector = type("cross_modal");
    vector.addProperty("model", served);
    vector.addProperty("tokens", tokens.key());
    look.stretch()
        .filter(stretch -> !stretch.percentiles())
        .ifPresent(stretch -> vector.addProperty("stretch", stretch.toString()));
    JsonObject properties = new JsonObject();
    properties.add(field, vector);
    properties.add(DocumentFormat.PATH, type("keyword"));
    properties.add(DocumentFormat.CAPTION, type("text"));
    properties.add(DocumentFormat.CLASS, type("keyword"));
    properties.add(DocumentFormat.LABELS, type("keyword"));
    properties.add(DocumentFormat.ACQUIRED, type("date"));
    properties.add(DocumentFormat.FOOTPRINT, type("geo_shape"));
    properties.add(DocumentFormat.CENTRE, type("geo_point"));
    properties.add(DocumentFormat.SCENE, type("keyword"));
    JsonObject window = type("integer");
    window.addProperty("index", false);
    window.addProperty("doc_values", false);
    properties.add(DocumentFormat.WINDOW, window);
    properties.add(DocumentFormat.RESOLUTION, type("float"));
    properties.add(DocumentFormat.NO_DATA, type("float"));
    properties.add(DocumentFormat.CLOUD, type("float"));
    properties.add(DocumentFormat.STRETCH, type("keyword"));
    // In _source alone: a binary field has no terms, and neither doc values nor a stored field.
    properties.add(DocumentFormat.THUMBNAIL, type("binary"));
    JsonObject mappings = new JsonObject();
    mappings.add("properties", properties);
    JsonObject body = new JsonObject();
    body.add("mappings", mappings);
    return body;
  }

  /**
   * Adds the fields that say where a picture comes from; those that are there stay.
   *
   * @throws IOException when the index has others of their names
   */
  public void addProvenance(ClusterClient cluster) throws IOException, InterruptedException {
    JsonObject body = new JsonObject();
    body.add("properties", ProvenanceFields.mapping());
    cluster.call("PUT", path(name) + "/_mapping", body.toString(), TIMEOUT);
  }

  static JsonObject type(String name) {
    JsonObject type = new JsonObject();
    type.addProperty("type", name);
    return type;
  }

  /** Returns what sends lines to its {@code _bulk}. */
  public BulkSink.Transport bulk(ClusterClient cluster) {
    String path = bulkPath();
    return lines -> cluster.send("POST", path, lines, BUSY_TIMEOUT);
  }

  String bulkPath() {
    return path(name) + "/_bulk";
  }

  /** Returns what it holds in a field. */
  public IndexedDocuments documents(ClusterClient cluster, String field, Retry retry) {
    String path = path(name) + "/_mget?_source_includes=" + encoded(field + "." + ENCODED_FROM);
    return new IndexedDocuments(
        name, field, body -> cluster.send("POST", path, body, BUSY_TIMEOUT), retry);
  }

  static String path(String index) {
    if (!NAME.matcher(index).matches()) {
      throw new IllegalArgumentException("one index or alias must be named, got [" + index + "]");
    }
    return "/" + encoded(index);
  }

  private static String encoded(String name) {
    return URLEncoder.encode(name, StandardCharsets.UTF_8);
  }

  private static JsonObject find(JsonObject mapping, String field) {
    JsonObject properties = mapping.getAsJsonObject("properties");
    if (properties == null) {
      return null;
    }
    int dot = field.indexOf('.');
    String head = dot < 0 ? field : field.substring(0, dot);
    JsonObject child = properties.getAsJsonObject(head);
    return dot < 0 || child == null ? child : find(child, field.substring(dot + 1));
  }

  private static List<String> fields(String prefix, JsonObject mapping) {
    List<String> found = new ArrayList<>();
    JsonObject properties = mapping.getAsJsonObject("properties");
    if (properties != null) {
      for (Map.Entry<String, JsonElement> entry : properties.entrySet()) {
        JsonObject child = entry.getValue().getAsJsonObject();
        if ("cross_modal".equals(text(child, "type"))) {
          found.add(prefix + entry.getKey());
        }
        found.addAll(fields(prefix + entry.getKey() + ".", child));
      }
    }
    return found;
  }

  private static String text(JsonObject object, String name) {
    JsonElement value = object.get(name);
    return value == null ? null : value.getAsString();
  }
}
