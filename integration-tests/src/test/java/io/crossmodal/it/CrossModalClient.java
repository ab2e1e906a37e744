/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.opensearch.client.Request;
import org.opensearch.client.RestClient;

/** What a user of the plugin sends: an index of pictures, bulks, searches. Not thread-safe. */
public final class CrossModalClient {
  /** The picture field of {@link #createIndex}. */
  public static final String IMAGE = "image";

  private static final int BULK = 50;

  /** Well below {@code http.max_content_length}, whose default is 100 MB. */
  private static final int BULK_CHARACTERS = 20_000_000;

  private final RestClient client;

  public CrossModalClient(RestClient client) {
    this.client = client;
  }

  /**
   * A hit of a search.
   *
   * @param id document id
   * @param score as the node gave it
   */
  public record Hit(String id, double score) {}

  /** Makes an index with a picture field and a caption, replacing one of that name. */
  public void createIndex(String index, int shards) throws IOException {
    createIndex(index, shards, new JsonObject());
  }

  /**
   * Makes an index likewise.
   *
   * @param others the mapping's further properties
   */
  public void createIndex(String index, int shards, JsonObject others) throws IOException {
    Request delete = new Request("DELETE", "/" + index);
    delete.addParameter("ignore_unavailable", "true");
    send(delete, null);
    JsonObject properties = others.deepCopy();
    properties.add(IMAGE, object("type", "cross_modal"));
    properties.add("caption", object("type", "text"));
    JsonObject body = new JsonObject();
    body.add("settings", object("number_of_shards", shards));
    body.add("mappings", objectOf("properties", properties));
    send(new Request("PUT", "/" + index), body.toString());
  }

  /**
   * Indexes pictures from their files, under their file names, in bulks; the node encodes them.
   *
   * @param progress told how many pictures are done, after each bulk
   * @throws IOException when a document is refused, with the node's reason
   */
  public void index(String index, List<CaptionedImage> images, IntConsumer progress)
      throws IOException {
    Map<String, String> refused =
        indexWhatCanBe(index, images, image -> new JsonObject(), progress);
    if (!refused.isEmpty()) {
      throw new IOException("the node refused documents: " + refused);
    }
  }

