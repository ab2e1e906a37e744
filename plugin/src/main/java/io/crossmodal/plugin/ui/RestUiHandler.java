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
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.common.xcontent.XContentFactory;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.rest.BaseRestHandler;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestRequest;
import org.opensearch.transport.client.node.NodeClient;

/**
 * {@code GET /_plugins/_cross_modal/ui}: the search page, and below it its modules, its style, the
 * map library and the coastlines. The page names them relative to itself, so that it works behind a
 * proxy that adds a prefix.
 */
public final class RestUiHandler extends BaseRestHandler {
  private static final String PATH = "/_plugins/_cross_modal/ui";
  private static final String PAGE = "search.html";
  private static final int LONGEST = 100;

  /** The page's files beside this class. */
  private static final List<String> OWN =
      List.of(
          "app.js",
          "dom.js",
          "draw.js",
          "export.js",
          "form.js",
          "geometry.js",
          "grid.js",
          "heat.js",
          "histogram.js",
          "hit.js",
          "hits.js",
          "map.js",
          "mapping.js",
          "models.js",
          "node.js",
          "policy.js",
          "request.js",
          "search.css",
          "state.js",
          "world.json");

  /** Leaflet's, in its own jar. */
  private static final Map<String, String> LEAFLET =
      Map.of("leaflet.js", "leaflet-src.esm.js", "leaflet.css", "leaflet.css");

  private static final String LEAFLET_FOLDER = "/META-INF/resources/webjars/leaflet/1.9.4/dist/";

  /** What the operator allows the page, for its script to read. */
  private static final String SETTINGS = "settings.json";

  /**
   * The page runs its own script and no other, whatever an index holds, and asks only the node that
   * it came from; pictures may come from the hosts that the operator's settings name as well. No
   * text becomes markup or code, not by a mistake of the script either: of the trusted types there
   * is the one that lets three constants of Leaflet pass.
   */
  private static final String POLICY =
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
          + " img-src %s; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
          + " require-trusted-types-for 'script'; trusted-types default";

  private final BytesReference page = read(PAGE);
  private final Map<String, File> files = new TreeMap<>();
  private final String policy;

  private record File(String contentType, BytesReference content) {}

  /** Makes the handler of a node on whose page all pictures come from the node itself. */
  public RestUiHandler() {
    this(new UiHosts("", "", ""));
  }

  /**
   * @param hosts that the operator lets the page ask for pictures
   */
  public RestUiHandler(UiHosts hosts) {
    for (String name : OWN) {
      files.put(name, new File(type(name), read(name)));
    }
    LEAFLET.forEach(
        (name, resource) -> files.put(name, new File(type(name), read(LEAFLET_FOLDER + resource))));
    files.put(SETTINGS, new File(type(SETTINGS), json(hosts)));
    String sources =
        Stream.concat(Stream.of("'self'", "data:", "blob:"), hosts.origins().stream())
            .collect(Collectors.joining(" "));
    policy = POLICY.replace("%s", sources);
  }

  private static BytesReference json(UiHosts hosts) {
    try (XContentBuilder builder = XContentFactory.jsonBuilder()) {
      return BytesReference.bytes(
          builder
              .startObject()
              .field("tiles", hosts.tileUrl())
              .field("attribution", hosts.tileAttribution())
              .field("pictures", hosts.pictureUrl())
              .endObject());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write the search page's settings", e);
    }
  }

  private static String type(String name) {
    return switch (name.substring(name.lastIndexOf('.'))) {
      case ".js" -> "text/javascript; charset=UTF-8";
      case ".css" -> "text/css; charset=UTF-8";
      default -> "application/json; charset=UTF-8";
    };
  }

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
          "the search page has no [{}], it has {}", shortened(name), files.keySet());
    }
    return channel -> channel.sendResponse(response(file.contentType, file.content));
  }

  private static String shortened(String name) {
    return name.length() <= LONGEST ? name : name.substring(0, LONGEST) + "...";
  }

  private static BytesRestResponse redirect() {
    BytesRestResponse response = new BytesRestResponse(RestStatus.TEMPORARY_REDIRECT, "");
    response.addHeader("Location", "../ui");
    return response;
  }

  private BytesRestResponse response(String contentType, BytesReference content) {
    BytesRestResponse response = new BytesRestResponse(RestStatus.OK, contentType, content);
    response.addHeader("Content-Security-Policy", policy);
    response.addHeader("X-Content-Type-Options", "nosniff");
    // Hosts of pictures need not know what was searched, nor where.
    response.addHeader("Referrer-Policy", "no-referrer");
    // They belong together: after an upgrade a browser must not mix two versions of them.
    response.addHeader("Cache-Control", "no-cache");
    return response;
  }
}
