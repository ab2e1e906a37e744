/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.trainer.data.stac.HttpFiles.Request;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Lists the items of a catalogue: of a static one and its collections by their links {@code child}
 * and {@code item}, of a file of items, of an API by {@code items} and {@code next}.
 */
public final class StacReader {
  /** Of one document: as a tree it takes some ten times as much. */
  private static final int MOST_BYTES = 128 << 20;

  /** Catalogues in one another. */
  private static final int DEEPEST = 64;

  private final HttpFiles http;
  private final Map<String, StacItem> items = new LinkedHashMap<>();
  private final List<String> problems = new ArrayList<>();
  private final Deque<Document> left = new ArrayDeque<>();
  private final Set<Request> seen = new HashSet<>();

  /**
   * A document to read.
   *
   * @param depth below the first
   */
  private record Document(Request request, int depth) {
    URI address() {
      return request.address();
    }
  }

  /**
   * The items of a catalogue.
   *
   * @param items in the catalogue's order
   * @param problems documents and items that cannot be read, one line each
   */
  public record Listing(List<StacItem> items, List<String> problems) {
    public Listing {
      items = List.copyOf(items);
      problems = List.copyOf(problems);
    }
  }

  private StacReader(HttpFiles http) {
    this.http = http;
  }

  /**
   * Lists a catalogue.
   *
   * @param location a file, or an address of http or https
   * @param search JSON that is sent to a search API by POST
   * @throws IllegalArgumentException when what lies there is no STAC
   * @throws IOException when it cannot be read
   */
  public static Listing read(String location, Optional<String> search, HttpFiles http)
      throws IOException, InterruptedException {
    URI address = address(location);
    if (search.isPresent() && !HttpFiles.isHttp(address)) {
      throw new IllegalArgumentException(
          "a search is sent to an address of http or https, got [" + location + "]");
    }
    search.ifPresent(body -> object(body, "the search"));
    StacReader reader = new StacReader(http);
    Document first = new Document(new Request(address, search.orElse(""), Map.of()), 0);
    reader.seen.add(first.request);
    reader.read(first);
    while (!reader.left.isEmpty()) {
      Document next = reader.left.removeFirst();
      try {
        reader.read(next);
      } catch (IllegalArgumentException e) {
        reader.problems.add(HttpFiles.shown(next.address()) + ": " + e.getMessage());
      } catch (NoSuchFileException e) {
        reader.problems.add("there is no such file: " + e.getFile());
      } catch (IOException e) {
        reader.problems.add(
            HttpFiles.shown(next.address()) + ": cannot be read: " + e.getMessage());
      }
    }
    return new Listing(List.copyOf(reader.items.values()), reader.problems);
  }

  private static URI address(String location) {
    return location.matches("(?i)https?://.*")
        ? URI.create(location.replace(" ", "%20"))
        : Path.of(location).toAbsolutePath().normalize().toUri();
  }

  private void read(Document document) throws IOException, InterruptedException {
    URI[] location = {document.address()};
    byte[] bytes;
    if (HttpFiles.isHttp(document.address())) {
      bytes = http.fetch(document.request, MOST_BYTES, found -> location[0] = found);
    } else {
      Path file = Path.of(document.address());
      if (Files.size(file) > MOST_BYTES) {
        throw new IOException(
            "it has more than "
                + MOST_BYTES
                + " bytes; write it as a catalogue of several files, or in pages");
      }
      bytes = Files.readAllBytes(file);
    }
    JsonObject json = object(new String(bytes, StandardCharsets.UTF_8), "the document");
    switch (ItemJson.text(json, "type")) {
      case "Feature" -> item(json, location[0]);
      case "FeatureCollection" -> page(document, json, location[0]);
      case "Catalog", "Collection" -> catalogue(document, json, location[0]);
      default -> {
        if (!(json.get("collections") instanceof JsonArray collections)) {
          throw new IllegalArgumentException(
              "no STAC: its type is ["
                  + ItemJson.shown(ItemJson.text(json, "type"))
                  + "]; a Catalog, a Collection, a Feature or a FeatureCollection is read");
        }
        for (JsonElement collection : collections) {
          if (collection instanceof JsonObject one) {
            catalogue(document, one, location[0]);
          }
        }
        next(document, json, location[0]);
      }
    }
  }

