/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ui;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code GET /_plugins/_cross_modal/ui}: the search page, and below it its script and its style.
 * The page names them relative to itself, so that it works behind a proxy that adds a prefix.
 */
public final class RestUiHandler extends BaseRestHandler {
  private static final String PATH = "/_plugins/_cross_modal/ui";
  private static final String PAGE = "search.html";

  /**
   * The page runs its own script and no other, whatever an index holds, and asks only the node that
   * it came from. Pictures may come from anywhere, because an archive's do. No text becomes markup
   * or code, not by a mistake of the script either: there are no trusted types.
   */
  private static final String CONTENT_SECURITY_POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
          + " img-src data: blob: http: https:; base-uri 'none'; form-action 'none';"
          + " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

  private final BytesReference page = read(PAGE);
  private final Map<String, File> files =
      new TreeMap<>(
          Map.of(
              "search.css", new File("text/css; charset=UTF-8", read("search.css")),
              "search.js", new File("text/javascript; charset=UTF-8", read("search.js"))));

  private record File(String contentType, BytesReference content) {}

  private static BytesReference read(String name) {
    try (InputStream in = RestUiHandler.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("the plugin's jar lacks the search page's " + name);
      }
      return new BytesArray(in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + name + " from the plugin's jar", e);
    }
  }

  @Override
  public String getName() {
    return "cross_modal_ui";
  }

  @Override
  public List<Route> routes() {
    return List.of(
        new Route(RestRequest.Method.GET, PATH),
        new Route(RestRequest.Method.GET, PATH + "/{file}"));
  }

  @Override
  protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
    String name = request.param("file");
    if (name == null) {
      // The trie ignores a slash at the end; the page's relative names would not.
      return request.rawPath().endsWith("/")
          ? channel -> channel.sendResponse(redirect())
          : channel -> channel.sendResponse(response("text/html; charset=UTF-8", page));
    }
    File file = files.get(name);
    if (file == null) {
      throw new ResourceNotFoundException(
          "the search page has no [{}], it has {}", name, files.keySet());
    }
    return channel -> channel.sendResponse(response(file.contentType, file.content));
  }

  private static BytesRestResponse redirect() {
    BytesRestResponse response = new BytesRestResponse(RestStatus.TEMPORARY_REDIRECT, "");
    response.addHeader("Location", "../ui");
    return response;
  }

  private static BytesRestResponse response(String contentType, BytesReference content) {
    BytesRestResponse response = new BytesRestResponse(RestStatus.OK, contentType, content);
    response.addHeader("Content-Security-Policy", CONTENT_SECURITY_POLICY);
    response.addHeader("X-Content-Type-Options", "nosniff");
    // Hosts of pictures need not know what was searched, nor where.
    response.addHeader("Referrer-Policy", "no-referrer");
    // The three belong together: after an upgrade a browser must not mix two versions of them.
    response.addHeader("Cache-Control", "no-cache");
    return response;
  }
}
