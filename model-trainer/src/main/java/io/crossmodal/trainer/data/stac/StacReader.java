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
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import io.crossmodal.trainer.data.stac.HttpFiles.Request;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackInputStream;
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
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;

/**
 * Lists the items of a catalogue: of a static one and its collections by their links {@code child}
 * and {@code item}, of a file of items, of an API by {@code items} and {@code next}.
 */
public final class StacReader {
  /** Of one document of a server. */
  private static final int MOST_BYTES = 128 << 20;

  /** Of one that is packed: a kilobyte may unpack to a megabyte, again and again. */
  private static final long MOST_UNPACKED = 1L << 30;

  /** Pages in a row that bring no item; some servers make a next one for ever. */
  private static final int BARREN_PAGES = 100;

  private static final String FEATURES = "features";

  /** Catalogues in one another. */
  private static final int DEEPEST = 64;

  private final HttpFiles http;
  private final StacItems items;

  /** By the name of an item, the hash of its link: of what is listed, all that stays in memory. */
  private final Map<String, Integer> links = new HashMap<>();

  private final List<String> problems = new ArrayList<>();
  private final Deque<Document> left = new ArrayDeque<>();
  private final Set<Request> seen = new HashSet<>();
  private int barren;

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
   * @param items in the catalogue's order; each is read when it is asked for
   * @param problems documents and items that cannot be read, one line each
   */
  public record Listing(StacItems items, List<String> problems) {
    public Listing {
      problems = List.copyOf(problems);
    }
  }

  private StacReader(HttpFiles http, StacItems items) {
    this.http = http;
    this.items = items;
  }

  /**
   * Lists a catalogue.
   *
   * @param location a file, or an address of http or https
   * @param search JSON that is sent to a search API by POST
   * @param items empty; takes what is found, and stays with whoever made it
   * @throws IllegalArgumentException when what lies there is no STAC
   * @throws IOException when it cannot be read
   */
  public static Listing read(
      String location, Optional<String> search, HttpFiles http, StacItems items)
      throws IOException, InterruptedException {
    URI address = address(location);
    if (search.isPresent() && !HttpFiles.isHttp(address)) {
      throw new IllegalArgumentException(
          "a search is sent to an address of http or https, got [" + location + "]");
    }
    search.ifPresent(body -> object(body, "the search"));
    StacReader reader = new StacReader(http, items);
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
    return new Listing(items, reader.problems);
  }

  private static URI address(String location) {
    return location.matches("(?i)https?://.*")
        ? URI.create(location.replace(" ", "%20"))
        : Path.of(location).toAbsolutePath().normalize().toUri();
  }

  private void read(Document document) throws IOException, InterruptedException {
    URI[] location = {document.address()};
    int before = items.size();
    JsonObject json;
    try (InputStream bytes = open(document, found -> location[0] = found);
        JsonReader text = reader(bytes)) {
      json = document(text, location[0]);
    } catch (MalformedJsonException | JsonParseException | IllegalStateException | EOFException e) {
      throw new IllegalArgumentException(
          "the document is no JSON: " + ItemJson.shown(String.valueOf(e.getMessage())), e);
    }
    switch (ItemJson.text(json, "type")) {
      case "Feature" -> item(json, location[0]);
      case "FeatureCollection" -> {
        if (!json.has(FEATURES)) {
          throw new IllegalArgumentException("a FeatureCollection needs features");
        }
        barren = items.size() == before ? barren + 1 : 0;
        next(document, json, location[0]);
      }
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

  private InputStream open(Document document, Consumer<URI> location)
      throws IOException, InterruptedException {
    return HttpFiles.isHttp(document.address())
        ? new ByteArrayInputStream(http.fetch(document.request, MOST_BYTES, location))
        : Files.newInputStream(Path.of(document.address()));
  }

  /** Returns the text of a document, which some servers send packed though nobody asked. */
  private static JsonReader reader(InputStream bytes) throws IOException {
    PushbackInputStream in = new PushbackInputStream(bytes, 2);
    byte[] head = in.readNBytes(2);
    in.unread(head);
    boolean packed = head.length == 2 && head[0] == 0x1f && head[1] == (byte) 0x8b;
    return new JsonReader(
        new InputStreamReader(
            packed ? new LimitedInput(new GZIPInputStream(in), MOST_UNPACKED) : in,
            StandardCharsets.UTF_8));
  }

  /**
   * Reads a document, and the items among its features one by one: a file of all items of an
   * archive is larger than the heap.
   *
   * @return all else
   */
  private JsonObject document(JsonReader json, URI location) throws IOException {
    if (json.peek() != JsonToken.BEGIN_OBJECT) {
      throw new MalformedJsonException("it begins with " + json.peek() + " and not as an object");
    }
    JsonObject rest = new JsonObject();
    json.beginObject();
    while (json.hasNext()) {
      String name = json.nextName();
      if (name.equals(FEATURES) && json.peek() == JsonToken.BEGIN_ARRAY) {
        rest.addProperty(FEATURES, true);
        json.beginArray();
        while (json.hasNext()) {
          feature(JsonParser.parseReader(json), location);
        }
        json.endArray();
      } else {
        rest.add(name, JsonParser.parseReader(json));
      }
    }
    json.endObject();
    if (json.peek() != JsonToken.END_DOCUMENT) {
      throw new MalformedJsonException("something follows its end");
    }
    return rest;
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

  private void feature(JsonElement feature, URI location) throws IOException {
    if (!(feature instanceof JsonObject item)) {
      problems.add(HttpFiles.shown(location) + ": a feature is no object");
      return;
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

  private void item(JsonObject json, URI location) throws IOException {
    StacItem item = ItemJson.read(json, location);
    Integer other = links.putIfAbsent(item.name(), item.href().hashCode());
    if (other == null) {
      items.append(item);
    } else if (other != item.href().hashCode()) {
      // A page that moved while it was read repeats some, with the same link.
      problems.add(item.href() + ": the item [" + item.name() + "] is there twice");
    }
  }

  /** The next page, as the specification of STAC APIs has its link. */
  private void next(Document document, JsonObject json, URI location) {
    for (JsonObject link : Links.of(json, "next")) {
      try {
        Request request = next(document.request, link, location);
        if (barren == BARREN_PAGES) {
          problems.add(
              HttpFiles.shown(location)
                  + ": "
                  + BARREN_PAGES
                  + " pages in a row bring no new item; the next one is not asked for");
        } else if (seen.add(request)) {
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
