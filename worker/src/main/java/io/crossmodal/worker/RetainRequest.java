/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import java.util.HashSet;
import java.util.Set;

/**
 * All that an owner needs of this worker: {@code {"owner": ..., "models": [{"name": ..., "version":
 * ...}]}}.
 *
 * @param owner as in its loads
 */
record RetainRequest(String owner, Set<Repository.Name> models) {
  /**
   * Reads a request.
   *
   * @throws IllegalArgumentException when it is none
   */
  static RetainRequest read(JsonObject json) {
    try {
      Set<Repository.Name> models = new HashSet<>();
      for (JsonElement each : json.getAsJsonArray("models")) {
        JsonObject model = each.getAsJsonObject();
        models.add(
            new Repository.Name(
                model.get("name").getAsString(), model.get("version").getAsString()));
      }
      return new RetainRequest(json.get("owner").getAsString(), models);
    } catch (JsonParseException
        | NullPointerException
        | ClassCastException
        | IllegalStateException
        | UnsupportedOperationException e) {
      throw new IllegalArgumentException(
          "there must be an [owner], and [models] that it needs, each with [name] and [version]",
          e);
    }
  }
}
