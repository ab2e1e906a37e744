/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What an index holds: the journal of those who share none. It is asked for the marks of documents,
 * which say from what and by which model they were encoded. Thread-safe.
 */
public final class IndexedDocuments {
  private final String index;
  private final List<String> field;
  private final BulkSink.Transport multiGet;
  private final Retry retry;

  /**
   * Asks an index.
   *
   * @param index what to call it in messages
   * @param field full name of the field
   * @param multiGet posts a body to its {@code _mget}
   */
  IndexedDocuments(String index, String field, BulkSink.Transport multiGet, Retry retry) {
    this.index = index;
    this.field = List.of(field.split("\\."));
    this.multiGet = multiGet;
    this.retry = retry;
  }

  /**
   * Returns the marks of those of these documents that are there, by id, refreshed or not; an empty
   * one for a document without this field.
   *
   * @throws IOException when the index does not say
   */
  Map<String, String> marks(Collection<String> ids) throws IOException, InterruptedException {
    if (ids.isEmpty()) {
      return Map.of();
    }
    JsonArray asked = new JsonArray();
    ids.forEach(asked::add);
    JsonObject body = new JsonObject();
    body.add("ids", asked);
    byte[] bytes = body.toString().getBytes(StandardCharsets.UTF_8);
    Response response = retry.untilAnswered(() -> multiGet.post(bytes));
    if (response.status() >= 300) {
      throw silent(response.status() + " " + response.body(), null);
    }
    Map<String, String> marks = new HashMap<>();
    try {
      JsonObject answer = JsonParser.parseString(response.body()).getAsJsonObject();
      for (JsonElement element : answer.getAsJsonArray("docs")) {
        JsonObject document = element.getAsJsonObject();
        if (document.has("error")) {
          throw silent(document.get("error").toString(), null);
        }
        if (document.get("found").getAsBoolean()) {
          marks.put(document.get("_id").getAsString(), mark(document.get("_source")));
        }
      }
    } catch (JsonParseException | IllegalStateException | NullPointerException e) {
      throw silent(response.body(), e);
    }
    return marks;
  }

  private String mark(JsonElement source) {
    JsonElement found = source;
    for (String name : field) {
      found = found != null && found.isJsonObject() ? found.getAsJsonObject().get(name) : null;
    }
    JsonElement mark =
        found != null && found.isJsonObject()
            ? found.getAsJsonObject().get(TargetIndex.ENCODED_FROM)
            : null;
    return mark == null ? "" : mark.getAsString();
  }

  private IOException silent(String reason, Exception cause) {
    return new IOException(
        "["
            + index
            + "] does not say which documents it holds: "
            + reason
            + "; --restart does not ask",
        cause);
  }
}
