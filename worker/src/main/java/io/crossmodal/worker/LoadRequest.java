/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.model.inference.PrecisionPolicy;

/**
 * The parameters of a load or unload.
 *
 * @param sha256 of the bundle; empty where there is none
 * @param version to unload; empty for all of them
 * @param owner for whom it is loaded; empty for whoever asks
 */
record LoadRequest(String sha256, PrecisionPolicy precision, String version, String owner) {
  static LoadRequest read(JsonObject json) {
    JsonObject parameters =
        json.get("parameters") instanceof JsonObject given ? given : new JsonObject();
    return new LoadRequest(
        text(parameters, "sha256", ""),
        PrecisionPolicy.of(text(parameters, "precision", "auto")),
        text(parameters, "version", ""),
        text(parameters, "owner", ""));
  }

  private static String text(JsonObject parameters, String name, String otherwise) {
    JsonElement value = parameters.get(name);
    if (value != null && !value.isJsonPrimitive()) {
      throw new IllegalArgumentException("parameter [" + name + "] must be a string");
    }
    return value == null ? otherwise : value.getAsString();
  }
}
