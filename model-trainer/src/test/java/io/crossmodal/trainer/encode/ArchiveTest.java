/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.data.stac.AssetChoice;
import io.crossmodal.trainer.data.stac.AssetFiles;
import io.crossmodal.trainer.data.stac.HttpFiles;
import io.crossmodal.trainer.data.stac.MoodyServer;
import io.crossmodal.trainer.data.stac.Spool;
import io.crossmodal.trainer.data.stac.StacReader;
import io.crossmodal.trainer.raster.Rasters;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Items of a catalogue behind a server, to documents, to a table and back. */
final class ArchiveTest {
  private static final long SEED = 5;
  private static final Look LOOK =
      new Look(32, Optional.of(Stretch.of("0:2550")), List.of(0, 1, 2));

  @TempDir static Path shared;
  @TempDir Path folder;

  private static FusionModel model;
  private DocumentFormat format;
  private MoodyServer server;
  private HttpFiles http;
  private AssetChoice choice = new AssetChoice(List.of());

  @BeforeAll
  static void load() throws Exception {
    model = FusionModel.load(TestBundles.random("micro", ModelConfig.micro(), SEED), shared);
  }

  @AfterAll
  static void unload() {
    model.close();
  }

  @BeforeEach
  void start() throws IOException {
    format = new DocumentFormat("image", "rgb", model.bundle().manifest(), TokenForm.INT8, true);
    server = new MoodyServer();
    http =
        new HttpFiles(
            MoodyServer.patience(Duration.ofSeconds(10), new ArrayList<>()), Duration.ofMinutes(1));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static byte[] picture(int seed) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    BufferedImage picture = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
    for (int p = 0; p < 400; p++) {
      picture.setRGB(p % 20, p / 20, random.nextInt(1 << 24));
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(picture, "png", bytes);
    return bytes.toByteArray();
  }

  /** A scene of two chips of 64 pixels, 16 bits, in UTM zone 33. */
  private static byte[] scene(int seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[3 * 64 * 128];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(2550);
    }
    return GeoTiffWriter.write(
        new BandImage(3, 128, 64, values),
        GeoTiffWriter.Values.UINT16,
        new Georeference(32633, 128, 64, List.of(499_900d, 10d, 0d, 5_342_400d, 0d, -10d)));
  }

  private static String item(String id, String href, String checksum) {
    return String.format(
        Locale.ROOT,
        """
        {"type": "Feature", "stac_version": "1.0.0", "id": "%s", "collection": "s2",
         "geometry": {"type": "Polygon", "coordinates": [[[10, 50], [12, 50], [12, 51], [10, 51], [10, 50]]]},
         "properties": {"datetime": null, "start_datetime": "2024-05-01T10:00:00Z",
           "end_datetime": "2024-05-01T11:00:00Z", "platform": "sentinel-2b", "gsd": 10,
           "constellation": "sentinel-2", "instruments": ["msi"], "eo:cloud_cover": 3.5,
           "proj:epsg": 32633},
         "links": [], "assets": {"visual": {"href": "%s"%s, "roles": ["visual"]}}}
        """,
        id,
        href,
        checksum.isEmpty() ? "" : ", \"file:checksum\": \"" + checksum + "\"");
  }

