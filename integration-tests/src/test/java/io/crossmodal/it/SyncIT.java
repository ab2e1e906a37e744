/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.SimpleFileServer;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code encode --sync}, {@code --stac} and files of Parquet, as processes, on a real node. */
final class SyncIT {
  private static final int SIDE = 128;

  private static OpenSearchNode node;
  private static Path folder;
  private static List<Path> pictures;

  @BeforeAll
  static void start() throws Exception {
    folder = Nodes.folder("sync");
    SceneDatasetWriter.Config scenes = new SceneDatasetWriter.Config(0, 0, 12, 7, SIDE, 0.3);
    Path images =
        new SceneDatasetWriter(scenes)
            .write(folder.resolve("scenes"), 2, () -> {})
            .resolveSibling(SceneDatasetWriter.IMAGES);
    try (Stream<Path> files = Files.list(images)) {
      pictures = files.sorted().toList();
    }
    node = PluginNode.start(folder.resolve("opensearch"), 0);
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  /** Runs the command line; all that it printed. */
  private static String encode(int expected, List<String> arguments, String... more)
      throws Exception {
    List<String> all = new ArrayList<>(List.of("encode", "--node", node.baseUri().toString()));
    all.addAll(arguments);
    all.addAll(List.of(more));
    return Nodes.trainer(expected, folder, all);
  }

  private static JsonObject call(String method, String path, String json) throws IOException {
    return Nodes.json(node, method, path, json);
  }

  /** Returns how many documents of each scene or path an index has. */
  private static String scenes(String index, String field) throws IOException {
    call("POST", "/" + index + "/_refresh", null);
    JsonArray buckets =
        call(
                "POST",
                "/" + index + "/_search",
                "{\"size\":0,\"aggs\":{\"s\":{\"terms\":{\"field\":\""
                    + field
                    + "\",\"size\":100}}}}")
            .getAsJsonObject("aggregations")
            .getAsJsonObject("s")
            .getAsJsonArray("buckets");
    TreeMap<String, Integer> counts = new TreeMap<>();
    for (JsonElement bucket : buckets) {
      JsonObject one = bucket.getAsJsonObject();
      counts.put(one.get("key").getAsString(), one.get("doc_count").getAsInt());
    }
    return counts.toString();
  }

  private static void copy(int picture, Path to) throws IOException {
    Files.write(to, Files.readAllBytes(pictures.get(picture)));
  }

  private static Path archive(String name, int... numbers) throws IOException {
    Path archive = Files.createDirectories(folder.resolve(name));
    for (int number : numbers) {
      copy(number, archive.resolve(number + ".jpg"));
    }
    return archive;
  }

  private static void assertSays(String printed, String... parts) {
    for (String part : parts) {
      assertTrue(printed.contains(part), part + " is not in: " + printed);
    }
  }

  @Test
  void whatCameChangedOrWentIsAddedReplacedOrDeleted() throws Exception {
    Path mine = archive("mine", 0, 1, 2, 3);
    Path others = archive("others", 8, 9);
    List<String> sync = List.of("--data", mine.toString(), "--index", "kept", "--sync");
    List<String> plan = List.of("--data", mine.toString(), "--index", "kept", "--sync=plan");
    assertSays(
        encode(0, plan, "--create-index"),
        "add 0.jpg",
        "4 to add, 0 to replace, 0 to finish, 0 to");
    // A plan changes nothing.
    assertSays(encode(2, sync), "has no index [kept]");
    encode(0, sync, "--create-index");
    encode(0, List.of("--data", others.toString(), "--index", "kept"));
    String all = "{0.jpg=1, 1.jpg=1, 2.jpg=1, 3.jpg=1, 8.jpg=1, 9.jpg=1}";
    assertEquals(all, scenes("kept", "path"));
    assertSays(encode(0, sync), "0 to add, 0 to replace, 0 to finish, 0 to delete, 4 as they are");
    // Documents of earlier versions do not name their field.
    call(
        "POST",
        "/kept/_update_by_query?refresh=true",
        "{\"query\":{\"exists\":{\"field\":\"origin.field\"}},\"script\":{\"source\":"
            + "\"ctx._source.origin.remove('field')\"}}");
    assertSays(encode(0, sync), "0 to add, 0 to replace, 0 to finish, 0 to delete, 4 as they are");

    Files.delete(mine.resolve("0.jpg"));
    copy(5, mine.resolve("1.jpg"));
    copy(4, mine.resolve("4.jpg"));
    // The bytes of one that stays: stored once.
    copy(2, mine.resolve("7.jpg"));
    String told = encode(0, plan);
    assertSays(told, "replace 1.jpg", "add 4.jpg", "delete 0.jpg, documents: 1");
    assertSays(told, "1 to add, 1 to replace, 0 to finish, 1 to delete, 2 as they are, 1 with the");
    assertEquals(all, scenes("kept", "path"));
    assertSays(encode(0, sync), "2 documents deleted", "2 pictures encoded");
    String now = "{1.jpg=1, 2.jpg=1, 3.jpg=1, 4.jpg=1, 8.jpg=1, 9.jpg=1}";
    assertEquals(now, scenes("kept", "path"));

    // With problems, and where nothing is listed, nothing goes unless that is said.
    Files.delete(mine.resolve("3.jpg"));
    Files.writeString(mine.resolve("6.jpg"), "no picture");
    assertSays(encode(4, sync), "0 documents deleted; 1 scenes", "--delete-anyway", "6.jpg");
    assertEquals(now, scenes("kept", "path"));
    try (Stream<Path> files = Files.list(mine)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    assertSays(encode(0, sync), "4 scenes that are not in the source", "it lists nothing");
    assertEquals(now, scenes("kept", "path"));
    assertSays(encode(0, sync, "--delete-anyway"), "4 documents deleted");
    assertEquals("{8.jpg=1, 9.jpg=1}", scenes("kept", "path"), "those of nobody stay");

    assertSays(
        encode(2, List.of("--data", mine.toString(), "--sync", "--out", "lines")), "needs --index");
    assertSays(encode(2, sync, "--restart"), "no --out, --journal or --restart");
  }

  /** A scene of two chips of two pictures side by side. */
  private static byte[] scene(int left, int right, double north) throws IOException {
    float[] values = new float[3 * SIDE * 2 * SIDE];
    for (int half = 0; half < 2; half++) {
      BufferedImage picture = ImageIO.read(pictures.get(half == 0 ? left : right).toFile());
      for (int i = 0; i < SIDE * SIDE; i++) {
        int rgb = picture.getRGB(i % SIDE, i / SIDE);
        for (int band = 0; band < 3; band++) {
          int at = (band * SIDE + i / SIDE) * 2 * SIDE + half * SIDE + i % SIDE;
          values[at] = 10 * ((rgb >> (16 - 8 * band)) & 0xff);
        }
      }
    }
    return GeoTiffWriter.write(
        new BandImage(3, 2 * SIDE, SIDE, values),
        GeoTiffWriter.Values.UINT16,
        new Georeference(32617, 2 * SIDE, SIDE, List.of(500_000d, 5d, 0d, north, 0d, -5d)));
  }

  private static List<String> cutting(String... more) {
    List<String> arguments = new ArrayList<>(List.of(more));
    arguments.addAll(List.of("--chip", "128", "--stretch", "0:2550", "--rgb", "1,2,3"));
    return arguments;
  }

  /** Notes that a scene of a source is being sent. */
  private static void note(String index, String source, String scene) throws IOException {
    String name = String.join("\0", "unfinished", source, "image", "");
    String id = Sha256.hex(name.getBytes(StandardCharsets.UTF_8)).substring(0, 32);
    call(
        "PUT",
        "/" + index + "/_doc/" + id + "?refresh=true",
        "{\"origin\":{\"source\":\""
            + source
            + "\",\"field\":\"image\",\"empty\":true,\"unfinished\":[\""
            + scene
            + "\"]}}");
  }

  /** Returns which scenes are noted as being sent. */
  private static String notes(String index) throws IOException {
    call("POST", "/" + index + "/_refresh", null);
    JsonObject found =
        call(
            "POST",
            "/" + index + "/_search",
            "{\"query\":{\"term\":{\"origin.empty\":true}},\"_source\":[\"origin.unfinished\"]}");
    List<String> notes = new ArrayList<>();
    for (JsonElement hit : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
      JsonObject source = hit.getAsJsonObject().getAsJsonObject("_source");
      notes.add(source.getAsJsonObject("origin").get("unfinished").toString());
    }
    return notes.toString();
  }

  /** What one field holds of a source is not the other's. */
  @Test
  void twoFieldsOfOneSourceAreKeptInStepEachByItself() throws Exception {
    Path mine = archive("both", 0, 1);
    call(
        "PUT",
        "/fields",
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"scenes-tiny\"},"
            + "\"other\":{\"type\":\"cross_modal\",\"model\":\"scenes-tiny\"},"
            + "\"path\":{\"type\":\"keyword\"}}}}");
    List<String> image = List.of("--data", mine.toString(), "--index", "fields", "--sync");
    List<String> other = new ArrayList<>(image);
    other.addAll(List.of("--field", "other"));
    encode(0, image);
    assertSays(encode(0, other), "2 to add, 0 to replace, 0 to finish, 0 to delete");
    assertSays(encode(0, image), "0 to add, 0 to replace, 0 to finish, 0 to delete, 2 as they");
    Files.delete(mine.resolve("0.jpg"));
    assertSays(encode(0, image), "1 to delete", "1 documents deleted");
    assertEquals("{0.jpg=1, 1.jpg=2}", scenes("fields", "path"));
    assertSays(encode(0, other), "1 documents deleted");
    assertEquals("{1.jpg=2}", scenes("fields", "path"));
  }

  /** What says where clouds are in a scene is no scene, and nothing that came or went. */
  @Test
  void aClassificationBesideASceneIsNoScene() throws Exception {
    Path scenes = Files.createDirectories(folder.resolve("clouds"));
    Files.write(scenes.resolve("T17_A.tif"), scene(0, 1, 4_200_000));
    float[] classes = new float[2 * SIDE * SIDE];
    for (int i = 0; i < classes.length; i++) {
      classes[i] = i % (2 * SIDE) < SIDE ? 9 : 4;
    }
    Files.write(
        scenes.resolve("T17_A_SCL.tif"),
        GeoTiffWriter.write(
            new BandImage(1, 2 * SIDE, SIDE, classes),
            GeoTiffWriter.Values.UINT16,
            new Georeference(32617, 2 * SIDE, SIDE, List.of(5e5, 5d, 0d, 42e5, 0d, -5d))));
    List<String> sync =
        cutting("--data", scenes.toString(), "--index", "clear", "--sync", "--skip-cloud", "0.6");
    assertSays(encode(0, sync, "--create-index"), "1 to add, 0 to replace");
    assertEquals("{T17_A.tif=1}", scenes("clear", "scene"));
    assertSays(encode(0, sync), "0 to add, 0 to replace, 0 to finish, 0 to delete, 1 as they are");
  }

  @Test
  void aSceneOfWhichAPartIsMissingIsFinished() throws Exception {
    Path scenes = Files.createDirectories(folder.resolve("tifs"));
    Files.write(scenes.resolve("a.tif"), scene(0, 1, 4_200_000));
    Files.write(scenes.resolve("b.tif"), scene(2, 3, 4_300_000));
    List<String> sync =
        cutting("--data", scenes.toString(), "--index", "cut", "--sync", "--source", "tifs");
    encode(0, sync, "--create-index");
    assertEquals("{a.tif=2, b.tif=2}", scenes("cut", "scene"));
    assertEquals("[]", notes("cut"));

    // As runs leave it that were killed: noted, and some chips are not there.
    note("cut", "tifs", "a.tif");
    note("cut", "x", "y");
    call(
        "POST",
        "/cut/_delete_by_query?refresh=true&max_docs=1",
        "{\"query\":{\"term\":{\"scene\":\"a.tif\"}}}");
    assertEquals("{a.tif=1, b.tif=2}", scenes("cut", "scene"));
    assertSays(encode(0, sync), "0 to add, 0 to replace, 1 to finish");
    assertEquals("{a.tif=2, b.tif=2}", scenes("cut", "scene"));
    assertEquals("[[\"y\"]]", notes("cut"));

    // Cut otherwise, it is another scene.
    List<String> smaller = new ArrayList<>(sync);
    smaller.set(smaller.indexOf("128"), "64");
    assertSays(encode(0, smaller), "0 to add, 2 to replace", "4 documents deleted");
    assertEquals("{a.tif=8, b.tif=8}", scenes("cut", "scene"));
  }

  /** What shows nothing is remembered, and looked at again when it changes or is cut otherwise. */
  @Test
  void aSceneWithoutAKeptChipIsNotReadAgain() throws Exception {
    Path scenes = Files.createDirectories(folder.resolve("dark"));
    Files.write(scenes.resolve("a.tif"), scene(0, 1, 4_200_000));
    float[] nothing = new float[3 * SIDE * 2 * SIDE];
    Arrays.fill(nothing, Float.NaN);
    Path dark = scenes.resolve("dark.tif");
    Files.write(
        dark,
        GeoTiffWriter.write(
            new BandImage(3, 2 * SIDE, SIDE, nothing),
            GeoTiffWriter.Values.FLOAT32,
            new Georeference(32617, 2 * SIDE, SIDE, List.of(5e5, 5d, 0d, 42e5, 0d, -5d))));
    List<String> sync =
        cutting("--data", scenes.toString(), "--index", "dark", "--sync", "--source", "dark");
    assertSays(encode(0, sync, "--create-index"), "1 scenes", "no chip is kept");
    assertEquals("{a.tif=2}", scenes("dark", "scene"));
    assertEquals("{a.tif=2, dark.tif=1}", scenes("dark", "origin.scene"));
    assertSays(encode(0, sync), "0 to add, 0 to replace, 0 to finish, 0 to delete, 2 as they are");
    // Nobody finds it by a picture or by words.
    JsonObject found =
        call(
            "POST",
            "/dark/_search",
            "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_text\":\"a pond\"}}}");
    assertEquals(2, found.getAsJsonObject("hits").getAsJsonArray("hits").size());

    Files.write(dark, scene(2, 3, 4_300_000));
    assertSays(encode(0, sync), "0 to add, 1 to replace", "1 documents deleted");
    assertEquals("{a.tif=2, dark.tif=2}", scenes("dark", "scene"));
    assertEquals("{a.tif=2, dark.tif=2}", scenes("dark", "origin.scene"));
  }

  private static String item(String id, String collection) {
    return String.format(
        Locale.ROOT,
        """
        {"type": "Feature", "stac_version": "1.1.0", "id": "%s", "collection": "%s",
         "geometry": null, "links": [],
         "properties": {"datetime": "2024-05-01T10:20:30Z", "platform": "sentinel-2b", "gsd": 10,
           "constellation": "sentinel-2", "eo:cloud_cover": 12.5, "proj:code": "EPSG:32617"},
         "assets": {"visual": {"href": "./%s.tif", "roles": ["visual"], "type": "image/tiff"}}}
        """,
        id,
        collection,
        id);
  }

  private static void catalogue(Path root, String... items) throws IOException {
    StringBuilder links = new StringBuilder();
    for (String item : items) {
      Files.writeString(root.resolve(item + ".json"), item(item, "s2"));
      links.append(links.isEmpty() ? "" : ",");
      links.append("{\"rel\": \"item\", \"href\": \"./").append(item).append(".json\"}");
    }
    Files.writeString(
        root.resolve("catalog.json"),
        "{\"type\": \"Catalog\", \"stac_version\": \"1.1.0\", \"id\": \"c\", \"description\": \"\","
            + " \"links\": ["
            + links
            + "]}");
  }

  @Test
  void aCatalogueGoesInOverHttpAndIsKeptInStep() throws Exception {
    Path root = Files.createDirectories(folder.resolve("stac"));
    Files.write(root.resolve("north.tif"), scene(4, 5, 4_200_000));
    Files.write(root.resolve("south.tif"), scene(6, 7, 4_100_000));
    catalogue(root, "north", "south", "away");
    HttpServer server =
        SimpleFileServer.createFileServer(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
            root.toAbsolutePath(),
            SimpleFileServer.OutputLevel.NONE);
    server.start();
    try {
      String address = "http://127.0.0.1:" + server.getAddress().getPort() + "/catalog.json";
      List<String> once = cutting("--stac", address, "--index", "items", "--asset", "visual");
      String printed = encode(3, once, "--create-index");
      assertSays(printed, "3 items", "4 chips of 3 items encoded", "away.tif answered 404");
      assertEquals("{s2/north=2, s2/south=2}", scenes("items", "scene"));
      String clear =
          "{\"bool\":{\"filter\":[{\"range\":{\"stac.eo:cloud_cover\":{\"lte\":20}}},{\"term\":"
              + "{\"stac.platform\":\"sentinel-2b\"}},{\"range\":{\"acquired\":{\"gte\":"
              + "\"2024-05-01\",\"lt\":\"2024-05-02\"}}},{\"term\":{\"stac.id\":\"north\"}},"
              + "{\"term\":{\"stac.proj:epsg\":32617}}]}}";
      JsonObject hits = call("POST", "/items/_search", "{\"size\":1,\"query\":" + clear + "}");
      JsonObject source =
          hits.getAsJsonObject("hits")
              .getAsJsonArray("hits")
              .get(0)
              .getAsJsonObject()
              .getAsJsonObject("_source");
      assertTrue(
          source.getAsJsonObject("stac").get("href").getAsString().endsWith("/north.json"),
          source.toString());
      assertTrue(source.has("centre") && source.has("footprint"));
      assertSays(encode(3, once), "0 chips of 3 items encoded, 2 done before");

      List<String> sync = cutting("--stac", address, "--index", "stac", "--sync");
      catalogue(root, "north", "south");
      encode(0, sync, "--create-index");
      assertEquals("{s2/north=2, s2/south=2}", scenes("stac", "scene"));
      catalogue(root, "north");
      Files.write(root.resolve("north.tif"), scene(8, 9, 4_200_000));
      assertSays(encode(0, sync), "0 to add, 1 to replace, 0 to finish, 1 to delete");
      assertEquals("{s2/north=2}", scenes("stac", "scene"));
      assertSays(encode(0, sync), "0 to add, 0 to replace, 0 to finish, 0 to delete, 1 as they");
    } finally {
      server.stop(0);
    }
  }

  @Test
  void aTableOfEmbeddingsIsTakenWithoutEncoding() throws Exception {
    Path archive = archive("table", 0, 1, 2);
    encode(0, List.of("--data", archive.toString(), "--out", "table.parquet"));
    assertSays(
        encode(2, List.of("--data", archive.toString(), "--out", "table.parquet")),
        "is there already");
    List<String> take = List.of("--data", "table.parquet", "--index", "taken");
    assertSays(encode(0, take, "--create-index"), "3 documents taken");
    assertSays(encode(0, take), "0 documents taken, none encoded, 3 done before");
    encode(0, List.of("--data", archive.toString(), "--index", "direct", "--create-index"));
    assertEquals(sources("direct"), sources("taken"));
    assertSays(encode(2, take, "--chip", "64"), "is encoded already");
  }

  /** Returns all sources, by id, embeddings and tokens among them. */
  private static String sources(String index) throws IOException {
    call("POST", "/" + index + "/_refresh", null);
    JsonArray hits =
        call(
                "POST",
                "/" + index + "/_search",
                "{\"size\":10,\"_source\":[\"*\"],\"query\":{\"match_all\":{}}}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    TreeMap<String, JsonElement> sources = new TreeMap<>();
    for (JsonElement hit : hits) {
      String id = hit.getAsJsonObject().get("_id").getAsString();
      sources.put(
          id, call("GET", "/" + index + "/_doc/" + id, null).getAsJsonObject().get("_source"));
    }
    return sources.toString();
  }
}