  /**
   * Indexes pictures likewise, leaving out what the node refuses.
   *
   * @param others a document's further fields, by the picture's place in the list
   * @return the node's reason for each picture that it refused, by file name
   */
  public Map<String, String> indexWhatCanBe(
      String index,
      List<CaptionedImage> images,
      IntFunction<JsonObject> others,
      IntConsumer progress)
      throws IOException {
    Map<String, String> refused = new LinkedHashMap<>();
    int done = 0;
    while (done < images.size()) {
      StringBuilder lines = new StringBuilder();
      int from = done;
      while (done < images.size()
          && done < from + BULK
          && (done == from || lines.length() < BULK_CHARACTERS)) {
        JsonObject document = others.apply(done).deepCopy();
        CaptionedImage image = images.get(done++);
        lines.append(objectOf("index", object("_id", image.filename()))).append('\n');
        String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(image.file()));
        document.add(IMAGE, object("bytes", bytes));
        JsonArray captions = new JsonArray();
        image.captions().forEach(captions::add);
        document.add("caption", captions);
        lines.append(document).append('\n');
      }
      JsonObject answer = send(new Request("POST", "/" + index + "/_bulk"), lines.toString());
      for (JsonElement item : answer.getAsJsonArray("items")) {
        JsonObject result = item.getAsJsonObject().getAsJsonObject("index");
        if (result.has("error")) {
          refused.put(result.get("_id").getAsString(), result.get("error").toString());
        }
      }
      progress.accept(done);
    }
    send(new Request("POST", "/" + index + "/_refresh"), null);
    return refused;
  }

  /** Has the cluster serve a bundle; in one request, as its HTTP limit allows for small ones. */
  public void upload(String model, Path bundle) throws IOException {
    String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(bundle));
    call("PUT", "/_plugins/_cross_modal/models/" + model, object("bundle", bytes).toString());
  }

  /**
   * A tile of an archive of several sensors.
   *
   * @param id of its document
   * @param file GeoTIFF or picture
   */
  public record Tile(String id, String sensor, Path file) {}

  /** Makes an index of a model's tiles, with their sensors beside them, and fills it. */
  public void indexTiles(String index, String model, List<Tile> tiles) throws IOException {
    JsonObject image = object("type", "cross_modal");
    image.addProperty("model", model);
    JsonObject properties = objectOf("sensor", object("type", "keyword"));
    properties.add(IMAGE, image);
    JsonObject body = objectOf("mappings", objectOf("properties", properties));
    call("PUT", "/" + index, body.toString());
    StringBuilder lines = new StringBuilder();
    for (Tile tile : tiles) {
      String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(tile.file()));
      JsonObject value = object("bytes", bytes);
      value.addProperty("sensor", tile.sensor());
      JsonObject document = objectOf(IMAGE, value);
      document.addProperty("sensor", tile.sensor());
      lines.append(objectOf("index", object("_id", tile.id()))).append('\n');
      lines.append(document).append('\n');
    }
    JsonObject answer = call("POST", "/" + index + "/_bulk?refresh=true", lines.toString());
    if (answer.get("errors").getAsBoolean()) {
      throw new IOException("the node refused tiles: " + answer);
    }
  }

  /**
   * Searches pictures by text.
   *
   * @param k candidates of the first stage, per shard
   * @param window hits that the fusion encoder rescores, per shard; 0 leaves the rescore out
   * @param size hits wanted
   */
  public List<Hit> search(String index, String text, int k, int window, int size)
      throws IOException {
    return search(index, object("query_text", text), k, null, window, size);
  }

  /**
   * Searches pictures of one sensor, or of all, by a picture.
   *
   * @param bytes of the picture, base64
   * @param sensor of the picture
   * @param wanted sensor of the hits; null for those of all
   * @param size hits wanted, and candidates per shard
   */
  public List<Hit> searchByTile(String index, String bytes, String sensor, String wanted, int size)
      throws IOException {
    JsonObject side = object("query_image", bytes);
    side.addProperty("sensor", sensor);
    return search(index, side, size, wanted, 0, size);
  }

  /**
   * Searches pictures of one or several sensors.
   *
   * @param side what is searched by: {@code query_text}, or {@code query_image} and {@code sensor}
   * @param k candidates of the first stage, per shard
   * @param wanted sensor of the hits, a keyword beside the pictures; null for those of all
   * @param window hits that are rescored, per shard; 0 leaves the rescore out
   * @param size hits wanted
   */
  public List<Hit> search(String index, JsonObject side, int k, String wanted, int window, int size)
      throws IOException {
    JsonObject query = side.deepCopy();
    query.addProperty("field", IMAGE);
    JsonObject fusion = query.deepCopy();
    query.addProperty("k", k);
    if (wanted != null) {
      query.add("filter", objectOf("term", object("sensor", wanted)));
    }
    JsonObject body = objectOf("query", objectOf("cross_modal", query));
    body.addProperty("size", size);
    body.addProperty("_source", false);
    if (window > 0) {
      fusion.addProperty("on_failure", "fail");
      fusion.addProperty("timeout", "60s");
      JsonObject rescore = object("window_size", window);
      rescore.add("fusion", fusion);
      body.add("rescore", rescore);
    }
    JsonObject answer = send(new Request("POST", "/" + index + "/_search"), body.toString());
    List<Hit> hits = new ArrayList<>();
    for (JsonElement element : answer.getAsJsonObject("hits").getAsJsonArray("hits")) {
      JsonObject hit = element.getAsJsonObject();
      hits.add(new Hit(hit.get("_id").getAsString(), hit.get("_score").getAsDouble()));
    }
    return hits;
  }

  /** Returns the response to a GET. */
  public JsonObject get(String path) throws IOException {
    return send(new Request("GET", path), null);
  }

  /**
   * Returns the response to any request.
   *
   * @param json the body; null for none
   */
  public JsonObject call(String method, String path, String json) throws IOException {
    return send(new Request(method, path), json);
  }

  /** Changes settings of the cluster until it restarts. */
  public void settings(Map<String, String> settings) throws IOException {
    JsonObject values = new JsonObject();
    settings.forEach(values::addProperty);
    send(new Request("PUT", "/_cluster/settings"), objectOf("transient", values).toString());
  }

  private JsonObject send(Request request, String json) throws IOException {
    if (json != null) {
      request.setJsonEntity(json);
    }
    try (InputStream body = client.performRequest(request).getEntity().getContent()) {
      return JsonParser.parseReader(new InputStreamReader(body, StandardCharsets.UTF_8))
          .getAsJsonObject();
    }
  }

  private static JsonObject object(String name, String value) {
    JsonObject object = new JsonObject();
    object.addProperty(name, value);
    return object;
  }

  private static JsonObject object(String name, int value) {
    JsonObject object = new JsonObject();
    object.addProperty(name, value);
    return object;
  }

  private static JsonObject objectOf(String name, JsonElement value) {
    JsonObject object = new JsonObject();
    object.add(name, value);
    return object;
  }
}