  /** Bands in files of their own, stacked, are the scene that has them all. */
  @Test
  void bandsInFilesOfTheirOwnAreStacked() throws Exception {
    server.put("/a.tif", scene(1));
    items(item("a", "/a.tif", ""));
    run("whole", chips(), 0);
    try (TiffScene whole = TiffScene.of(scene(1))) {
      BandImage bands = whole.values(0, new Window(0, 0, 128, 64), 128).bands();
      for (int band = 0; band < 3; band++) {
        float[] values = Arrays.copyOfRange(bands.values(), band * 64 * 128, (band + 1) * 64 * 128);
        server.put("/b" + band + ".tif", band(values, 128));
      }
      server.put("/small.tif", band(new float[64 * 64], 64));
    }
    String assets =
        item("a", "/b0.tif", "")
            .replace(
                "\"roles\": [\"visual\"]}",
                "\"roles\": []}, \"green\": {\"href\": \"/b1.tif\"},"
                    + " \"blue\": {\"href\": \"/b2.tif\"}, \"small\": {\"href\": \"/small.tif\"}");
    items(assets);
    choice = new AssetChoice(List.of("visual", "green", "blue"));
    run("stacked", chips(), 0);
    List<JsonObject> expected = documents("whole");
    List<JsonObject> found = documents("stacked");
    assertEquals(2, found.size());
    for (int i = 0; i < 2; i++) {
      for (String field : List.of("window", "footprint", "centre", "thumbnail", "stretch")) {
        assertEquals(expected.get(i).get(field), found.get(i).get(field), field);
      }
      assertEquals(
          expected.get(i).getAsJsonObject("image").get("embedding"),
          found.get(i).getAsJsonObject("image").get("embedding"));
    }
    choice = new AssetChoice(List.of("visual", "green", "small"));
    EncodeRun.Summary refused = run("refused", chips(), 1);
    assertTrue(refused.problems().get(0).contains("choose bands of one resolution"));
  }

  private static byte[] band(float[] values, int width) {
    return GeoTiffWriter.write(
        new BandImage(1, width, 64, values),
        GeoTiffWriter.Values.UINT16,
        new Georeference(32633, width, 64, List.of(499_900d, 10d, 0d, 5_342_400d, 0d, -10d)));
  }

  private void items(String... items) {
    server.put(
        "/items.json",
        "{\"type\": \"FeatureCollection\", \"features\": [" + String.join(",", items) + "]}");
  }

  private static String sha256(byte[] content) {
    return "1220" + Sha256.hex(content);
  }

  private EncodeRun.Summary run(String out, Optional<Cutting> cutting, int allowed)
      throws Exception {
    Path file = folder.resolve(out);
    long written = Files.exists(file) ? Files.size(file) : 0;
    try (Journal journal = Journal.open(folder.resolve(out + ".journal"), "file", written, false)) {
      return run(
          cutting,
          allowed,
          journal,
          listener -> NdjsonSink.file(file, journal.position(), format, listener));
    }
  }

  private EncodeRun.Summary run(
      Optional<Cutting> cutting, int allowed, Journal journal, EncodeRun.SinkFactory sinks)
      throws Exception {
    Path spool = folder.resolve("spool");
    try (AssetFiles files = new AssetFiles(http, Spool.in(spool, 1 << 20))) {
      StacReader.Listing listing =
          StacReader.read(
              server.at("/items.json").toString(), Optional.empty(), http, files.items());
      Archive archive = Archive.of(listing, choice, cutting.flatMap(Cutting::clouds), files);
      assertEquals(List.of(), archive.problems());
      Archive.Plan plan = new Archive.Plan(cutting, model.bundle(), "rgb", LOOK);
      try (ArchivePass pass = archive.pass(plan, journal)) {
        return new EncodeRun(model, format, new EncodeRun.Options(4, 3, allowed, LOOK), journal)
            .run(pass, sinks, done -> {});
      }
    } finally {
      try (var left = Files.list(spool)) {
        assertEquals(List.of(), left.toList(), "nothing is left in the spool");
      }
    }
  }

  private static Optional<Cutting> chips() {
    return Optional.of(new Cutting(64, 64, false, OptionalDouble.empty(), 0.5));
  }

