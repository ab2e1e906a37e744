/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** {@code encode} as a process of its own, against a real node. */
final class EncodeIT {
  private static final int PICTURES = 40;

  private static OpenSearchNode node;
  private static Path folder;
  private static Path images;

  @BeforeAll
  static void start() throws Exception {
    folder = Nodes.folder("encode");
    SceneDatasetWriter.Config scenes = new SceneDatasetWriter.Config(0, 0, PICTURES, 99, 128, 0.3);
    images =
        new SceneDatasetWriter(scenes)
            .write(folder.resolve("scenes"), 2, () -> {})
            .resolveSibling(SceneDatasetWriter.IMAGES);
    node = PluginNode.start(folder.resolve("opensearch"), 0);
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  /** Runs the command line; all that it printed. */
  private static String encode(int expected, URI to, List<String> arguments) throws Exception {
    List<String> all = new ArrayList<>(List.of("encode", "--node", to.toString()));
    all.addAll(arguments);
    return Nodes.trainer(expected, folder, all);
  }

  private static JsonObject call(String method, String path, String json) throws IOException {
    return Nodes.json(node, method, path, json);
  }

  private static int count(String index) throws IOException {
    call("POST", "/" + index + "/_refresh", null);
    return call("GET", "/" + index + "/_count", null).get("count").getAsInt();
  }

  /** Returns how many pictures the node has encoded, queries among them. */
  private static int encodedImages() throws IOException {
    JsonObject stats = call("GET", "/_plugins/_cross_modal/stats", null).getAsJsonObject("nodes");
    String only = stats.keySet().iterator().next();
    return stats.getAsJsonObject(only).get("encoded_images").getAsInt();
  }

  private static String first(String index, String query) throws IOException {
    JsonArray hits =
        call("POST", "/" + index + "/_search", "{\"size\":1,\"query\":" + query + "}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    return hits.get(0).getAsJsonObject().getAsJsonObject("_source").get("path").getAsString();
  }

  /** Passes requests on to the node, except that the first transport meet a full queue. */
  private static HttpServer moody(AtomicInteger transport, int refused) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    HttpClient client = HttpClient.newHttpClient();
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            if (exchange.getRequestURI().getPath().endsWith("/_bulk")
                && transport.incrementAndGet() <= refused) {
              exchange.getRequestBody().readAllBytes();
              exchange.sendResponseHeaders(429, -1);
            } else {
              pass(client, exchange);
            }
          }
        });
    server.start();
    return server;
  }

  private static void pass(HttpClient client, HttpExchange exchange) throws IOException {
    HttpRequest request =
        HttpRequest.newBuilder(node.baseUri().resolve(exchange.getRequestURI()))
            .header("content-type", "application/json")
            .method(
                exchange.getRequestMethod(),
                HttpRequest.BodyPublishers.ofByteArray(exchange.getRequestBody().readAllBytes()))
            .build();
    try {
      HttpResponse<byte[]> answer = client.send(request, HttpResponse.BodyHandlers.ofByteArray());
      int length = answer.body().length;
      exchange.sendResponseHeaders(answer.statusCode(), length == 0 ? -1 : length);
      exchange.getResponseBody().write(answer.body());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }

  @Test
  void anArchiveIsSentOnceHoweverOftenEncodeRuns() throws Exception {
    int before = encodedImages();
    List<String> archive = List.of("--data", folder.resolve("scenes").toString());
    List<String> arguments = new ArrayList<>(archive);
    arguments.addAll(List.of("--index", "archive"));
    assertTrue(encode(2, node.baseUri(), arguments).contains("--create-index"));
    List<String> creating = new ArrayList<>(arguments);
    creating.add("--create-index");
    AtomicInteger transport = new AtomicInteger();
    HttpServer moody = moody(transport, 2);
    try {
      URI full = URI.create("http://127.0.0.1:" + moody.getAddress().getPort());
      String printed = encode(0, full, creating);
      assertTrue(printed.contains(PICTURES + " pictures encoded, 0 done before"), printed);
    } finally {
      moody.stop(0);
    }
    assertEquals(3, transport.get(), "one request, refused twice");
    assertEquals(PICTURES, count("archive"));

    String again = encode(0, node.baseUri(), arguments);
    assertTrue(again.contains("0 pictures encoded, " + PICTURES + " done before"), again);

    // Killed before the journal knew of the last ones.
    Path journal = folder.resolve("archive.image.rgb.journal");
    byte[] known = Files.readAllBytes(journal);
    Files.write(journal, Arrays.copyOf(known, known.length - 100));
    String resumed = encode(0, node.baseUri(), arguments);
    assertTrue(resumed.contains(PICTURES + " pictures encoded"), resumed);
    assertEquals(PICTURES, count("archive"));

    assertEquals(before, encodedImages(), "the node encoded none");

    Path picture = images.resolve(first("archive", "{\"match_all\":{}}"));
    String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(picture));
    String image = "{\"field\":\"image\",\"query_image\":\"" + bytes + "\"}";
    assertEquals(
        picture.getFileName().toString(),
        first("archive", "{\"cross_modal\":" + image + "}"),
        "the picture that the node encodes now is the one that was encoded before");
    String caption = "\"field\":\"image\",\"query_text\":\"two white tanks\"";
    JsonObject rescored =
        call(
            "POST",
            "/archive/_search",
            "{\"query\":{\"cross_modal\":{"
                + caption
                + "}},\"rescore\":{\"window_size\":10,\"fusion\":{"
                + caption
                + "}}}");
    double best = rescored.getAsJsonObject("hits").get("max_score").getAsDouble();
    assertTrue(best >= 1, "tokens are there: " + best);

    // A new index of that name has none of them; the old journal does not hide it.
    call("DELETE", "/archive", null);
    encode(0, node.baseUri(), creating);
    assertEquals(PICTURES, count("archive"));
  }

  @Test
  void aBundleOfOtherSpacesIsRefusedBeforeAnythingIsSent() throws Exception {
    Path foreign = folder.resolve("foreign.zip");
    BundleWriter.write(
        TestBundles.random("foreign", ModelConfig.micro(), 1), foreign, List.of("a b"));
    call(
        "PUT",
        "/foreign",
        "{\"mappings\":{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}}");
    List<String> arguments = new ArrayList<>(List.of("--data", images.toString()));
    arguments.addAll(List.of("--bundle", foreign.toString(), "--index", "foreign"));
    String refused = encode(2, node.baseUri(), arguments);
    assertTrue(refused.contains("belongs to a model of filter space"), refused);
    assertEquals(0, count("foreign"));
    List<String> creating = new ArrayList<>(arguments.subList(0, 4));
    creating.addAll(List.of("--index", "elsewhere", "--create-index"));
    assertTrue(encode(2, node.baseUri(), creating).contains("deploy the bundle first"));
    creating.addAll(List.of("--model", "scenes-tiny"));
    assertTrue(encode(2, node.baseUri(), creating).contains("other spaces"));
  }

  @Test
  void aPatchIsFoundWhereItLies() throws Exception {
    String name = "S2A_MSIL2A_20170613T101031_87_48";
    Path patch = Files.createDirectories(folder.resolve("patches").resolve(name));
    float[] values = new float[120 * 120];
    Arrays.fill(values, 800);
    byte[] band =
        GeoTiffWriter.write(
            new BandImage(1, 120, 120, values),
            GeoTiffWriter.Values.UINT16,
            new Georeference(32633, 120, 120, List.of(404_400d, 10d, 0d, 5_342_400d, 0d, -10d)));
    for (String key : List.of("B02", "B03", "B04")) {
      Files.write(patch.resolve(name + "_" + key + ".tif"), band);
    }
    encode(
        0,
        node.baseUri(),
        List.of(
            "--data",
            folder.resolve("patches").toString(),
            "--index",
            "patches",
            "--create-index"));
    assertEquals(1, count("patches"));
    String near =
        "{\"bool\":{\"filter\":[{\"geo_distance\":{\"distance\":\"2km\",\"centre\":{\"lat\":48.223,"
            + "\"lon\":13.72}}},{\"geo_shape\":{\"footprint\":{\"shape\":{\"type\":\"point\","
            + "\"coordinates\":[13.722,48.222]}}}},{\"range\":{\"acquired\":{\"gte\":\"2017-06-13\","
            + "\"lt\":\"2017-06-14\"}}}]}}";
    assertEquals(name, first("patches", near));
  }

  /** Two pictures side by side are a scene of two chips. */
  @Test
  void aSceneIsFoundChipByChip() throws Exception {
    List<Path> sides;
    try (Stream<Path> files = Files.list(images)) {
      sides = files.sorted().limit(2).toList();
    }
    int side = 128;
    float[] values = new float[3 * side * 2 * side];
    for (int half = 0; half < 2; half++) {
      BufferedImage picture = ImageIO.read(sides.get(half).toFile());
      for (int i = 0; i < side * side; i++) {
        int rgb = picture.getRGB(i % side, i / side);
        for (int band = 0; band < 3; band++) {
          int at = (band * side + i / side) * 2 * side + half * side + i % side;
          values[at] = 10 * ((rgb >> (16 - 8 * band)) & 0xff);
        }
      }
    }
    Path scene = folder.resolve("north.tif");
    Files.write(
        scene,
        GeoTiffWriter.write(
            new BandImage(3, 2 * side, side, values),
            GeoTiffWriter.Values.UINT16,
            new Georeference(
                32617, 2 * side, side, List.of(500_000d, 5d, 0d, 4_200_000d, 0d, -5d))));
    List<String> arguments = new ArrayList<>(List.of("--data", scene.toString()));
    arguments.addAll(List.of("--chip-metres", "640", "--index", "chips", "--create-index"));
    String refused = encode(4, node.baseUri(), arguments);
    assertTrue(refused.contains("--stretch"), refused);
    arguments.addAll(List.of("--stretch", "0:2550", "--rgb", "1,2,3"));
    encode(0, node.baseUri(), arguments);
    assertEquals(2, count("chips"));

    String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(sides.get(1)));
    JsonArray hits =
        call(
                "POST",
                "/chips/_search",
                "{\"query\":{\"cross_modal\":{\"field\":\"image\",\"query_image\":\""
                    + bytes
                    + "\"}}}")
            .getAsJsonObject("hits")
            .getAsJsonArray("hits");
    assertEquals(2, hits.size());
    JsonObject right = hits.get(0).getAsJsonObject().getAsJsonObject("_source");
    assertEquals("[128,0,128,128]", right.getAsJsonArray("window").toString());
    assertEquals(5, right.get("resolution").getAsDouble());
    byte[] thumbnail = Base64.getDecoder().decode(right.get("thumbnail").getAsString());
    assertEquals(side, ImageIO.read(new ByteArrayInputStream(thumbnail)).getWidth());
    String there =
        "{\"geo_distance\":{\"distance\":\"300m\",\"centre\":" + right.get("centre") + "}}";
    JsonObject near = call("POST", "/chips/_count", "{\"query\":" + there + "}");
    assertEquals(1, near.get("count").getAsInt());

    String again = encode(0, node.baseUri(), arguments);
    assertTrue(again.contains("2 done before"), again);
    assertEquals(2, count("chips"));
  }
}
