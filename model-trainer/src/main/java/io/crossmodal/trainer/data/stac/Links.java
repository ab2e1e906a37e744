/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Links of STAC documents. */
final class Links {
  private Links() {}

  /**
   * Resolves a link.
   *
   * @param base of the document that has it
   * @return an address of http, https or a file
   * @throws IllegalArgumentException when it is none, or leads from a server to files of this
   *     machine
   */
  static URI resolve(URI base, String href) {
    URI resolved;
    try {
      // Names of files are often not escaped.
      resolved = base.resolve(new URI(href.replace(" ", "%20")));
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException(
          "the link [" + ItemJson.shown(href) + "] is no address: " + e.getReason(), e);
    }
    boolean file = "file".equalsIgnoreCase(resolved.getScheme());
    if (!file && !HttpFiles.isHttp(resolved)) {
      throw new IllegalArgumentException(
          "the link [" + ItemJson.shown(href) + "] is not read; http, https and files are");
    }
    if (file && HttpFiles.isHttp(base)) {
      throw new IllegalArgumentException(
          "the link ["
              + ItemJson.shown(href)
              + "] leads from "
              + base.getHost()
              + " to a file of this machine; refused");
    }
    if (HttpFiles.isHttp(resolved) && resolved.getHost() == null) {
      throw new IllegalArgumentException("the link [" + ItemJson.shown(href) + "] names no server");
    }
    // As paths make them, with three strokes: an item's address is kept and compared.
    return file ? Path.of(resolved).toUri() : resolved;
  }

  /** Returns the links of a document with that relation. */
  static List<JsonObject> of(JsonObject document, String relation) {
    List<JsonObject> found = new ArrayList<>();
    if (document.get("links") instanceof JsonArray links) {
      for (JsonElement link : links) {
        if (link instanceof JsonObject object && relation.equals(ItemJson.text(object, "rel"))) {
          found.add(object);
        }
      }
    }
    return found;
  }

  /**
   * Returns where an item that came among others is found itself: its relative links count from
   * there.
   *
   * @param page where it was read
   */
  static URI self(JsonObject item, URI page) {
    for (JsonObject link : of(item, "self")) {
      String href = ItemJson.text(link, "href");
      if (!href.isEmpty()) {
        return resolve(page, href);
      }
    }
    return page;
  }
}
