/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ui;

import java.net.URI;
import java.util.List;
import java.util.stream.Stream;

/**
 * Hosts beside the node that an operator lets the search page ask for pictures.
 *
 * @param tileUrl template of a map's tiles, {@code https://host/{z}/{x}/{y}.png}; empty for none
 * @param tileAttribution what the map says of them
 * @param pictureUrl template of a hit's picture, {@code https://host/{path}}; empty where documents
 *     keep their own
 */
public record UiHosts(String tileUrl, String tileAttribution, String pictureUrl) {
  private static final int LONGEST = 100;

  /**
   * Returns a template that is empty, or an http(s) address whose host is no part of what is filled
   * in.
   *
   * @param setting that gives it, for the message
   * @throws IllegalArgumentException for any other text
   */
  public static String template(String setting, String text) {
    if (!text.isEmpty() && origin(text).isEmpty()) {
      throw new IllegalArgumentException(
          "["
              + setting
              + "] must be empty or an address that begins with http:// or https:// and a host"
              + " without braces, such as https://archive.example/{path}, got ["
              + text.substring(0, Math.min(LONGEST, text.length()))
              + "]");
    }
    return text;
  }

  /** Returns what a Content-Security-Policy calls the hosts. */
  List<String> origins() {
    return Stream.of(tileUrl, pictureUrl).map(UiHosts::origin).filter(o -> !o.isEmpty()).toList();
  }

  /** Returns scheme, host and port of a template; empty where it has none. */
  private static String origin(String template) {
    try {
      URI uri = URI.create(template.replaceAll("[{}]", "_"));
      int path = template.indexOf('/', template.indexOf("//") + 2);
      String before = path < 0 ? template : template.substring(0, path);
      boolean web = "http".equals(uri.getScheme()) || "https".equals(uri.getScheme());
      // No user, no braces, and nothing that could end the policy's directive.
      boolean plain = before.matches("https?://[A-Za-z0-9.-]+(:[0-9]+)?");
      return web && uri.getHost() != null && plain ? before : "";
    } catch (IllegalArgumentException e) {
      return "";
    }
  }
}