  /** Sources by id, in order. */
  private List<JsonObject> documents(String out) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve(out));
    List<JsonObject> documents = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (int i = 0; i < lines.size(); i += 2) {
      JsonObject action = JsonParser.parseString(lines.get(i)).getAsJsonObject();
      String id = action.getAsJsonObject("index").get("_id").getAsString();
      assertTrue(ids.add(id), "twice: " + id);
      JsonObject source = JsonParser.parseString(lines.get(i + 1)).getAsJsonObject();
      source.addProperty("_id", id);
      documents.add(source);
    }
    return documents;
  }

  private int fetched(String path) {
    return (int)
        server.requests().stream().filter(request -> request.startsWith("GET " + path)).count();
  }

  @Test
  void picturesOfItemsKeepWhatTheCatalogueSays() throws Exception {
    server.put("/a.png", picture(1));
    server.put("/b.png", picture(2));
    items(item("a", "/a.png", sha256(picture(1))), item("b", "/b.png", ""));
    assertEquals(2, run("out", Optional.empty(), 0).kept());
    List<JsonObject> documents = documents("out");
    JsonObject stac = documents.get(0).getAsJsonObject("stac");
    assertEquals(
        "{\"id\":\"a\",\"collection\":\"s2\",\"href\":\""
            + server.at("/items.json")
            + "\",\"assets\":[\"visual\"],\"start_datetime\":\"2024-05-01T10:00:00Z\","
            + "\"end_datetime\":\"2024-05-01T11:00:00Z\",\"platform\":\"sentinel-2b\","
            + "\"constellation\":\"sentinel-2\",\"instruments\":[\"msi\"],\"gsd\":10.0,"
            + "\"eo:cloud_cover\":3.5,\"proj:epsg\":32633}",
        stac.toString());
    assertEquals("s2/a", documents.get(0).get("path").getAsString());
    assertEquals("2024-05-01T10:00:00Z", documents.get(0).get("acquired").getAsString());
    // A PNG does not say where it lies.
    assertEquals(
        "{\"lat\":50.5,\"lon\":11.0}", documents.get(0).getAsJsonObject("centre").toString());
    String content = "stac\0s2/a\0visual\0" + sha256(picture(1));
    assertEquals(
        ContentId.document("image", ContentId.chip("rgb", content, "", "")),
        documents.get(0).get("_id").getAsString());
    assertEquals(
        ContentId.document("image", ContentId.digest("rgb", List.of(picture(2)))),
        documents.get(1).get("_id").getAsString());

    EncodeRun.Summary again = run("out", Optional.empty(), 0);
    assertEquals(2, again.known());
    assertEquals(1, fetched("/a.png"));
    assertEquals(1, fetched("/b.png"));
    // What has another tag on the server is fetched again.
    server.put("/b.png", picture(3));
    assertEquals(1, run("out", Optional.empty(), 0).kept());
    assertEquals(2, fetched("/b.png"));
  }

  @Test
  void whatCannotBeFetchedIsLeftOutWithTheReason() throws Exception {
    server.put("/a.png", picture(1));
    server.put("/cut.png", Arrays.copyOf(picture(2), 100));
    items(
        item("a", "/a.png", ""),
        item("away", "/away.png", ""),
        item("cut", "/cut.png", ""),
        item("other", "/a.png", sha256(picture(2))));
    EncodeRun.Summary summary = run("out", Optional.empty(), 3);
    assertEquals(1, summary.kept());
    assertEquals(3, summary.problems().size());
    assertTrue(
        summary.problems().get(0).matches("s2/away: .*/away.png answered 404"),
        summary.problems().get(0));
    assertTrue(summary.problems().get(1).startsWith("s2/cut: "), summary.problems().get(1));
    assertTrue(summary.problems().get(2).contains("file:checksum"), summary.problems().get(2));
    assertThrows(IllegalArgumentException.class, () -> run("strict", Optional.empty(), 2));
  }

  @Test
  void scenesAreFetchedCutAndForgotten() throws Exception {
    server.put("/a.tif", scene(1));
    server.put("/b.tif", scene(2));
    server.put("/text.tif", "no picture");
    server.once("/b.tif", MoodyServer.breaksAfter(1000));
    items(
        item("a", "/a.tif", sha256(scene(1))),
        item("away", "/away.tif", ""),
        item("text", "/text.tif", ""),
        item("b", "/b.tif", ""));
    EncodeRun.Summary summary = run("out", chips(), 2);
    assertEquals(4, summary.kept());
    assertEquals(2, summary.problems().size(), summary.problems().toString());
    assertTrue(summary.problems().get(0).startsWith("s2/away: "));
    String text = summary.problems().get(1);
    // Where GDAL is installed its own words come first.
    assertTrue(text.startsWith("s2/text: ") && text.contains("no picture"), text);
    List<JsonObject> documents = documents("out");
    assertEquals("s2/b", documents.get(2).get("scene").getAsString());
    assertEquals("[64,0,64,64]", documents.get(3).get("window").toString());
    assertEquals("b", documents.get(3).getAsJsonObject("stac").get("id").getAsString());
    // By the file's own georeference, not by the item's.
    assertEquals(15, documents.get(3).getAsJsonObject("centre").get("lon").getAsDouble(), 0.1);
    // A scene that is done is not fetched again; one of which the journal lost a part is.
    assertEquals(2, run("out", chips(), 2).known());
    assertEquals(1, fetched("/a.tif"));
    assertEquals(2, fetched("/b.tif"));
    List<String> journal = Files.readAllLines(folder.resolve("out.journal"));
    int end = journal.size() - 2;
    Files.write(folder.resolve("out.journal"), journal.subList(0, end));
    EncodeRun.Summary rest = run("out", chips(), 2);
    assertEquals(3, rest.known());
    assertEquals(0, rest.kept());
    assertEquals(4, documents("out").size());
  }

  /** A classification of 20 metres, whose left half is one class and whose right half another. */
  private static byte[] classes(int left, int right) {
    float[] values = new float[32 * 64];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 64 < 32 ? left : right;
    }
    return GeoTiffWriter.write(
        new BandImage(1, 64, 32, values),
        GeoTiffWriter.Values.UINT16,
        new Georeference(32633, 64, 32, List.of(499_900d, 20d, 0d, 5_342_400d, 0d, -20d)));
  }

  private static Optional<Cutting> clear(Optional<String> classes) {
    return Optional.of(
        new Cutting(
            64,
            64,
            false,
            OptionalDouble.empty(),
            0.5,
            Optional.of(new Clouds(0.6, classes, -1)),
            Rasters.Choice.AUTO));
  }

  /** An item says itself where its clouds are. */
  @Test
  void theClassificationOfAnItemIsFetchedWithIt() throws Exception {
    server.put("/a.tif", scene(1));
    server.put("/a_scl.tif", classes(9, 4));
    items(
        item("a", "/a.tif", sha256(scene(1)))
            .replace("\"assets\": {", "\"assets\": {\"SCL\": {\"href\": \"/a_scl.tif\"}, "));
    EncodeRun.Summary summary = run("out", clear(Optional.empty()), 0);
    assertEquals(1, summary.kept());
    assertEquals(1, summary.empty());
    JsonObject kept = documents("out").get(0);
    assertEquals("[64,0,64,64]", kept.get("window").toString());
    assertEquals(0, kept.get("cloud").getAsDouble());
    assertEquals(1, run("out", clear(Optional.empty()), 0).known());
    assertEquals(1, fetched("/a_scl.tif"), "done as a whole");

    server.put("/a_scl.tif", classes(4, 4));
    assertEquals(1, run("out", clear(Optional.empty()), 0).kept(), "its clouds were corrected");
    assertEquals(2, documents("out").size());
    server.put("/a_scl.tif", "no picture");
    String problem = run("bad", clear(Optional.empty()), 1).problems().get(0);
    assertTrue(problem.contains("/a_scl.tif is no picture"), problem);
  }

  @Test
  void anItemOnAServerNeedsAClassificationOfItsOwn() throws Exception {
    items(item("a", "/a.tif", ""));
    try (AssetFiles files = new AssetFiles(http, Spool.in(folder.resolve("spool"), 1 << 20))) {
      StacReader.Listing listing =
          StacReader.read(
              server.at("/items.json").toString(), Optional.empty(), http, files.items());
      Archive archive =
          Archive.of(listing, choice, Optional.of(new Clouds(0.6, Optional.empty(), -1)), files);
      assertEquals(0, archive.size());
      String problem = archive.problems().get(0);
      assertTrue(problem.startsWith("item s2/a has no asset [scl]"), problem);
      Optional<Clouds> band = Optional.of(new Clouds(0.6, Optional.empty(), 3));
      assertEquals(1, Archive.of(listing, choice, band, files).size());
      Optional<Clouds> itself = Optional.of(new Clouds(0.6, Optional.of("visual"), -1));
      String same = Archive.of(listing, choice, itself, files).problems().get(0);
      assertTrue(same.contains("which is the scene itself"), same);
    }
  }

  /** A scene that is done is cut again where other chips of it are asked for. */
  @Test
  void aSceneIsDoneAsItWasCut() throws Exception {
    server.put("/a.tif", scene(1));
    items(item("a", "/a.tif", sha256(scene(1))));
    assertEquals(2, run("out", chips(), 0).kept());
    Cutting closer = new Cutting(64, 32, false, OptionalDouble.empty(), 0.5);
    EncodeRun.Summary more = run("out", Optional.of(closer), 0);
    assertEquals(1, more.kept());
    assertEquals(2, more.known());
    assertEquals(1, run("out", Optional.of(closer), 0).known(), "done as a whole");
  }

  @Test
  void aTableGivesBackTheSameDocuments() throws Exception {
    server.put("/a.tif", scene(1));
    server.put("/b.tif", scene(2));
    items(item("a", "/a.tif", sha256(scene(1))), item("b", "/b.tif", ""));
    run("direct", chips(), 0);
    Path table = folder.resolve("table.parquet");
    run(chips(), 0, Journal.none(), listener -> new GeoParquetSink(table, format, listener));
    Path back = folder.resolve("back");
    try (StoredEmbeddings stored = StoredEmbeddings.open(table)) {
      assertEquals(4, stored.size());
      stored.check(format);
      EncodeRun.Summary summary =
          stored.run(
              format,
              Journal.none(),
              0,
              listener -> NdjsonSink.file(back, 0, format, listener),
              done -> {});
      assertEquals(4, summary.kept());
    }
    DocumentFormat plain =
        new DocumentFormat("image", "rgb", format.model(), TokenForm.INT8, true, false);
    Path without = folder.resolve("without");
    try (StoredEmbeddings stored = StoredEmbeddings.open(table)) {
      stored.run(
          plain,
          Journal.none(),
          0,
          listener -> NdjsonSink.file(without, 0, plain, listener),
          done -> {});
    }
    assertTrue(documents("without").stream().noneMatch(one -> one.has("thumbnail")));
    List<JsonObject> expected = documents("direct");
    assertTrue(expected.stream().allMatch(one -> one.has("thumbnail")));
    List<JsonObject> found = documents("back");
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i), found.get(i));
    }
  }

  /** A row that another tool spoilt is a problem, as a picture that cannot be read is. */
  @Test
  void aRowThatIsRefusedIsLeftOut() throws Exception {
    server.put("/a.tif", scene(1));
    items(item("a", "/a.tif", ""));
    Path table = folder.resolve("table.parquet");
    run(chips(), 0, Journal.none(), listener -> new GeoParquetSink(table, format, listener));
    // WKB, little endian: a polygon of one ring of five corners.
    String polygon = "\001\003\0\0\0\001\0\0\0\005\0\0\0";
    String bytes = Files.readString(table, StandardCharsets.ISO_8859_1);
    int first = bytes.indexOf(polygon);
    assertTrue(first > 0 && bytes.indexOf(polygon, first + 1) > 0);
    String notANumber = "\0\0\0\0\0\0\370\177";
    List<String> spoilt =
        List.of(
            bytes.substring(0, first + 1) + "\002" + bytes.substring(first + 2),
            bytes.substring(0, first + 1) + "c" + bytes.substring(first + 2),
            bytes.substring(0, first + 29) + notANumber + bytes.substring(first + 37));
    List<String> reasons =
        List.of("is a LineString where polygons are", "is no WKB", "has a ring that lies nowhere");
    for (int i = 0; i < spoilt.size(); i++) {
      Files.writeString(table, spoilt.get(i), StandardCharsets.ISO_8859_1);
      try (StoredEmbeddings stored = StoredEmbeddings.open(table)) {
        Path back = folder.resolve("back" + i);
        EncodeRun.Summary summary =
            stored.run(
                format,
                Journal.none(),
                1,
                listener -> NdjsonSink.file(back, 0, format, listener),
                done -> {});
        assertEquals(1, summary.kept());
        String problem = summary.problems().get(0);
        assertTrue(problem.startsWith("row 1: its geometry " + reasons.get(i)), problem);
      }
    }
  }

  @Test
  void aTableOfAnotherModelOrFieldIsRefused() throws Exception {
    server.put("/a.png", picture(1));
    items(item("a", "/a.png", ""));
    Path table = folder.resolve("table.parquet");
    run(
        Optional.empty(),
        0,
        Journal.none(),
        listener -> new GeoParquetSink(table, format, listener));
    try (StoredEmbeddings stored = StoredEmbeddings.open(table)) {
      DocumentFormat field =
          new DocumentFormat("other", "rgb", format.model(), TokenForm.INT8, true);
      assertTrue(refusal(stored, field).contains("for the field [image], got [other]"));
      DocumentFormat form =
          new DocumentFormat("image", "rgb", format.model(), TokenForm.FP16, true);
      assertTrue(refusal(stored, form).contains("keeps tokens as [int8]"));
      stored.check(new DocumentFormat("image", "rgb", format.model(), TokenForm.NONE, true));
      DocumentFormat foreign =
          new DocumentFormat(
              "image",
              "rgb",
              TestBundles.random("foreign", ModelConfig.micro(), SEED + 1).manifest(),
              TokenForm.INT8,
              true);
      assertTrue(refusal(stored, foreign).contains("Name that bundle"));
    }
  }

  private static String refusal(StoredEmbeddings stored, DocumentFormat format) {
    return assertThrows(IllegalArgumentException.class, () -> stored.check(format)).getMessage();
  }

  /** What cannot be moved to its name is taken away. */
  @Test
  void aTableThatCannotBeFinishedLeavesNothing() throws Exception {
    Path taken = Files.createDirectory(folder.resolve("table.parquet"));
    Files.createFile(taken.resolve("file"));
    DocumentSink.Listener deaf =
        new DocumentSink.Listener() {
          @Override
          public void kept(List<DocumentFormat.Document> documents, long position) {}

          @Override
          public void refused(DocumentFormat.Document document, String reason) {}
        };
    try (GeoParquetSink sink = new GeoParquetSink(taken, format, deaf)) {
      assertThrows(IOException.class, sink::finish);
    }
    assertEquals(false, Files.exists(folder.resolve("table.parquet.part")));
  }

  @Test
  void aTableThatIsNotWholeDoesNotAppear() throws Exception {
    server.put("/a.png", picture(1));
    items(item("a", "/a.png", ""), item("away", "/away.png", ""));
    Path table = folder.resolve("table.parquet");
    assertThrows(
        IllegalArgumentException.class,
        () ->
            run(
                Optional.empty(),
                0,
                Journal.none(),
                listener -> new GeoParquetSink(table, format, listener)));
    try (var left = Files.list(folder)) {
      assertEquals(List.of("spool"), left.map(file -> file.getFileName().toString()).toList());
    }
  }
}