  private static JsonObject object(String text, String what) {
    try {
      if (JsonParser.parseString(text) instanceof JsonObject object) {
        return object;
      }
    } catch (JsonParseException e) {
      throw new IllegalArgumentException(
          what + " is no JSON: " + ItemJson.shown(String.valueOf(e.getMessage())), e);
    }
    throw new IllegalArgumentException(
        what + " is no JSON object: [" + ItemJson.shown(text.strip()) + "]");
  }

  /** An API lists a collection's items; a static catalogue links to each. */
  private void catalogue(Document document, JsonObject json, URI location) {
    ItemJson.checkVersion(json);
    List<JsonObject> links = new ArrayList<>(Links.of(json, "items"));
    if (links.isEmpty()) {
      links.addAll(Links.of(json, "item"));
      links.addAll(Links.of(json, "child"));
    }
    if (links.isEmpty()) {
      links.addAll(Links.of(json, "data"));
    }
    if (document.depth == DEEPEST && !links.isEmpty()) {
      problems.add(
          HttpFiles.shown(location) + ": more than " + DEEPEST + " catalogues in one another");
      return;
    }
    List<Document> below = new ArrayList<>();
    for (JsonObject link : links) {
      try {
        URI address = Links.resolve(location, ItemJson.text(link, "href"));
        below.add(new Document(Request.get(address), document.depth + 1));
      } catch (IllegalArgumentException e) {
        problems.add(HttpFiles.shown(location) + ": " + e.getMessage());
      }
    }
    // The first of them is read next.
    for (int i = below.size() - 1; i >= 0; i--) {
      if (seen.add(below.get(i).request)) {
        left.addFirst(below.get(i));
      }
    }
  }

  private void page(Document document, JsonObject json, URI location) {
    if (!(json.get("features") instanceof JsonArray features)) {
      throw new IllegalArgumentException("a FeatureCollection needs features");
    }
    for (JsonElement feature : features) {
      if (!(feature instanceof JsonObject item)) {
        problems.add(HttpFiles.shown(location) + ": a feature is no object");
        continue;
      }
      try {
        item(item, Links.self(item, location));
      } catch (IllegalArgumentException e) {
        problems.add(
            HttpFiles.shown(location)
                + ", item ["
                + ItemJson.shown(ItemJson.text(item, "id"))
                + "]: "
                + e.getMessage());
      }
    }
    next(document, json, location);
  }

  private void item(JsonObject json, URI location) {
    StacItem item = ItemJson.read(json, location);
    StacItem other = items.putIfAbsent(item.name(), item);
    // A page that moved while it was read repeats some.
    if (other != null && !other.href().equals(item.href())) {
      problems.add(item.href() + ": the item [" + item.name() + "] is there twice");
    }
  }

  /** The next page, as the specification of STAC APIs has its link. */
  private void next(Document document, JsonObject json, URI location) {
    for (JsonObject link : Links.of(json, "next")) {
      try {
        Request request = next(document.request, link, location);
        if (seen.add(request)) {
          left.addFirst(new Document(request, document.depth));
        } else {
          problems.add(
              HttpFiles.shown(location) + ": the next page is one that was read; pages may lack");
        }
      } catch (IllegalArgumentException e) {
        problems.add(HttpFiles.shown(location) + ": " + e.getMessage());
      }
    }
  }

  private static Request next(Request before, JsonObject link, URI location) {
    URI address = Links.resolve(location, ItemJson.text(link, "href"));
    Map<String, String> headers = new HashMap<>();
    JsonObject given = ItemJson.object(link, "headers");
    if (given != null) {
      given.asMap().forEach((name, value) -> headers.put(name, header(value)));
    }
    String method = ItemJson.text(link, "method").toUpperCase(Locale.ROOT);
    if (!method.equals("POST")) {
      return new Request(address, "", headers);
    }
    boolean merge = link.get("merge") instanceof JsonPrimitive all && all.getAsBoolean();
    JsonObject body = new JsonObject();
    if (merge && !before.body().isEmpty()) {
      body = object(before.body(), "the search");
    }
    JsonObject own = ItemJson.object(link, "body");
    if (own != null) {
      own.asMap().forEach(body::add);
    }
    return new Request(address, body.toString(), headers);
  }

  private static String header(JsonElement value) {
    if (value instanceof JsonPrimitive text) {
      return text.getAsString();
    }
    throw new IllegalArgumentException("a header of the next page is no text");
  }
}
