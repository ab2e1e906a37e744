/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.raster.Rasters;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.function.IntConsumer;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class ScenesTest {
  private static final long SEED = MicroTraining.seed();
  private static final int WIDTH = 130;
  private static final int HEIGHT = 100;
  private static final int CHIP = 40;

  /** Columns 0, 30, 60, 90 and rows 0, 30, 60. */
  private static final int CHIPS = 12;

  private static final Cutting PIXELS = new Cutting(CHIP, 30, false, OptionalDouble.empty(), 0.5);
  private static final Look LOOK =
      new Look(192, Optional.of(Stretch.of("0:4000")), List.of(2, 1, 0));

  @TempDir static Path shared;
  private static FusionModel model;

  @TempDir Path folder;
  private Path scenes;
  private DocumentFormat format;
  private float[] values;

  @BeforeAll
  static void load() throws Exception {
    model = FusionModel.load(TestBundles.random("micro", ModelConfig.micro(), SEED), shared);
  }

  @AfterAll
  static void unload() {
    model.close();
  }

  @BeforeEach
  void draw() throws IOException {
    format = new DocumentFormat("image", "rgb", model.bundle().manifest(), TokenForm.NONE, true);
    scenes = Files.createDirectory(folder.resolve("scenes"));
    values = write("one.tif", SEED, utm(32633));
  }

  private static Georeference utm(int epsg) {
    return new Georeference(epsg, WIDTH, HEIGHT, List.of(500_000d, 10d, 0d, 5_342_400d, 0d, -10d));
  }

  private float[] write(String name, long seed, Georeference place) throws IOException {
    SplittableRandom random = new SplittableRandom(seed);
    float[] drawn = new float[3 * WIDTH * HEIGHT];
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = random.nextInt(5000);
    }
    BandImage image = new BandImage(3, WIDTH, HEIGHT, drawn);
    Files.write(
        scenes.resolve(name), GeoTiffWriter.write(image, GeoTiffWriter.Values.UINT16, place));
    return drawn;
  }

  private Scenes plan(Cutting cutting, Look look) throws IOException {
    SourceImages source = SourceImages.read(scenes, Optional.empty(), 0);
    return Scenes.plan(source.images(), builtin(cutting), model.bundle(), "rgb", look);
  }

  /** The same, by a reader that is the same on all machines. */
  private static Cutting builtin(Cutting cutting) {
    return new Cutting(
        cutting.chip(),
        cutting.stride(),
        cutting.metres(),
        cutting.resolution(),
        cutting.mostNoData(),
        cutting.clouds(),
        Rasters.Choice.BUILTIN);
  }

  private EncodeRun.Summary run(
      String out, Cutting cutting, Look look, int allowed, IntConsumer progress) throws Exception {
    Path file = folder.resolve(out);
    long written = Files.exists(file) ? Files.size(file) : 0;
    EncodeRun.Options options = new EncodeRun.Options(4, 3, allowed, look);
    try (Scenes cut = plan(cutting, look);
        Journal journal = Journal.open(folder.resolve(out + ".journal"), "file", written, false)) {
      return new EncodeRun(model, format, options, journal)
          .run(
              cut,
              listener -> NdjsonSink.file(file, journal.position(), format, listener),
              progress);
    }
  }

  /** Documents by id, in order; fails where an id is there twice. */
  private Map<String, JsonObject> documents(String out) throws IOException {
    List<String> lines = Files.readAllLines(folder.resolve(out));
    Map<String, JsonObject> documents = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i += 2) {
      JsonObject action = JsonParser.parseString(lines.get(i)).getAsJsonObject();
      String id = action.getAsJsonObject("index").get("_id").getAsString();
      assertEquals(
          null, documents.put(id, JsonParser.parseString(lines.get(i + 1)).getAsJsonObject()), id);
    }
    return documents;
  }

  /** Each chip is what its window shows, by hand. */
  @Test
  void aDocumentAChip() throws Exception {
    EncodeRun.Summary summary = run("out", PIXELS, LOOK, 0, done -> {});
    assertEquals(new EncodeRun.Summary(CHIPS, 0, 0, 0, List.of(), List.of()), summary);
    ImagePreprocessor preprocessor = model.bundle().preprocessor("rgb");
    int number = 0;
    for (JsonObject document : documents("out").values()) {
      int x = number % 4 * 30;
      int y = number / 4 * 30;
      number++;
      assertEquals("one.tif", document.get("scene").getAsString());
      assertEquals("[" + x + "," + y + ",40,40]", document.get("window").toString());
      assertEquals(10, document.get("resolution").getAsDouble());
      assertEquals(0, document.get("no_data").getAsDouble());
      assertEquals("0:4000", document.get("stretch").getAsString());
      assertEquals(false, document.has("path"));
      byte[] rgb = new byte[3 * CHIP * CHIP];
      for (int i = 0; i < CHIP * CHIP; i++) {
        int at = (y + i / CHIP) * WIDTH + x + i % CHIP;
        for (int c = 0; c < 3; c++) {
          float value = values[(2 - c) * WIDTH * HEIGHT + at];
          rgb[3 * i + c] = (byte) Math.round(Math.min(255, value * 255.0 / 4000));
        }
      }
      RgbImage picture = new RgbImage(CHIP, CHIP, rgb);
      float[] expected =
          model
              .encodeImages("rgb", List.of(preprocessor.normalise(preprocessor.sized(picture))))
              .get(0)
              .embedding();
      assertArrayEquals(expected, Documents.embedding(document.getAsJsonObject("image")), 1e-5f);
      // The central meridian is the scene's left edge.
      JsonArray ring =
          document
              .getAsJsonObject("footprint")
              .getAsJsonArray("coordinates")
              .get(0)
              .getAsJsonArray();
      double west = ring.get(0).getAsJsonArray().get(0).getAsDouble();
      double east = ring.get(2).getAsJsonArray().get(0).getAsDouble();
      double metres = 111_320 * Math.cos(Math.toRadians(48.2));
      assertEquals(x * 10, (west - 15) * metres, 5);
      assertEquals((x + CHIP) * 10, (east - 15) * metres, 5);
      byte[] thumbnail = Base64.getDecoder().decode(document.get("thumbnail").getAsString());
      BufferedImage small = ImageIO.read(new ByteArrayInputStream(thumbnail));
      assertEquals(CHIP, small.getWidth(), "it is not enlarged");
    }
  }

  /** Ended at any moment, also in the middle of a scene, and run again: as one run. */
  @Test
  void resumesInTheMiddleOfAScene() throws Exception {
    write("two.tif", SEED + 1, null);
    run("whole", PIXELS, LOOK, 0, done -> {});
    assertEquals(2 * CHIPS, documents("whole").size());
    SplittableRandom random = new SplittableRandom(SEED);
    int stops = 0;
    for (boolean ended = false; !ended; ) {
      int stop = stops * 4 + 1 + random.nextInt(4);
      try {
        EncodeRun.Summary summary =
            run(
                "parts",
                PIXELS,
                LOOK,
                0,
                done -> {
                  if (done >= stop) {
                    throw new CancellationException("stopped");
                  }
                });
        assertEquals(2 * CHIPS, summary.kept() + summary.known());
        ended = true;
      } catch (CancellationException e) {
        stops++;
      }
    }
    assertTrue(stops > 2, "stopped " + stops + " times");
    assertEquals(documents("whole"), documents("parts"));
  }

  /** A copy of a scene is the same scene; another stretch gives the same ids and other marks. */
  @Test
  void nothingIsThereTwice() throws Exception {
    Files.copy(scenes.resolve("one.tif"), scenes.resolve("copy.tif"));
    EncodeRun.Summary summary = run("out", PIXELS, LOOK, 0, done -> {});
    assertEquals(new EncodeRun.Summary(CHIPS, 0, CHIPS, 0, List.of(), List.of()), summary);
    Look other = new Look(0, Optional.of(Stretch.of("2%:98%")), List.of(2, 1, 0));
    run("other", PIXELS, other, 0, done -> {});
    assertEquals(documents("out").keySet(), documents("other").keySet());
    JsonObject one = documents("out").values().iterator().next();
    JsonObject two = documents("other").values().iterator().next();
    assertTrue(!mark(one).equals(mark(two)), mark(one));
    assertEquals(false, two.has("thumbnail"));
    String[] range = two.get("stretch").getAsString().split(":", -1);
    assertEquals(100, Double.parseDouble(range[0]), 15, "2 % of 0 to 4999");
    assertEquals(4900, Double.parseDouble(range[1]), 15, "98 % of 0 to 4999");
  }

  private static String mark(JsonObject document) {
    return document.getAsJsonObject("image").get("encoded_from").getAsString();
  }

  /** Metres and a resolution give windows of the file's own pixels. */
  @Test
  void metresFollowTheFilesResolution() throws Exception {
    Cutting metres = new Cutting(400, 300, true, OptionalDouble.empty(), 0.5);
    run("metres", metres, LOOK, 0, done -> {});
    run("pixels", PIXELS, LOOK, 0, done -> {});
    assertEquals(documents("pixels"), documents("metres"));
    Cutting coarse = new Cutting(20, 20, false, OptionalDouble.of(20), 0.5);
    run("coarse", coarse, LOOK, 0, done -> {});
    JsonObject first = documents("coarse").values().iterator().next();
    assertEquals("[0,0,40,40]", first.get("window").toString());
    assertEquals(20, first.get("resolution").getAsDouble());
  }

  /** Each scene that cannot be cut is named with the reason and what would do; others are cut. */
  @Test
  void namesScenesThatCannotBeCut() throws Exception {
    write("2-nowhere.tif", SEED + 2, null);
    write("3-elsewhere.tif", SEED + 3, utm(29999));
    byte[] whole = Files.readAllBytes(scenes.resolve("one.tif"));
    Files.write(scenes.resolve("4-cut.tif"), Arrays.copyOf(whole, whole.length / 2));
    Files.writeString(scenes.resolve("5-text.tif"), "no scene");
    BufferedImage picture = new BufferedImage(90, 60, BufferedImage.TYPE_INT_RGB);
    ImageIO.write(picture, "png", scenes.resolve("6.png").toFile());
    ImageIO.write(picture, "tif", scenes.resolve("7-colours.tif").toFile());
    Cutting metres = new Cutting(400, 300, true, OptionalDouble.empty(), 0.5);
    try (Scenes cut = plan(metres, LOOK)) {
      assertEquals(1, cut.size());
      assertEquals(CHIPS, cut.chips());
      assertProblems(
          cut.problems(),
          "2-nowhere.tif: no georeference, so its pixels have no metres: --chip-metres needs one",
          "3-elsewhere.tif: the coordinate reference system EPSG:29999 is not known",
          "4-cut.tif: damaged TIFF",
          "5-text.tif: no picture; scenes are cut from TIFF: gdal_translate -of COG",
          "6.png: the file is PNG; scenes are cut from TIFF",
          "7-colours.tif: no georeference");
    }
    try (Scenes cut = plan(PIXELS, LOOK)) {
      assertEquals(4, cut.size(), "pixels need no place");
      assertEquals(3, cut.problems().size());
      assertProblems(cut.unplaced(), "3-elsewhere.tif: the coordinate reference system EPSG:29999");
    }
    Look unstretched = new Look(0, Optional.empty(), List.of());
    try (Scenes cut = plan(PIXELS, unstretched)) {
      assertEquals(1, cut.size(), "colours need no stretch");
      assertTrue(
          cut.problems().stream()
              .anyMatch(line -> line.contains("one.tif: 3 bands of unsigned numbers of 16 bits")),
          cut.problems().toString());
    }
    Look fourth = new Look(0, LOOK.stretch(), List.of(3, 1, 0));
    try (Scenes cut = plan(PIXELS, fourth)) {
      assertTrue(
          cut.problems().stream().anyMatch(line -> line.contains("--rgb names [4, 2, 1]")),
          cut.problems().toString());
    }
    // What was planned and is gone when it is read.
    Files.delete(scenes.resolve("4-cut.tif"));
    EncodeRun.Options options = new EncodeRun.Options(4, 2, 100, LOOK);
    try (Scenes cut = plan(PIXELS, LOOK);
        Journal none = Journal.none()) {
      Files.delete(scenes.resolve("2-nowhere.tif"));
      EncodeRun.Summary summary =
          new EncodeRun(model, format, options, none)
              .run(
                  cut,
                  listener -> NdjsonSink.file(folder.resolve("gone"), 0, format, listener),
                  done -> {});
      assertEquals(1, summary.problems().size(), "one, whatever chips it has");
      assertEquals(CHIPS - 1, summary.empty());
      // Of two threads either may be the first to find it gone.
      assertTrue(
          summary
              .problems()
              .get(0)
              .matches(".*2-nowhere\\.tif \\[\\d+, \\d+, 40, 40]: there is no such file.*"),
          summary.problems().get(0));
    }
  }

  /** A scene of one value has no percentiles: a problem, not one a chip. */
  @Test
  void aFlatSceneIsAProblemOnce() throws Exception {
    float[] flat = new float[3 * WIDTH * HEIGHT];
    Arrays.fill(flat, 700);
    Files.write(
        scenes.resolve("0-flat.tif"),
        GeoTiffWriter.write(
            new BandImage(3, WIDTH, HEIGHT, flat), GeoTiffWriter.Values.UINT16, utm(32633)));
    Look percentiles = new Look(0, Optional.of(Stretch.of("2%:98%")), List.of(2, 1, 0));
    EncodeRun.Summary summary = run("flat", PIXELS, percentiles, 1, done -> {});
    assertProblems(summary.problems(), "0-flat.tif [");
    assertEquals(CHIPS - 1, summary.empty());
    assertEquals(CHIPS, summary.kept());
  }

  private static void assertProblems(List<String> lines, String... parts) {
    assertEquals(parts.length, lines.size(), lines.toString());
    for (int i = 0; i < parts.length; i++) {
      assertTrue(lines.get(i).contains(parts[i]), lines.get(i));
    }
  }

  /** Chips with too little data are left out, and are no problems. */
  @Test
  void skipsWhatHasNoData() throws Exception {
    Files.delete(scenes.resolve("one.tif"));
    BandImage image = new BandImage(1, WIDTH, HEIGHT, new float[WIDTH * HEIGHT]);
    for (int i = 0; i < image.values().length; i++) {
      // 20 of the 40 columns of the chips at 60 and all of those at 90.
      image.values()[i] = i % WIDTH < 80 ? i % 997 : Float.NaN;
    }
    Files.write(
        scenes.resolve("edge.tif"),
        GeoTiffWriter.write(image, GeoTiffWriter.Values.FLOAT32, utm(32733)));
    Look grey = new Look(64, Optional.of(Stretch.of("0:1000")), List.of());
    EncodeRun.Summary summary = run("half", PIXELS, grey, 0, done -> {});
    assertEquals(new EncodeRun.Summary(9, 0, 0, 3, List.of(), List.of()), summary);
    assertTrue(
        documents("half").values().stream()
            .anyMatch(document -> document.get("no_data").getAsDouble() == 0.5));
    assertEquals(
        new EncodeRun.Summary(0, 9, 0, 3, List.of(), List.of()),
        run("half", PIXELS, grey, 0, done -> {}),
        "what has no data is known too");
    Cutting strict = new Cutting(CHIP, 30, false, OptionalDouble.empty(), 0.2);
    assertEquals(6, run("strict", strict, grey, 0, done -> {}).empty());
    Cutting all = new Cutting(CHIP, 30, false, OptionalDouble.empty(), 1);
    assertEquals(3, run("all", all, grey, 0, done -> {}).empty(), "nothing at all is no picture");
  }

  /**
   * A scene's classification says what is cloud, or a band of its own; the document says how much.
   */
  @Test
  void skipsWhatIsCloud() throws Exception {
    Files.move(scenes.resolve("one.tif"), scenes.resolve("T33_20230614T101601_TCI.tif"));
    // At half the resolution: cloud of 9 left of column 40 of the scene, 4 elsewhere, 0 below row
    // 80.
    BandImage classes = new BandImage(1, WIDTH / 2, HEIGHT / 2, new float[WIDTH * HEIGHT / 4]);
    for (int i = 0; i < classes.values().length; i++) {
      boolean below = i / (WIDTH / 2) >= 40;
      classes.values()[i] = below ? 0 : i % (WIDTH / 2) < 20 ? 9 : 4;
    }
    Georeference place = utm(32633);
    Georeference half =
        new Georeference(
            32633, WIDTH / 2, HEIGHT / 2, List.of(500_000d, 20d, 0d, 5_342_400d, 0d, -20d));
    Files.write(
        scenes.resolve("T33_20230614T101601_SCL_20m.tif"),
        GeoTiffWriter.write(classes, GeoTiffWriter.Values.UINT16, half));
    Clouds beside = new Clouds(0.6, Optional.empty(), -1);
    Cutting cutting =
        new Cutting(
            CHIP, 30, false, OptionalDouble.empty(), 0.5, Optional.of(beside), Rasters.Choice.AUTO);
    EncodeRun.Summary summary = run("clear", cutting, LOOK, 0, done -> {});
    assertEquals(9, summary.kept(), "one column of chips is all cloud");
    assertEquals(3, summary.empty());
    for (JsonObject document : documents("clear").values()) {
      double x = document.get("window").getAsJsonArray().get(0).getAsDouble();
      assertEquals(x == 30 ? 0.25 : 0, document.get("cloud").getAsDouble(), 1e-9);
      assertEquals("2023-06-14T10:16:01Z", document.get("acquired").getAsString());
    }
    assertEquals(
        3, run("clear", cutting, LOOK, 0, done -> {}).empty(), "known from the journal, counted");
    Path tomorrow = scenes.resolve("T33_20230615T101601_TCI.tif");
    Files.move(scenes.resolve("T33_20230614T101601_TCI.tif"), tomorrow);
    try (Scenes cut = plan(cutting, LOOK)) {
      assertEquals(0, cut.size(), "the classification of another day is none");
    }
    Files.move(tomorrow, scenes.resolve("T33_20230614T101601_TCI.tif"));
    Clouds band = new Clouds(0.5, Optional.empty(), 1);
    Files.delete(scenes.resolve("T33_20230614T101601_SCL_20m.tif"));
    try (Scenes cut = plan(cutting, LOOK)) {
      assertProblems(cut.problems(), "no scene classification beside it");
    }
    Cutting byBand =
        new Cutting(
            CHIP, 30, false, OptionalDouble.empty(), 0.5, Optional.of(band), Rasters.Choice.AUTO);
    float[] masked = new float[4 * WIDTH * HEIGHT];
    for (int i = 0; i < masked.length; i++) {
      boolean mask = i / (WIDTH * HEIGHT) == 1;
      masked[i] = mask ? (i % WIDTH < 50 ? 1 : 0) : 700 + i % 90;
    }
    Files.delete(scenes.resolve("T33_20230614T101601_TCI.tif"));
    Files.write(
        scenes.resolve("masked.tif"),
        GeoTiffWriter.write(
            new BandImage(4, WIDTH, HEIGHT, masked), GeoTiffWriter.Values.UINT16, place));
    Look colours = new Look(0, LOOK.stretch(), List.of(3, 2, 0));
    summary = run("band", byBand, colours, 0, done -> {});
    assertEquals(9, summary.kept());
    assertEquals(
        0.5,
        documents("band").values().stream()
            .mapToDouble(document -> document.get("cloud").getAsDouble())
            .max()
            .orElseThrow(),
        1e-9);
    Clouds beyond = new Clouds(0.5, Optional.empty(), 4);
    Cutting refused =
        new Cutting(
            CHIP, 30, false, OptionalDouble.empty(), 0.5, Optional.of(beyond), Rasters.Choice.AUTO);
    try (Scenes cut = plan(refused, colours)) {
      assertProblems(cut.problems(), "--cloud-band names band 5");
    }
  }

  /** A damaged strip is one problem, however many chips touch it; the others are encoded. */
  @Test
  void aDamagedStripIsAProblemOnce() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    Path strips = folder.resolve("damaged.tif");
    Gdal.translate(
        scenes.resolve("one.tif"),
        strips,
        "-ot Byte -scale 0 5000 0 255 -co COMPRESS=DEFLATE -co BLOCKYSIZE=20");
    byte[] file = Files.readAllBytes(strips);
    int third = (int) stripOffset(file, 2);
    Arrays.fill(file, third, third + 8, (byte) 0xff);
    Files.delete(scenes.resolve("one.tif"));
    Files.write(scenes.resolve("damaged.tif"), file);
    Look bytes = new Look(0, Optional.empty(), List.of(0, 1, 2));
    EncodeRun.Summary summary = run("rest", PIXELS, bytes, 1, done -> {});
    assertEquals(1, summary.problems().size(), summary.problems().toString());
    assertTrue(summary.problems().get(0).contains("Deflate"), summary.problems().get(0));
    // Rows 40 to 59: of the chips, those of rows 30 to 69 touch it.
    assertEquals(3, summary.empty());
    assertEquals(8, summary.kept());
  }

  /** Where a strip of a little-endian TIFF begins, by field 273 of its first directory. */
  private static long stripOffset(byte[] file, int strip) {
    ByteBuffer tiff = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int directory = tiff.getInt(4);
    for (int i = 0; i < tiff.getShort(directory); i++) {
      int field = directory + 2 + 12 * i;
      if (tiff.getShort(field) == 273) {
        boolean shorts = tiff.getShort(field + 2) == 3;
        int values = tiff.getInt(field + 8);
        return shorts
            ? Short.toUnsignedInt(tiff.getShort(values + 2 * strip))
            : tiff.getInt(values + 4 * strip);
      }
    }
    throw new AssertionError("no strips");
  }

  /** On a disk that is full nothing counts as kept; run again with room, all is there. */
  @Test
  void aFullDiskEndsTheRun() throws Exception {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "no /dev/full on this machine");
    EncodeRun.Options options = new EncodeRun.Options(4, 2, 0, LOOK);
    try (Scenes cut = plan(PIXELS, LOOK);
        OutputStream out = Files.newOutputStream(full);
        Journal journal = Journal.open(folder.resolve("out.journal"), "file", 0, false)) {
      EncodeRun run = new EncodeRun(model, format, options, journal);
      IOException refused =
          assertThrows(
              IOException.class,
              () -> run.run(cut, listener -> new NdjsonSink(out, 0, format, listener), done -> {}));
      assertTrue(refused.getMessage().contains("No space left"), refused.getMessage());
      assertEquals(0, journal.size());
    }
    assertEquals(CHIPS, run("out", PIXELS, LOOK, 0, done -> {}).kept());
    assertEquals(CHIPS, documents("out").size());
  }

  /** Every pixel lies in a window, all windows lie in the scene, and they step evenly. */
  @Test
  void windowsCoverTheScene() {
    SplittableRandom random = new SplittableRandom(SEED);
    for (int i = 0; i < 200; i++) {
      int width = 16 + random.nextInt(300);
      int height = 16 + random.nextInt(300);
      int side = 16 + random.nextInt(100);
      double stride = 1 + random.nextInt(side);
      Cutting cutting = new Cutting(side, stride, false, OptionalDouble.empty(), 0.5);
      Cutting.Grid grid = cutting.grid(width, height, Optional.empty());
      boolean[] covered = new boolean[width * height];
      for (int n = 0; n < grid.size(); n++) {
        Window window = grid.window(n);
        assertEquals(Math.min(side, width), window.width());
        assertTrue(window.x() + window.width() <= width && window.y() + window.height() <= height);
        for (int y = window.y(); y < window.y() + window.height(); y++) {
          Arrays.fill(
              covered, y * width + window.x(), y * width + window.x() + window.width(), true);
        }
      }
      for (boolean pixel : covered) {
        assertTrue(pixel, grid.toString());
      }
    }
  }

  @Test
  void refusesCuttingsThatAreNone() {
    refused(() -> new Cutting(8, 8, false, OptionalDouble.empty(), 0.5), "at least 16 pixels");
    refused(() -> new Cutting(64, 0, false, OptionalDouble.empty(), 0.5), "a stride is at least");
    refused(() -> new Cutting(64, 64, false, OptionalDouble.of(0), 0.5), "above 0, got 0");
    refused(() -> new Cutting(64, 64, false, OptionalDouble.empty(), 50), "0 to 1");
    Cutting fine = new Cutting(16, 1, false, OptionalDouble.empty(), 0.5);
    refused(() -> fine.grid(1 << 20, 1 << 20, Optional.empty()), "at most 1000000");
    refused(() -> fine.grid(1 << 20, 10, Optional.empty()), "a chip needs 16 a side");
  }

  /** Reads all chips of a scene, in a process of its own. */
  static final class ReadInLittleHeap {
    private ReadInLittleHeap() {}

    public static void main(String[] arguments) throws Exception {
      Path scene = Path.of(arguments[0]);
      Look look = new Look(64, Optional.empty(), List.of());
      ModelBundle bundle = ModelBundle.demo();
      SourceImages source = SourceImages.read(scene, Optional.empty(), 0);
      Cutting cutting = builtin(new Cutting(1000, 2000, false, OptionalDouble.empty(), 0.5));
      PictureReader reader = EncodeRun.reader(bundle, "rgb", look);
      int read = 0;
      try (Scenes scenes = Scenes.plan(source.images(), cutting, bundle, "rgb", look)) {
        for (Iterator<Encodable> chips = scenes.iterator(); chips.hasNext(); ) {
          Encodable chip = chips.next();
          read += chip.read(reader).facts().isPresent() ? 1 : 0;
          chip.done();
        }
      }
      System.out.println(read + " chips");
    }
  }

  /** 20,000 x 20,000 pixels are 1.2 GB; 256 MB of heap read chips of 1,000 all over them. */
  @Test
  void aSceneIsLargerThanTheHeap() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    Path large = folder.resolve("large.tif");
    Gdal.run(
        "gdal_create -q -ot Byte -outsize 20000 20000 -bands 3 -burn 40 -burn 90 -burn 200"
            + " -a_srs EPSG:32633 -a_ullr 500000 5600000 700000 5400000 -co COMPRESS=ZSTD"
            + " -co TILED=YES -co BLOCKXSIZE=512 -co BLOCKYSIZE=512 -co PHOTOMETRIC=RGB "
            + large);
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                ReadInLittleHeap.class.getName(),
                large.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    assertTrue(said.endsWith("121 chips\n"), said);
  }

  private static void refused(Executable call, String part) {
    IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, call);
    assertTrue(refused.getMessage().contains(part), refused.getMessage());
  }
}
