/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.BufferedWriter;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class StacReaderTest {
  @TempDir Path folder;

  private final List<StacItems> lists = new ArrayList<>();
  private MoodyServer server;
  private HttpFiles http;

  @BeforeEach
  void start() throws IOException {
    server = new MoodyServer();
    http =
        new HttpFiles(
            MoodyServer.patience(Duration.ofSeconds(1), new ArrayList<>()), Duration.ofMinutes(1));
  }

  @AfterEach
  void stop() throws IOException {
    for (StacItems list : lists) {
      list.close();
    }
    server.close();
  }

  /** An item as the specification 1.0 has it, or 1.1 where that is said. */
  private static String item(String id, String version, String more, String links) {
    return String.format(
        Locale.ROOT,
        """
        {"type": "Feature", "stac_version": "%s", "id": "%s", "collection": "s2",
         "geometry": {"type": "Polygon", "coordinates":
           [[[10, 50], [11, 50], [11, 51], [10, 51], [10, 50]]]},
         "bbox": [10, 50, 11, 51],
         "properties": {"datetime": "2024-05-01T10:20:30.5+02:00", "platform": "sentinel-2b",
           "constellation": "sentinel-2", "instruments": ["msi"], "gsd": 10,
           "eo:cloud_cover": 12.5, %s},
         "links": [%s],
         "assets": {
           "visual": {"href": "./%s.tif", "type": "image/tiff; application=geotiff",
             "roles": ["visual", "data"], "file:checksum": "1114AB", "file:size": 5},
           "meta": {"href": "https://example.org/m.xml", "type": "application/xml"}}}
        """,
        version,
        id,
        more,
        links,
        id);
  }

  private StacReader.Listing read(String location) throws Exception {
    return StacReader.read(location, Optional.empty(), http, items());
  }

  private StacItems items() throws IOException {
    StacItems list = StacItems.at(folder.resolve("list" + lists.size()));
    lists.add(list);
    return list;
  }

  private static List<String> names(StacReader.Listing listing) {
    return listing.items().stream().map(StacItem::name).toList();
  }

  private void write(String path, String text) throws IOException {
    Path file = folder.resolve(path);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }

  @Test
  void aStaticCatalogueIsFollowedByItsLinks() throws Exception {
    write(
        "catalog.json",
        """
        {"type": "Catalog", "stac_version": "1.1.0", "id": "root", "description": "all",
         "links": [{"rel": "root", "href": "./catalog.json"},
           {"rel": "child", "href": "./s2/collection.json"},
           {"rel": "item", "href": "c/c.json"}]}
        """);
    write(
        "s2/collection.json",
        """
        {"type": "Collection", "stac_version": "1.0.0", "id": "s2", "license": "CC0-1.0",
         "description": "", "extent": {}, "links": [
           {"rel": "parent", "href": "../catalog.json"}, {"rel": "child", "href": "../catalog.json"},
           {"rel": "item", "href": "./a/a.json"}, {"rel": "item", "href": "b/b.json"}]}
        """);
    write("s2/a/a.json", item("a", "1.0.0", "\"proj:epsg\": 32633", ""));
    write("s2/b/b.json", item("b", "1.1.0", "\"proj:code\": \"EPSG:32634\"", ""));
    write("c/c.json", item("c", "1.1.0", "\"updated\": \"2024-06-01T00:00:00Z\"", ""));
    StacReader.Listing listing = read(folder.resolve("catalog.json").toString());
    assertEquals(List.of(), listing.problems());
    assertEquals(List.of("s2/c", "s2/a", "s2/b"), names(listing));
    StacItem a = listing.items().get(1);
    assertEquals(Optional.of(Instant.parse("2024-05-01T08:20:30.5Z")), a.when().datetime());
    assertEquals("sentinel-2b", a.taker().platform());
    assertEquals(List.of("msi"), a.taker().instruments());
    assertEquals(12.5, a.cloudCover().orElseThrow());
    assertEquals(32633, a.epsg().orElseThrow());
    assertEquals(List.of(10.0, 50.0, 11.0, 50.0, 11.0, 51.0, 10.0, 51.0), a.rings().get(0));
    assertEquals(folder.resolve("s2/a/a.json").toUri().toString(), a.href());
    StacItem.Asset asset = a.assets().get(0);
    assertEquals(folder.resolve("s2/a/a.tif").toUri(), asset.href());
    assertEquals("1114ab", asset.checksum());
    assertEquals(5, asset.size().orElseThrow());
    assertEquals(32634, listing.items().get(2).epsg().orElseThrow());
    assertEquals("2024-06-01T00:00:00Z", listing.items().get(0).updated());
  }

  @Test
  void anItemAmongOthersIsWhereItsOwnLinkSays() throws Exception {
    String self = "{\"rel\": \"self\", \"href\": \"" + server.at("/s2/a/a.json") + "\"}";
    write("items.json", page(item("a", "1.0.0", "\"x\": 1", self), ""));
    StacItem item = read(folder.resolve("items.json").toString()).items().get(0);
    assertEquals(server.at("/s2/a/a.tif"), item.assets().get(0).href());
    assertEquals(server.at("/s2/a/a.json").toString(), item.href());
  }

  private static String page(String items, String links) {
    return "{\"type\": \"FeatureCollection\", \"features\": ["
        + items
        + "], \"links\": ["
        + links
        + "]}";
  }

  @Test
  void anApiIsReadPageByPage() throws Exception {
    server.put(
        "/",
        "{\"type\": \"Catalog\", \"stac_version\": \"1.0.0\", \"id\": \"api\", \"links\": ["
            + "{\"rel\": \"data\", \"href\": \"/collections\"},"
            + "{\"rel\": \"search\", \"href\": \"/search\"}]}");
    server.put(
        "/collections",
        "{\"collections\": [{\"type\": \"Collection\", \"stac_version\": \"1.0.0\", \"id\": \"s2\","
            + " \"links\": [{\"rel\": \"items\", \"href\": \"/collections/s2/items\"}]}]}");
    String next = "{\"rel\": \"next\", \"href\": \"/collections/s2/items?token=2\"}";
    server.put("/collections/s2/items?token=2", page(item("b", "1.0.0", "\"x\": 1", ""), ""));
    server.put("/collections/s2/items", page(item("a", "1.0.0", "\"x\": 1", ""), next));
    StacReader.Listing listing = read(server.at("/").toString());
    assertEquals(List.of(), listing.problems());
    assertEquals(List.of("s2/a", "s2/b"), names(listing));
    assertEquals(server.at("/collections/s2/a.tif"), listing.items().get(0).assets().get(0).href());
  }

  @Test
  void aSearchByPostGoesOnWithItsBody() throws Exception {
    String merged =
        "{\"rel\": \"next\", \"href\": \"/search\", \"method\": \"POST\", \"merge\": true,"
            + " \"body\": {\"token\": \"2\"}, \"headers\": {\"x-page\": \"2\"}}";
    String whole =
        "{\"rel\": \"next\", \"href\": \"/search\", \"method\": \"POST\","
            + " \"body\": {\"token\": \"3\"}}";
    for (String one :
        List.of(
            page(item("a", "1.0.0", "\"x\": 1", ""), merged),
            page(item("b", "1.0.0", "\"x\": 1", ""), whole),
            page(item("c", "1.0.0", "\"x\": 1", ""), ""))) {
      server.once(
          "/search",
          (exchange, content) -> {
            byte[] bytes = one.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
          });
    }
    StacReader.Listing listing =
        StacReader.read(
            server.at("/search").toString(),
            Optional.of("{\"collections\":[\"s2\"]}"),
            http,
            items());
    assertEquals(List.of(), listing.problems());
    assertEquals(List.of("s2/a", "s2/b", "s2/c"), names(listing));
    assertEquals(
        List.of(
            "POST /search {\"collections\":[\"s2\"]}",
            "POST /search {\"collections\":[\"s2\"],\"token\":\"2\"}",
            "POST /search {\"token\":\"3\"}"),
        server.requests());
  }

  @Test
  void pagesThatGoRoundAreAProblemAndEnd() throws Exception {
    String next = "{\"rel\": \"next\", \"href\": \"/items\"}";
    server.put("/items", page(item("a", "1.0.0", "\"x\": 1", ""), next));
    StacReader.Listing listing = read(server.at("/items").toString());
    assertEquals(List.of("s2/a"), names(listing));
    assertEquals(1, listing.problems().size());
    assertTrue(listing.problems().get(0).contains("pages may lack"), listing.problems().get(0));
  }

  @Test
  void aServerLeadsToNoFileOfThisMachine() throws Exception {
    Path secret = Files.writeString(folder.resolve("secret.json"), "{}");
    server.put(
        "/catalog.json",
        "{\"type\": \"Catalog\", \"stac_version\": \"1.0.0\", \"id\": \"x\", \"links\": ["
            + "{\"rel\": \"child\", \"href\": \""
            + secret.toUri()
            + "\"}, {\"rel\": \"item\", \"href\": \"a.json\"}, {\"rel\": \"item\", \"href\":"
            + " \"b.json\"}]}");
    String leading =
        item("a", "1.0.0", "\"x\": 1", "").replace("./a.tif", secret.toUri().toString());
    server.put("/a.json", leading);
    server.put("/b.json", item("b", "1.0.0", "\"x\": 1", "").replace("./b.tif", "s3://b/b.tif"));
    StacReader.Listing listing = read(server.at("/catalog.json").toString());
    assertEquals(List.of(), listing.items());
    assertEquals(3, listing.problems().size(), listing.problems().toString());
    assertTrue(listing.problems().get(0).contains("to a file of this machine; refused"));
    assertTrue(listing.problems().get(1).contains("to a file of this machine; refused"));
    assertTrue(listing.problems().get(2).contains("s3://b/b.tif] is not read"));
  }

  @Test
  void whatIsNoItemIsNamedWithTheReason() throws Exception {
    String good = item("good", "1.0.0", "\"x\": 1", "");
    String features =
        String.join(
            ",",
            good,
            good.replace("1.0.0", "0.9.0"),
            good.replace("\"stac_version\": \"1.0.0\",", ""),
            good.replace("\"assets\"", "\"files\""),
            good.replace("2024-05-01T10:20:30.5+02:00", "yesterday"),
            good.replace("\"datetime\": \"2024-05-01T10:20:30.5+02:00\"", "\"datetime\": null"),
            good.replace("12.5", "1250"),
            good.replace("[[[10, 50]", "[[[1000, 50]"),
            "7");
    write("items.json", page(features, ""));
    StacReader.Listing listing = read(folder.resolve("items.json").toString());
    assertEquals(List.of("s2/good"), names(listing));
    List<String> reasons =
        List.of(
            "STAC [0.9.0] is not read",
            "no stac_version",
            "an item needs assets",
            "datetime [yesterday] is no time",
            "an item needs a datetime, or a start_datetime and an end_datetime",
            "eo:cloud_cover is 1250",
            "position [1000.0, 50.0]",
            "a feature is no object");
    assertEquals(reasons.size(), listing.problems().size(), listing.problems().toString());
    for (int i = 0; i < reasons.size(); i++) {
      assertTrue(listing.problems().get(i).contains(reasons.get(i)), listing.problems().get(i));
    }
  }

  @Test
  void brokenPartsOfACatalogueAreProblemsAndABrokenRootAnError() throws Exception {
    server.put(
        "/catalog.json",
        "{\"type\": \"Catalog\", \"stac_version\": \"1.0.0\", \"id\": \"x\", \"links\": ["
            + "{\"rel\": \"item\", \"href\": \"away.json\"}, {\"rel\": \"item\", \"href\":"
            + " \"cut.json\"}, {\"rel\": \"item\", \"href\": \"a.json\"}]}");
    server.put("/cut.json", "{\"type\": \"Fea");
    server.put("/a.json", item("a", "1.0.0", "\"x\": 1", ""));
    StacReader.Listing listing = read(server.at("/catalog.json").toString());
    assertEquals(List.of("s2/a"), names(listing));
    assertTrue(listing.problems().get(0).contains("away.json answered 404"));
    assertTrue(listing.problems().get(1).contains("is no JSON"), listing.problems().toString());
    assertThrows(IOException.class, () -> read(server.at("/away.json").toString()));
    write("picture.json", "{\"type\": \"Topology\"}");
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> read(folder.resolve("picture.json").toString()));
    assertTrue(e.getMessage().contains("its type is [Topology]"), e.getMessage());
  }

  @Test
  void assetsAreChosenByNameOrRole() {
    StacItem item =
        ItemJson.read(json(item("a", "1.0.0", "\"x\": 1", "")), URI.create("http://h/a"));
    assertEquals("visual", new AssetChoice(List.of()).of(item).get(0).key());
    assertEquals("visual", new AssetChoice(List.of("data")).of(item).get(0).key());
    assertEquals("meta", new AssetChoice(List.of("meta")).of(item).get(0).key());
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> new AssetChoice(List.of("B04")).of(item));
    assertEquals("has no asset [B04]; it has [visual, meta]", e.getMessage());
    assertThrows(
        IllegalArgumentException.class, () -> new AssetChoice(List.of("visual", "visual")));
  }

  /** A footprint over the antimeridian has a part on either side; none is left out. */
  @Test
  void allPolygonsOfAnItemAreRead() throws Exception {
    String whole = item("a", "1.1.0", "\"x\": 1", "");
    String halves =
        "{\"type\": \"MultiPolygon\", \"coordinates\":"
            + " [[[[179,10],[180,10],[180,11],[179,11],[179,10]],"
            + "[[179.2,10.2],[179.4,10.2],[179.4,10.4],[179.2,10.2]]],"
            + "[[[-180,10],[-178,10],[-178,11],[-180,11],[-180,10]]]]}";
    String cut = whole.replaceFirst("\\{\"type\": \"Polygon\", [^}]*\\}", halves);
    write("items.json", page(cut, ""));
    StacReader.Listing listing = read(folder.resolve("items.json").toString());
    assertEquals(List.of(), listing.problems());
    assertEquals(
        List.of(
            List.of(179.0, 10.0, 180.0, 10.0, 180.0, 11.0, 179.0, 11.0),
            List.of(-180.0, 10.0, -178.0, 10.0, -178.0, 11.0, -180.0, 11.0)),
        listing.items().get(0).rings());
  }

  /** What is listed comes back from the disk as it was read. */
  @Test
  void itemsAreKeptAsTheyAre() throws Exception {
    StacItem full =
        ItemJson.read(
            json(item("\u00e4\ud83d\udef0", "1.1.0", "\"proj:epsg\": 3857", "")),
            URI.create("http://h/a"));
    StacItem bare =
        ItemJson.read(
            json(
                "{\"stac_version\": \"1.0.0\", \"id\": \"b\", \"properties\": {\"datetime\": null,"
                    + " \"start_datetime\": \"1969-12-31T23:59:59.25Z\","
                    + " \"end_datetime\": \"2024-01-01T00:00:00Z\"}, \"assets\": {}}"),
            URI.create("http://h/b"));
    StacItems list = items();
    for (int i = 0; i < 100; i++) {
      list.append(i % 2 == 0 ? full : bare);
    }
    assertEquals(100, list.size());
    assertEquals(full, list.get(98));
    assertEquals(bare, list.get(1));
    assertEquals(List.of(full, bare, full), List.copyOf(list.subList(4, 7)));
    assertThrows(IndexOutOfBoundsException.class, () -> list.get(100));
  }

  /** Lists what an address has, in a process of its own. */
  static final class ListInLittleHeap {
    private ListInLittleHeap() {}

    public static void main(String[] arguments) throws Exception {
      HttpFiles files =
          new HttpFiles(
              MoodyServer.patience(Duration.ofSeconds(1), new ArrayList<>()),
              Duration.ofMinutes(1));
      try (StacItems items = StacItems.at(Path.of(arguments[1]))) {
        StacReader.Listing listing = StacReader.read(arguments[0], Optional.empty(), files, items);
        System.out.println(listing.items().size() + " items " + listing.problems());
        System.out.println(listing.items().get(MANY - 1).name());
      }
    }
  }

  private static final int MANY = 100_000;
  private static final int OF_A_PAGE = 1_000;

  /** Items with a link as long as signed ones are. */
  private static String many(int from) {
    StringBuilder features = new StringBuilder();
    String assets = "\"b\": {\"href\": \"https://example.org/" + "x".repeat(300) + ".tif\"}, ";
    for (int i = from; i < from + OF_A_PAGE; i++) {
      features.append(features.isEmpty() ? "" : ",");
      features.append(
          item("item-" + i, "1.0.0", "\"x\": 1", "")
              .replace("\"visual\": {", assets + "\"visual\": {"));
    }
    return features.toString();
  }

  /** 100,000 items are 60 MB and more as objects; a heap of 40 MB lists them. */
  @Test
  void aCatalogueIsLargerThanTheHeap() throws Exception {
    for (int page = 0; page < MANY / OF_A_PAGE; page++) {
      server.once(
          "/search",
          (exchange, content) -> {
            String query = exchange.getRequestURI().getQuery();
            int at = query == null ? 0 : Integer.parseInt(query.substring("page=".length()));
            String next =
                at + 1 == MANY / OF_A_PAGE
                    ? ""
                    : "{\"rel\": \"next\", \"href\": \"/search?page=" + (at + 1) + "\"}";
            byte[] bytes = page(many(at * OF_A_PAGE), next).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
          });
    }
    String said = listed(server.at("/search").toString());
    assertEquals("100000 items []\ns2/item-99999\n", said);
  }

  /** The same in one file. */
  @Test
  void aFileOfItemsIsLargerThanTheHeap() throws Exception {
    Path file = folder.resolve("items.json");
    try (BufferedWriter out = Files.newBufferedWriter(file)) {
      out.write("{\"features\": [");
      for (int at = 0; at < MANY; at += OF_A_PAGE) {
        out.write(at == 0 ? "" : ",");
        out.write(many(at));
      }
      out.write("], \"type\": \"FeatureCollection\"}");
    }
    assertEquals("100000 items []\ns2/item-99999\n", listed(file.toString()));
  }

  private String listed(String address) throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx40m",
                "-cp",
                System.getProperty("java.class.path"),
                ListInLittleHeap.class.getName(),
                address,
                folder.resolve("list").toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  private static byte[] packed(String text) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
      out.write(text.getBytes(StandardCharsets.UTF_8));
    }
    return bytes.toByteArray();
  }

  @Test
  void packedDocumentsAreUnpacked() throws Exception {
    String items = page(item("a", "1.0.0", "\"x\": 1", ""), "");
    server.put("/items.json", packed(items));
    assertEquals(List.of("s2/a"), names(read(server.at("/items.json").toString())));
    Path file = Files.write(folder.resolve("items.json.gz"), packed(items));
    assertEquals(List.of("s2/a"), names(read(file.toString())));
    byte[] whole = packed(items);
    Files.write(file, Arrays.copyOf(whole, whole.length / 2));
    assertThrows(IllegalArgumentException.class, () -> read(file.toString()));
    try (LimitedInput little = new LimitedInput(new ByteArrayInputStream(new byte[11]), 10)) {
      String said = assertThrows(IOException.class, little::readAllBytes).getMessage();
      assertTrue(said.contains("more than 10 bytes"), said);
    }
  }

  /** A server that makes a next page for ever is not followed for ever. */
  @Test
  void pagesWithoutItemsEnd() throws Exception {
    for (int i = 0; i < 300; i++) {
      String next = "{\"rel\": \"next\", \"href\": \"/items?token=" + i + "\"}";
      String page = page(i < 5 ? item("i" + i, "1.0.0", "\"x\": 1", "") : "", next);
      server.once(
          "/items",
          (exchange, content) -> {
            byte[] bytes = page.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
          });
    }
    StacReader.Listing listing = read(server.at("/items").toString());
    assertEquals(5, listing.items().size());
    assertEquals(105, server.requests().size());
    assertEquals(1, listing.problems().size());
    assertTrue(listing.problems().get(0).contains("100 pages in a row"), listing.problems().get(0));
  }

  /** Catalogues that name one another, and themselves, are read once each. */
  @Test
  void cataloguesThatGoRoundEnd() throws Exception {
    for (String name : List.of("a", "b")) {
      write(
          name + ".json",
          "{\"type\": \"Catalog\", \"stac_version\": \"1.0.0\", \"id\": \"x\", \"links\": ["
              + "{\"rel\": \"child\", \"href\": \"./a.json\"},"
              + "{\"rel\": \"child\", \"href\": \"./sub/../b.json\"},"
              + "{\"rel\": \"item\", \"href\": \"./i.json\"}]}");
    }
    write("i.json", item("i", "1.0.0", "\"x\": 1", ""));
    StacReader.Listing listing = read(folder.resolve("a.json").toString());
    assertEquals(List.of("s2/i"), names(listing));
    assertEquals(List.of(), listing.problems());
  }

  private static JsonObject json(String text) {
    return JsonParser.parseString(text).getAsJsonObject();
  }
}
