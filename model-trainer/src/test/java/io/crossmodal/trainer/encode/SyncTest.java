/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpServer;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.stac.AssetChoice;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.data.stac.HttpFiles;
import io.crossmodal.trainer.data.stac.MoodyServer;
import io.crossmodal.trainer.data.stac.Spool;
import io.crossmodal.trainer.data.stac.StacReader;
import io.crossmodal.trainer.raster.Rasters;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a source is compared by, against a node that has nothing of it. */
final class SyncTest {
  private static final Retry PATIENT =
      new Retry(
          Duration.ofMillis(1),
          Duration.ofMillis(1),
          Duration.ofSeconds(30),
          wait -> {},
          System::nanoTime);

  @TempDir Path folder;

  private HttpServer node;

  /** Requests that the node answers with 503 first. */
  private final AtomicInteger away = new AtomicInteger();

  @BeforeEach
  void start() throws IOException {
    node = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    node.createContext(
        "/",
        exchange -> {
          exchange.getRequestBody().readAllBytes();
          String path = exchange.getRequestURI().getPath();
          String answer =
              path.endsWith("/_search")
                  ? "{\"aggregations\": {\"scenes\": {\"buckets\": []}}}"
                  : "{\"archive\": {}}";
          byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
          int status = away.getAndDecrement() > 0 ? 503 : path.contains("/_doc/") ? 404 : 200;
          exchange.sendResponseHeaders(status, bytes.length);
          exchange.getResponseBody().write(bytes);
          exchange.close();
        });
    node.start();
  }

  @AfterEach
  void stop() {
    node.stop(0);
  }

  private Sync compare(Archive archive) throws Exception {
    ClusterClient cluster =
        new ClusterClient(
            URI.create("http://127.0.0.1:" + node.getAddress().getPort()), Optional.empty());
    TargetIndex index = new TargetIndex("archive", "", TokenForm.INT8, true, true);
    Archive.Plan plan =
        new Archive.Plan(
            Optional.empty(),
            TestBundles.random("micro", ModelConfig.micro(), 1),
            "rgb",
            Look.PLAIN);
    return Sync.compare(
        archive,
        plan,
        TokenForm.INT8,
        new OwnedDocuments(cluster, index, "mine", "image", PATIENT));
  }

  private static String item(String id) {
    return "{\"type\": \"Feature\", \"stac_version\": \"1.0.0\", \"id\": \""
        + id
        + "\", \"geometry\": null, \"properties\": {\"datetime\": \"2024-05-01T10:00:00Z\"},"
        + " \"links\": [], \"assets\": {\"visual\": {\"href\": \"/"
        + id
        + ".png\", \"roles\": [\"visual\"]}}}";
  }

  /** What a server says of two files is no proof that they are one. */
  @Test
  void itemsOfOneTagAreNotOfOneContent() throws Exception {
    try (MoodyServer server = new MoodyServer();
        AssetFiles files =
            new AssetFiles(
                new HttpFiles(
                    MoodyServer.patience(Duration.ofSeconds(10), new ArrayList<>()),
                    Duration.ofMinutes(1)),
                Spool.in(folder.resolve("spool"), 1 << 20))) {
      server.put("/a.png", "the same tag");
      server.put("/b.png", "the same tag");
      server.put(
          "/items.json",
          "{\"type\": \"FeatureCollection\", \"features\": [" + item("a") + "," + item("b") + "]}");
      StacReader.Listing listing =
          StacReader.read(
              server.at("/items.json").toString(),
              Optional.empty(),
              new HttpFiles(
                  MoodyServer.patience(Duration.ofSeconds(10), new ArrayList<>()),
                  Duration.ofMinutes(1)),
              files.items());
      Sync sync = compare(Archive.of(listing, new AssetChoice(List.of()), Optional.empty(), files));
      assertEquals(2, sync.size(), sync.summary());
    }
  }

  /** Files of the same bytes are one, and a node that restarts meanwhile is waited for. */
  @Test
  void filesOfOneContentAreOne() throws Exception {
    Files.writeString(folder.resolve("a.png"), "the same");
    Files.writeString(folder.resolve("b.png"), "the same");
    away.set(3);
    Sync sync = compare(archive("a.png", "b.png"));
    assertEquals(1, sync.size(), sync.summary());
    assertTrue(away.get() < 0, "it was asked again");
  }

  /** Of an index that is yet to be made a plan is made without a node. */
  @Test
  void anIndexThatIsNotThereHasNothing() throws Exception {
    Files.writeString(folder.resolve("a.png"), "one");
    Archive.Plan plan =
        new Archive.Plan(
            Optional.empty(),
            TestBundles.random("micro", ModelConfig.micro(), 1),
            "rgb",
            Look.PLAIN);
    Sync sync =
        Sync.compare(
            archive("a.png"), plan, TokenForm.INT8, OwnedDocuments.none("mine", "image", PATIENT));
    List<String> told = new ArrayList<>();
    sync.tell(told::add);
    assertEquals("add a.png", told.get(0));
  }

  private Archive archive(String... names) {
    List<SourceImage> images =
        Arrays.stream(names)
            .map(name -> SourceImage.of(name, folder.resolve(name), List.of(), Optional.empty()))
            .toList();
    return Archive.of(
        new SourceImages("pictures", images, List.of(), List.of(), Map.of()), Optional.empty());
  }

  private String version(String name) throws Exception {
    SourceImage image = SourceImage.of(name, folder.resolve(name), List.of(), Optional.empty());
    Candidate.Local scene =
        new Candidate.Local(image, Optional.of(Rasters.of(Rasters.Choice.AUTO)));
    assertEquals(32, scene.stamp().length());
    return scene.version();
  }

  private void write(String name, float value) throws IOException {
    float[] values = new float[32 * 32];
    Arrays.fill(values, value);
    Files.write(
        folder.resolve(name),
        GeoTiffWriter.write(
            new BandImage(1, 32, 32, values),
            GeoTiffWriter.Values.UINT16,
            new Georeference(32633, 32, 32, List.of(499_900d, 10d, 0d, 5_342_400d, 0d, -10d))));
  }

  /** Of a virtual raster, what it is made of counts. */
  @Test
  void aVirtualRasterChangesWithItsSources() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    for (String each : List.of("one", "two")) {
      Files.createDirectory(folder.resolve(each));
      write(each + "/source.tif", each.equals("one") ? 1 : 2);
      Gdal.run(
          "gdal_translate -q -of VRT "
              + folder.resolve(each + "/source.tif")
              + " "
              + folder.resolve(each + "/scene.vrt"));
    }
    String before = version("one/scene.vrt");
    assertNotEquals(before, version("two/scene.vrt"));
    assertEquals(before, version("one/scene.vrt"));
    write("one/source.tif", 3);
    assertNotEquals(before, version("one/scene.vrt"));
  }
}
