/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import java.util.function.IntConsumer;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EncodeRunTest {
  private static final int PICTURES = 23;
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path shared;
  private static FusionModel model;

  @TempDir Path folder;
  private DocumentFormat format;

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
    format = new DocumentFormat("image", "rgb", model.bundle().manifest(), TokenForm.INT8, true);
    SplittableRandom random = new SplittableRandom(SEED);
    Files.createDirectory(folder.resolve("pictures"));
    for (int i = 0; i < PICTURES; i++) {
      draw(i + ".png", random);
    }
  }

  private void draw(String name, SplittableRandom random) throws IOException {
    BufferedImage picture = new BufferedImage(20, 20, BufferedImage.TYPE_INT_RGB);
    for (int p = 0; p < 400; p++) {
      picture.setRGB(p % 20, p / 20, random.nextInt(1 << 24));
    }
    ImageIO.write(picture, "png", folder.resolve("pictures").resolve(name).toFile());
  }

  private EncodeRun.Summary run(String out, int allowed, IntConsumer progress) throws Exception {
    Path file = folder.resolve(out);
    long written = Files.exists(file) ? Files.size(file) : 0;
    SourceImages source = SourceImages.read(folder.resolve("pictures"), Optional.empty(), 0);
    try (Journal journal = Journal.open(folder.resolve(out + ".journal"), "file", written, false)) {
      return new EncodeRun(model, format, new EncodeRun.Options(4, 3, allowed, Look.PLAIN), journal)
          .run(
              source.images(),
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
      JsonObject before =
          documents.put(id, JsonParser.parseString(lines.get(i + 1)).getAsJsonObject());
      assertEquals(null, before, "twice: " + id);
    }
    return documents;
  }

  @Test
  void documentsHoldWhatTheModelMakesOfTheirPicture() throws Exception {
    EncodeRun.Summary summary = run("out", 0, done -> {});
    assertEquals(new EncodeRun.Summary(PICTURES, 0, 0, 0, List.of(), List.of()), summary);
    for (JsonObject document : documents("out").values()) {
      byte[] file =
          Files.readAllBytes(
              folder.resolve("pictures").resolve(document.get("path").getAsString()));
      Encoding expected =
          model
              .encodeImages("rgb", List.of(model.bundle().preprocessor("rgb").preprocess(file)))
              .get(0);
      JsonObject value = document.getAsJsonObject("image");
      assertArrayEquals(expected.embedding(), Documents.embedding(value), 1e-5f);
      byte[] bytes = Base64.getDecoder().decode(value.get("tokens").getAsString());
      TokenBlock block = TokenBlockFormat.read(bytes, 0, bytes.length);
      assertArrayEquals(expected.tokens().values(), block.values(), 0.05f);
      assertEquals("rgb", value.get("sensor").getAsString());
      String mark = value.get("encoded_from").getAsString();
      assertTrue(mark.matches("[0-9a-f]{64}(\\.[0-9a-f]{16}){2}"), mark);
      assertTrue(mark.startsWith(ContentId.digest("rgb", List.of(file))), mark);
    }
  }

  /**
   * A made-up patch: labels, date, place and colours; another without JSON, a third without a band.
   */
  @Test
  void patchesOfBigEarthNetKeepWhatIsKnownOfThem() throws Exception {
    Path annotated = patch("S2A_MSIL2A_20170613T101031_87_48", 3558, true);
    patch("S2B_MSIL2A_20170924T93020_69_24", 1779, false);
    Path broken = patch("S2B_MSIL2A_20170924T93020_70_25", 100, false);
    Files.delete(broken.resolve(broken.getFileName() + "_B03.tif"));
    EncodeRun.Summary summary = run("out", 1, done -> {});
    assertEquals(2, summary.kept());
    assertTrue(summary.problems().get(0).startsWith(broken + ": there is no such file"));
    Files.writeString(labels(annotated), "{");
    SourceImages damaged = SourceImages.read(folder.resolve("pictures"), Optional.empty(), 0);
    assertEquals(List.of(), damaged.problems(), "it is kept");
    assertEquals(1, damaged.unlabelled().size());
    assertTrue(damaged.unlabelled().get(0).startsWith(labels(annotated) + " is not"));
    List<JsonObject> documents = List.copyOf(documents("out").values());
    assertEquals("S2A_MSIL2A_20170613T101031_87_48", documents.get(0).get("path").getAsString());
    assertEquals("[\"Water bodies\"]", documents.get(0).get("labels").toString());
    assertEquals("2017-06-13T10:10:33Z", documents.get(0).get("acquired").getAsString());
    assertEquals("2017-09-24T09:30:20Z", documents.get(1).get("acquired").getAsString());
    for (JsonObject document : documents) {
      // A tile on the central meridian of UTM zone 33, 15 degrees east.
      JsonObject centre = document.getAsJsonObject("centre");
      assertEquals(15, centre.get("lon").getAsDouble(), 1e-6);
      assertEquals(48.2, centre.get("lat").getAsDouble(), 0.1);
      JsonArray ring =
          document
              .getAsJsonObject("footprint")
              .getAsJsonArray("coordinates")
              .get(0)
              .getAsJsonArray();
      assertEquals(5, ring.size());
      assertEquals(ring.get(0), ring.get(4));
      assertTrue(ring.get(0).getAsJsonArray().get(0).getAsDouble() < 15, ring.toString());
    }
    assertPixels(documents.get(0), 255);
    assertPixels(documents.get(1), 128);
  }

  /** A grey picture of that value gives the document's embedding. */
  private void assertPixels(JsonObject document, int grey) {
    byte[] rgb = new byte[3 * 16 * 16];
    Arrays.fill(rgb, (byte) grey);
    Encoding expected =
        model
            .encodeImages(
                "rgb",
                List.of(model.bundle().preprocessor("rgb").normalise(new RgbImage(16, 16, rgb))))
            .get(0);
    assertArrayEquals(
        expected.embedding(), Documents.embedding(document.getAsJsonObject("image")), 1e-5f);
  }

  private Path patch(String name, float value, boolean annotated) throws IOException {
    Path patch = Files.createDirectories(folder.resolve("pictures").resolve("S2").resolve(name));
    float[] values = new float[20 * 20];
    Arrays.fill(values, value);
    Georeference place =
        new Georeference(32633, 20, 20, List.of(499_900d, 10d, 0d, 5_342_400d, 0d, -10d));
    for (String band : List.of("B02", "B03", "B04", "B08")) {
      Files.write(
          patch.resolve(name + "_" + band + ".tif"),
          GeoTiffWriter.write(
              new BandImage(1, 20, 20, values), GeoTiffWriter.Values.UINT16, place));
    }
    if (annotated) {
      Files.writeString(
          labels(patch),
          "{\"labels\":[\"Water bodies\"],\"acquisition_date\":\"2017-06-13 10:10:33\"}");
    }
    return patch;
  }

  private static Path labels(Path patch) {
    return patch.resolve(patch.getFileName() + "_labels_metadata.json");
  }

  /** The real ones: every patch has a label, a date and a place that its name fits. */
  @Test
  void readsRealPatches() throws Exception {
    Path real =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"))
            .resolve("data/georef/bigearthnet-v1");
    if (!Files.isDirectory(real)) {
      System.out.println("skipped: no " + real);
      return;
    }
    SourceImages source = SourceImages.read(real, Optional.empty(), 0);
    assertEquals(6, source.images().size());
    assertEquals(List.of(), source.problems());
    for (SourceImage image : source.images()) {
      assertTrue(!image.labels().isEmpty(), image.path());
      String date = image.acquired().orElseThrow().toString().substring(0, 10).replace("-", "");
      assertTrue(image.path().contains(date), image.path());
    }
    Path out = folder.resolve("real");
    try (Journal none = Journal.none()) {
      EncodeRun.Summary summary =
          new EncodeRun(model, format, new EncodeRun.Options(4, 2, 0, Look.PLAIN), none)
              .run(
                  source.images(),
                  listener -> NdjsonSink.file(out, 0, format, listener),
                  done -> {});
      assertEquals(new EncodeRun.Summary(6, 0, 0, 0, List.of(), List.of()), summary);
    }
    for (JsonObject document : documents("real").values()) {
      double latitude = document.getAsJsonObject("centre").get("lat").getAsDouble();
      assertTrue(latitude > 35 && latitude < 70, document.get("centre").toString());
    }
  }

  /** Ended at any moment and run again, it writes what one run would have written. */
  @Test
  void resumesWhereverItWasStopped() throws Exception {
    run("whole", 0, done -> {});
    SplittableRandom random = new SplittableRandom(SEED);
    int stops = 0;
    for (boolean ended = false; !ended; ) {
      int stop = stops * 5 + 1 + random.nextInt(5);
      try {
        EncodeRun.Summary summary =
            run(
                "parts",
                0,
                done -> {
                  if (done >= stop) {
                    throw new CancellationException("stopped");
                  }
                });
        assertEquals(PICTURES, summary.kept() + summary.known());
        ended = true;
      } catch (CancellationException e) {
        stops++;
      }
      // What a power failure does to the tails.
      cut("parts", random.nextInt(40));
      cut("parts.journal", random.nextInt(3));
    }
    assertTrue(stops > 1, "stopped " + stops + " times");
    run("parts", 0, done -> {});
    assertEquals(documents("whole").keySet(), documents("parts").keySet());
  }

  private void cut(String name, int bytes) throws IOException {
    Path file = folder.resolve(name);
    byte[] all = Files.exists(file) ? Files.readAllBytes(file) : new byte[0];
    Files.write(file, Arrays.copyOf(all, Math.max(0, all.length - bytes)));
  }

  @Test
  void aSecondRunSendsWhatIsNewAndWhatChanged() throws Exception {
    run("out", 0, done -> {});
    SplittableRandom random = new SplittableRandom(SEED + 1);
    draw("3.png", random);
    draw("new.png", random);
    Path same = folder.resolve("pictures").resolve("4.png");
    Files.copy(same, folder.resolve("pictures").resolve("copy.png"));
    assertEquals(
        new EncodeRun.Summary(2, PICTURES - 1, 1, 0, List.of(), List.of()),
        run("out", 0, done -> {}));
    assertEquals(PICTURES + 2, documents("out").size());
  }

  @Test
  void brokenPicturesAreNamedAndLeftOutUpToALimit() throws Exception {
    Files.writeString(folder.resolve("pictures").resolve("10.png"), "no picture");
    Files.write(folder.resolve("pictures").resolve("5.png"), new byte[0]);
    // More bytes than an array can have, which take no room on the disk.
    Path huge = folder.resolve("pictures").resolve("7.png");
    try (FileChannel sparse = FileChannel.open(huge, StandardOpenOption.WRITE)) {
      sparse.write(ByteBuffer.allocate(1), 1L << 31);
    }
    List<Integer> progress = new ArrayList<>();
    EncodeRun.Summary summary = run("out", 3, progress::add);
    assertEquals(PICTURES - 3, summary.kept());
    assertEquals(3, summary.problems().size());
    assertTrue(summary.problems().get(2).contains("7.png: 2147483649 bytes"), summary.toString());
    assertTrue(summary.problems().get(0).contains("10.png: 10 bytes"), summary.toString());
    assertEquals(PICTURES, progress.get(progress.size() - 1));
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> run("strict", 1, done -> {}));
    assertTrue(refused.getMessage().contains("1 more problems allowed"), refused.getMessage());
    assertTrue(refused.getMessage().contains("5.png"), refused.getMessage());
  }

  @Test
  void doesNotOverwriteAFileThatItDoesNotKnow() throws Exception {
    Files.writeString(folder.resolve("out"), "precious");
    IOException refused = assertThrows(IOException.class, () -> run("out", 0, done -> {}));
    assertTrue(refused.getMessage().contains("is there already"), refused.getMessage());
    assertEquals("precious", Files.readString(folder.resolve("out")));
  }
}
