/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.Zips;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelBundleTest {
  private static final long SEED = Seeds.next();
  private static final String MANIFEST = "manifest.json";
  private static final String MODEL = "model.pt";
  private static final String VOCABULARY = "vocab.txt";

  @TempDir static Path folder;
  private static Path file;
  private static ModelBundle written;
  private static Map<String, byte[]> entries;

  /** A copy to damage. */
  private final Map<String, byte[]> damaged = new LinkedHashMap<>(entries);

  @BeforeAll
  static void write() throws Exception {
    ModelBundle random = TestBundles.random("micro", ModelConfig.micro(), SEED);
    ModelBundle bundle =
        ModelBundle.of(
            "micro",
            random.manifest().config(),
            random.words(),
            random.weights(),
            new Calibration(0.75, 1.25, -0.5),
            new ModelManifest.Training("scenes", SEED, 12.5, "0.1.0"),
            List.of(new ModelManifest.Metric("val.filter.t2i.r@1", 12.34)));
    file = folder.resolve("micro.zip");
    written = TestBundles.write(bundle, file, List.of("a tank", "two red roofs"));
    entries = Zips.read(Files.readAllBytes(file));
  }

  private static ModelBundle read(byte[] zip) throws IOException, BundleException {
    return ModelBundle.open(() -> new ByteArrayInputStream(zip), folder, Long.MAX_VALUE);
  }

  /** The archive that is loaded. */
  private static byte[] model(ModelBundle bundle) throws IOException, BundleException {
    Path archive = Files.createTempFile(folder, "archive", ".pt");
    assertEquals(bundle.weightBytes(), bundle.writeModel(archive, Precision.FP32));
    byte[] bytes = Files.readAllBytes(archive);
    Files.delete(archive);
    return bytes;
  }

  private static void assertRefused(byte[] zip, String... parts) {
    String message = assertThrows(BundleException.class, () -> read(zip)).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  private void assertRefused(String... parts) throws IOException {
    assertRefused(Zips.write(damaged), parts);
  }

  private static JsonObject object(JsonObject parent, String... path) {
    JsonObject found = parent;
    for (String name : path) {
      found = found.getAsJsonObject(name);
    }
    return found;
  }

  private void edit(Consumer<JsonObject> change) {
    JsonObject manifest =
        JsonParser.parseString(new String(entries.get(MANIFEST), StandardCharsets.UTF_8))
            .getAsJsonObject();
    change.accept(manifest);
    damaged.put(MANIFEST, manifest.toString().getBytes(StandardCharsets.UTF_8));
  }

  private void set(String field, Object value, String... path) {
    edit(
        manifest ->
            object(manifest, path)
                .add(
                    field,
                    value instanceof Number number
                        ? new JsonPrimitive(number)
                        : new JsonPrimitive((String) value)));
  }

  private void remove(String field, String... path) {
    edit(manifest -> object(manifest, path).remove(field));
  }

  /** Puts another entry in, with the SHA-256 that belongs to it. */
  private void replace(String entry, String hashField, byte[] content) {
    set(hashField, Sha256.hex(content));
    damaged.put(entry, content);
  }

  // What is written can be read.

  @Test
  void whatIsWrittenIsReadBack() throws Exception {
    ModelBundle read = ModelBundle.read(file);
    assertEquals(written.manifest(), read.manifest());
    assertEquals(new Calibration(0.75, 1.25, -0.5), read.manifest().calibration());
    assertEquals(12.34, read.manifest().metrics().get(0).value());
    assertEquals(SEED, read.manifest().training().seed());
    assertEquals(List.of("a tank", "two red roofs"), read.manifest().golden().texts());
    assertEquals(written.words(), read.words());
    assertArrayEquals(model(written), model(read));
    assertArrayEquals(entries.get(MODEL), model(read));
  }

  @Test
  void anOpenedBundleReadsItsWeightsFromTheFile() throws Exception {
    Path place = Files.copy(file, folder.resolve("opened.zip"));
    ModelBundle opened = ModelBundle.read(place);
    ModelBundle renamed = opened.withId("other");
    assertEquals("other", renamed.manifest().id());
    assertEquals(written.manifest(), renamed.manifest().withId(written.manifest().id()));
    assertArrayEquals(model(written), model(renamed));
    FusionModel.load(renamed, folder).close();
    Files.delete(place);
    assertThrows(IOException.class, opened::weights);
  }

  @Test
  void aManifestIsReadBackWithoutTheBundle() throws Exception {
    ModelManifest brief = written.manifest().brief();
    assertEquals(brief, ModelManifest.fromJson(brief.toJson()));
    assertThrows(
        BundleException.class, () -> ModelManifest.fromJson("[]".getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void aTowerOfEveryShapeSurvivesTheManifest() throws Exception {
    ModelConfig vit =
        new ModelConfig(
            8,
            2,
            12,
            4,
            1e-6,
            new TextConfig(57, 9, 2),
            ImageTowerConfig.visionTransformer(4, 2),
            3,
            List.of(
                SensorConfig.rgb(8),
                new SensorConfig("s1", 12, List.of(-12.5, -20.25), List.of(5.0, 6.5))));
    Path other = folder.resolve("vit.zip");
    TestBundles.write(TestBundles.random("vit", vit, SEED), other, List.of("a"));
    assertEquals(vit, ModelBundle.read(other).manifest().config());
  }

  /** Where pictures are resized in another way, tokens of the two do not go together. */
  @Test
  void theResizeOfASensorIsInTheManifestAndInTheFingerprints() throws Exception {
    assertFalse(new String(entries.get(MANIFEST), StandardCharsets.UTF_8).contains("resize"));
    Set<String> spaces = new HashSet<>(Set.of(written.manifest().fingerprints().tokenSpace()));
    byte[] zip = {};
    for (Resize.Fit fit : Resize.Fit.values()) {
      SensorConfig sensor = SensorConfig.rgb(16).withResize(new Resize(Resize.Filter.BICUBIC, fit));
      ModelBundle random =
          TestBundles.random("micro", ModelConfig.micro().withSensors(List.of(sensor)), SEED);
      assertTrue(spaces.add(random.manifest().fingerprints().tokenSpace()), "" + fit);
      Path other = folder.resolve("resize.zip");
      TestBundles.write(random, other, List.of("a"));
      assertEquals(sensor, ModelBundle.read(other).manifest().config().sensors().get(0));
      zip = Files.readAllBytes(other);
    }
    Map<String, byte[]> of = Zips.read(zip);
    String manifest = new String(of.get(MANIFEST), StandardCharsets.UTF_8);
    for (String[] change :
        new String[][] {
          {"\"BICUBIC\"", "\"LANCZOS\"", "resize.filter, one of [BICUBIC, BILINEAR]"},
          {"\"PAD\"", "\"STRETCH\"", "resize.fit, one of [CROP, SQUASH, PAD]"},
          {"\"PAD\"", "\"CROP\"", "fingerprints"}
        }) {
      of.put(MANIFEST, manifest.replace(change[0], change[1]).getBytes(StandardCharsets.UTF_8));
      assertRefused(Zips.write(of), change[2]);
    }
  }

  @Test
  void aModelIsWrittenToTheSameBytes() throws Exception {
    Path again = folder.resolve("again.zip");
    TestBundles.write(written, again, List.of("a tank", "two red roofs"));
    assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(again));
  }

  @Test
  void nothingIsWrittenWithoutGoldenOutputs() {
    ModelBundle fresh = TestBundles.random("fresh", ModelConfig.micro(), SEED);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertThrows(IllegalStateException.class, () -> fresh.writeTo(out));
    assertEquals(0, out.size());
  }

  // What is damaged is refused, saying what was expected and found.

  @Test
  void refusesWhatIsNoZip() throws Exception {
    assertRefused(new byte[0], "no zip");
    assertRefused("PK is not enough".getBytes(StandardCharsets.UTF_8), "no zip");
    Path text = Files.writeString(folder.resolve("text.zip"), "no zip at all");
    String message = assertThrows(BundleException.class, () -> ModelBundle.read(text)).getMessage();
    assertTrue(message.contains(text.toString()) && message.contains("no zip"), message);
  }

  @Test
  void refusesATruncatedZip() throws Exception {
    byte[] zip = Files.readAllBytes(file);
    for (int length : new int[] {5, 40, zip.length / 3, zip.length / 2, zip.length * 9 / 10}) {
      assertRefused(Arrays.copyOf(zip, length));
    }
    assertRefused(Arrays.copyOf(zip, zip.length / 2), "cut short");
  }

  @Test
  void refusesChangedBytes() throws Exception {
    byte[] zip = Files.readAllBytes(file);
    zip[zip.length / 2] ^= 0x10;
    assertRefused(zip);
  }

  @Test
  void refusesMissingAndExtraEntries() throws Exception {
    for (String entry : List.of(MANIFEST, MODEL, VOCABULARY)) {
      Map<String, byte[]> less = new LinkedHashMap<>(entries);
      less.remove(entry);
      assertRefused(Zips.write(less), entry, "found");
    }
    for (String extra : List.of("readme.txt", "../x", "/etc/passwd", "model.pt/", "MODEL.PT")) {
      Map<String, byte[]> more = new LinkedHashMap<>(entries);
      more.put(extra, new byte[0]);
      assertRefused(Zips.write(more), "[" + extra + "]");
    }
  }

  @Test
  void refusesAnEntryThatIsThereTwice() throws Exception {
    Map<String, byte[]> more = new LinkedHashMap<>(entries);
    more.put("vocab.tx_", new byte[0]);
    byte[] zip = Zips.write(more);
    for (int i = 0; i < zip.length - 9; i++) {
      if (new String(zip, i, 9, StandardCharsets.ISO_8859_1).equals("vocab.tx_")) {
        zip[i + 8] = 't';
      }
    }
    assertRefused(zip, "one vocab.txt", "several");
  }

  /** Within the bundle's limits a deflated archive could still unpack to any size. */
  @Test
  void refusesACompressedArchive() throws Exception {
    byte[] archive = Zips.write(Zips.read(entries.get(MODEL)));
    replace(MODEL, "weights_sha256", archive);
    assertRefused("is compressed");
  }

  @Test
  void refusesContentThatTheManifestDoesNotName() throws Exception {
    byte[] model = entries.get(MODEL).clone();
    model[model.length / 2] ^= 1;
    damaged.put(MODEL, model);
    assertRefused(MODEL, written.manifest().weightsSha256(), Sha256.hex(model));
    damaged.put(MODEL, entries.get(MODEL));
    byte[] words = "[PAD]\n".getBytes(StandardCharsets.UTF_8);
    damaged.put(VOCABULARY, words);
    assertRefused(VOCABULARY, written.manifest().vocabularySha256(), Sha256.hex(words));
  }

  @Test
  void refusesAnotherFormatVersion() throws Exception {
    set("format_version", 2);
    assertRefused("version 2", "reads 1");
    remove("format_version");
    assertRefused("version 0", "reads 1");
  }

  @Test
  void refusesValuesThatMakeNoModel() throws Exception {
    set("id", "Not an id");
    assertRefused(MANIFEST, "[Not an id]");
    set("hidden", 15, "config");
    assertRefused("hidden 15", "heads 2");
    set("hidden", "wide", "config");
    assertRefused(MANIFEST, "wide");
    set("heads", -1, "config");
    assertRefused("heads", "got -1");
    set("kind", "RECURRENT", "config", "image");
    assertRefused("kind");
    set("lambda", -1, "calibration");
    assertRefused("lambda", "-1");
    set("token_space", "abc", "fingerprints");
    assertRefused("fingerprint", "[abc]");
    damaged.put(MANIFEST, "{ \"format_version\": 1,".getBytes(StandardCharsets.UTF_8));
    assertRefused(MANIFEST);
    damaged.put(MANIFEST, new byte[0]);
    assertRefused(MANIFEST, "empty");
    damaged.put(MANIFEST, "[]".getBytes(StandardCharsets.UTF_8));
    assertRefused(MANIFEST);
  }

  @Test
  void namesTheFieldThatTheManifestLacks() throws Exception {
    for (String field :
        List.of(
            "config",
            "vocabulary_sha256",
            "weights_sha256",
            "fingerprints",
            "calibration",
            "training",
            "metrics",
            "golden")) {
      remove(field);
      assertRefused(MANIFEST, "lacks", field);
    }
    for (String field : List.of("text", "image", "sensors")) {
      remove(field, "config");
      assertRefused(MANIFEST, "lacks", field);
    }
    for (String field : List.of("stems", "stages", "kind")) {
      remove(field, "config", "image");
      assertRefused(MANIFEST, "lacks", field);
    }
    for (String field : List.of("filter_space", "token_space", "fusion_head")) {
      remove(field, "fingerprints");
      assertRefused(MANIFEST, "lacks", field);
    }
    for (String field : List.of("texts", "text_embeddings", "sensors")) {
      remove(field, "golden");
      assertRefused(MANIFEST, "lacks", field);
    }
    for (String field : List.of("name", "mean", "std")) {
      edit(
          manifest ->
              object(manifest, "config")
                  .getAsJsonArray("sensors")
                  .get(0)
                  .getAsJsonObject()
                  .remove(field));
      assertRefused(MANIFEST, "lacks", field);
    }
  }

  @Test
  void refusesAVocabularyOfAnotherSize() throws Exception {
    String words = new String(entries.get(VOCABULARY), StandardCharsets.UTF_8) + "more\n";
    replace(VOCABULARY, "vocabulary_sha256", words.getBytes(StandardCharsets.UTF_8));
    assertRefused("57 word pieces", "58");
  }

  @Test
  void refusesAVocabularyWithoutSpecialTokensOrWithDuplicates() throws Exception {
    String words = new String(entries.get(VOCABULARY), StandardCharsets.UTF_8);
    String twice = words.replace("##z\n", "##y\n");
    replace(VOCABULARY, "vocabulary_sha256", twice.getBytes(StandardCharsets.UTF_8));
    assertRefused(VOCABULARY, "[##y] twice");
    String lacking = words.replace("[MASK]", "[mask]");
    replace(VOCABULARY, "vocabulary_sha256", lacking.getBytes(StandardCharsets.UTF_8));
    assertRefused(VOCABULARY, "[MASK]");
  }

  @Test
  void refusesWeightsOfAnotherConfig() throws Exception {
    set("fusion_layers", 3, "config");
    assertRefused(MODEL, "fusion.layer2");
    set("feed_forward", 48, "config");
    assertRefused(MODEL, "feed_forward", "48");
    ModelConfig wider =
        new ModelConfig(
            16,
            2,
            32,
            12,
            1e-12,
            written.manifest().config().text(),
            written.manifest().config().image(),
            2,
            written.manifest().config().sensors());
    byte[] other = model(TestBundles.random("other", wider, SEED));
    replace(MODEL, "weights_sha256", other);
    assertRefused(MODEL, "filter.text.weight", "8");
    replace(MODEL, "weights_sha256", "no archive".getBytes(StandardCharsets.UTF_8));
    assertRefused(MODEL, "data.pkl");
  }

  @Test
  void refusesAlteredFingerprintsAndWhatTheyCover() throws Exception {
    String zeros = "0".repeat(64);
    set("fusion_head", zeros, "fingerprints");
    assertRefused(
        "fingerprints", "expected", zeros, written.manifest().fingerprints().fusionHead());
    // The normalisation constants are no weights, but they make the tokens.
    edit(
        manifest ->
            object(manifest, "config")
                .getAsJsonArray("sensors")
                .get(0)
                .getAsJsonObject()
                .getAsJsonArray("mean")
                .set(0, new JsonPrimitive(0.5)));
    assertRefused("fingerprints");
    byte[] other = model(TestBundles.random("micro", ModelConfig.micro(), SEED + 1));
    replace(MODEL, "weights_sha256", other);
    assertRefused("fingerprints", written.manifest().fingerprints().tokenSpace());
  }

  /** Sizes multiply: a small manifest must not ask for a machine's whole memory. */
  @Test
  void refusesSizesThatNoMachineHas() throws Exception {
    for (String field : List.of("hidden", "heads", "feed_forward", "filter_dimension")) {
      set(field, Integer.MAX_VALUE, "config");
      assertRefused(MANIFEST, field, "must be from 1 to");
    }
    set("fusion_layers", 1_000_000, "config");
    assertRefused(MANIFEST, "fusion_layers", "to 128", "1000000");
    set("layers", 1_000_000, "config", "text");
    assertRefused(MANIFEST, "layers", "to 128");
    set("max_tokens", 1_000_000, "config", "text");
    assertRefused(MANIFEST, "max_tokens", "to 4096");
    for (int side : new int[] {4096, 1 << 20, Integer.MAX_VALUE}) {
      edit(
          manifest ->
              object(manifest, "config")
                  .getAsJsonArray("sensors")
                  .get(0)
                  .getAsJsonObject()
                  .addProperty("image_size", side));
      assertRefused(MANIFEST, "image_size must be from 1 to 2048", Integer.toString(side));
    }
    edit(
        manifest -> {
          JsonArray stages = object(manifest, "config", "image").getAsJsonArray("stages");
          for (int i = 0; i < 40; i++) {
            stages.add(stages.get(0).deepCopy());
          }
        });
    assertRefused(MANIFEST, "stages of stride 2 must be from 0 to 11, got 41");
    String endless = "x".repeat(50_000);
    set("data_set", endless, "training");
    assertRefused(MANIFEST, "data_set has at most 1000 characters, got 50000");
    set("id", "A".repeat(99) + "\uD83D\uDE00");
    assertRefused(MANIFEST, "got [" + "A".repeat(99) + "... (101 characters)]");
    set("id", "half a pair");
    String json = new String(damaged.get(MANIFEST), StandardCharsets.UTF_8);
    damaged.put(MANIFEST, json.replace("a pair", "\\ud83d").getBytes(StandardCharsets.UTF_8));
    assertRefused(MANIFEST, "got [half \uFFFD]");
    edit(
        manifest -> {
          JsonArray texts = object(manifest, "golden").getAsJsonArray("texts");
          for (int i = 0; i < 100; i++) {
            texts.add("a");
          }
        });
    assertRefused(MANIFEST, "golden outputs have at most 64 texts");
  }

  /** Whatever its code is, and whatever an engine would read behind a comment. */
  @Test
  void whatIsLoadedIsWrittenHere() throws Exception {
    for (String more :
        List.of(
            "# a comment\r",
            "# a comment\u000b",
            "# a comment\f",
            "# a comment\u0085",
            "# a comment\u2028",
            "class Another(Module):\n  pass",
            "this is no code")) {
      damaged.put(MANIFEST, entries.get(MANIFEST));
      replace(MODEL, "weights_sha256", archive("fusion", code -> code + "\n" + more + "\n"));
      ModelBundle bundle = read(Zips.write(damaged));
      assertTrue(bundle.hasForeignCode(), more);
      assertFalse(bundle.runsForeignCode(Precision.FP32), more);
      assertArrayEquals(entries.get(MODEL), model(bundle), more);
      FusionModel.load(bundle, folder).close();
      assertArrayEquals(
          damaged.get(MODEL), model(bundle.allowingForeignCode()), "as it is where it is allowed");
    }
    assertFalse(written.hasForeignCode());
    ModelBundle own = read(Zips.write(entries));
    assertFalse(own.hasForeignCode());
    assertFalse(own.allowingForeignCode().runsForeignCode(Precision.FP32));
  }

  /** The archive whose code is changed in one module. */
  private static byte[] archive(String module, UnaryOperator<String> change) throws IOException {
    Map<String, byte[]> archive = Zips.read(entries.get(MODEL));
    byte[] before =
        archive.computeIfPresent(
            "model/code/__torch__/" + module + ".py",
            (name, code) ->
                change
                    .apply(new String(code, StandardCharsets.UTF_8))
                    .getBytes(StandardCharsets.UTF_8));
    assertNotNull(before, module);
    return Zips.store(archive);
  }

  /** The golden outputs tell; where the code is trusted it runs in the precision it was made in. */
  @Test
  void codeThatComputesSomethingElseIsRefusedByItsOutputs() throws Exception {
    String logit = "m = z[:, 1] - z[:, 0]";
    byte[] other = archive("mtgfe", code -> code.replace(logit, "m = (z[:, 1] - z[:, 0]) * 100."));
    edit(
        manifest -> {
          manifest.addProperty("weights_sha256", Sha256.hex(other));
          JsonArray itm =
              object(manifest, "golden")
                  .getAsJsonArray("sensors")
                  .get(0)
                  .getAsJsonObject()
                  .getAsJsonArray("itm");
          for (int i = 0; i < itm.size(); i++) {
            itm.set(i, new JsonPrimitive(itm.get(i).getAsFloat() * 100));
          }
        });
    damaged.put(MODEL, other);
    ModelBundle bundle = read(Zips.write(damaged));
    for (Precision precision : List.of(Precision.FP32, Precision.BF16)) {
      String message =
          assertThrows(
                  BundleException.class,
                  () -> FusionModel.load(bundle, folder, Device.cpu(), precision))
              .getMessage();
      assertTrue(message.contains("golden"), message);
      assertTrue(message.contains("model.pt holds other code, which is not run"), message);
    }
    ModelBundle allowed = bundle.allowingForeignCode();
    FusionModel.load(allowed, folder).close();
    String message =
        assertThrows(
                BundleException.class,
                () -> FusionModel.load(allowed, folder, Device.cpu(), Precision.BF16))
            .getMessage();
    assertTrue(message.contains("too coarse"), message);
    assertTrue(message.contains("which is not run"), message);
  }

  @Test
  void refusesContentThatIsMuchTooLarge() throws Exception {
    // 20 MB of blanks in 20 kB.
    byte[] blanks = new byte[20 << 20];
    Arrays.fill(blanks, (byte) ' ');
    damaged.put(MANIFEST, blanks);
    assertRefused(MANIFEST, "at most");
    damaged.put(MANIFEST, entries.get(MANIFEST));
    damaged.put(VOCABULARY, blanks);
    assertRefused(VOCABULARY, "at most");
    damaged.put(VOCABULARY, entries.get(VOCABULARY));
    damaged.put(MODEL, new byte[100 << 20]);
    assertRefused(MODEL, "may unpack to at most");
  }

  @Test
  void aModelWhoseGoldenOutputsDifferIsNotServed() throws Exception {
    edit(
        manifest -> {
          JsonObject sensor =
              object(manifest, "golden").getAsJsonArray("sensors").get(0).getAsJsonObject();
          float itm = sensor.getAsJsonArray("itm").get(3).getAsFloat();
          sensor.getAsJsonArray("itm").set(3, new JsonPrimitive(itm + 0.01f));
        });
    ModelBundle altered = read(Zips.write(damaged));
    String message =
        assertThrows(BundleException.class, () -> FusionModel.load(altered, folder)).getMessage();
    assertTrue(message.contains("rgb matching logits: value 3"), message);
    assertTrue(message.contains("tolerance"), message);

    edit(manifest -> object(manifest, "golden").getAsJsonArray("text_embeddings").remove(1));
    ModelBundle fewer = read(Zips.write(damaged));
    message =
        assertThrows(BundleException.class, () -> FusionModel.load(fewer, folder)).getMessage();
    assertTrue(message.contains("expected 8 values, found 16"), message);
    message =
        assertThrows(
                BundleException.class,
                () -> FusionModel.load(fewer, folder, Device.cpu(), Precision.BF16))
            .getMessage();
    assertTrue(message.contains("expected 8 values, found 16"), message);

    edit(manifest -> object(manifest, "golden").addProperty("tolerance", 1e9));
    byte[] anything = Zips.write(damaged);
    message = assertThrows(BundleException.class, () -> read(anything)).getMessage();
    assertTrue(message.contains("tolerance must be above 0 and at most 0.01"), message);

    damaged.put(MANIFEST, entries.get(MANIFEST));
    FusionModel.load(read(Zips.write(damaged)), folder).close();
    try (Stream<Path> left = Files.list(folder)) {
      assertEquals(0, left.filter(p -> p.getFileName().toString().startsWith("model-")).count());
    }
  }

  // Fingerprints say what may be mixed with what.

  private static Fingerprints fingerprints(StateDict state, List<String> vocabulary)
      throws IOException {
    return Fingerprints.of(written.manifest().config(), vocabulary, state);
  }

  private static StateDict changed(String name) throws IOException {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(written.weights().tensors());
    ScriptTensor tensor = tensors.get(name);
    float[] values = tensor.values().clone();
    values[values.length - 1] += 1;
    tensors.put(name, ScriptTensor.parameter(values, tensor.shape()));
    return new StateDict(tensors);
  }

  @Test
  void aFingerprintChangesWithWhatItCoversAlone() throws Exception {
    Fingerprints before = written.manifest().fingerprints();
    List<String> words = written.words();
    assertEquals(before, fingerprints(written.weights(), words));
    for (String name : List.of("filter.text.weight", "filter.image.bias")) {
      Fingerprints projection = fingerprints(changed(name), words);
      assertNotEquals(before.embeddingSpace(), projection.embeddingSpace());
      assertEquals(before.tokenSpace(), projection.tokenSpace());
      assertEquals(before.fusionHead(), projection.fusionHead());
    }
    for (String name : List.of("fusion.layer0.norm1.weight", "itm.bias", "filter.log_scale")) {
      Fingerprints fusion = fingerprints(changed(name), words);
      assertEquals(before.embeddingSpace(), fusion.embeddingSpace());
      assertEquals(before.tokenSpace(), fusion.tokenSpace());
      assertNotEquals(before.fusionHead(), fusion.fusionHead());
    }
    for (String name : List.of("text.word", "image_rgb.stem0.norm.running_var")) {
      Fingerprints tower = fingerprints(changed(name), words);
      assertNotEquals(before.embeddingSpace(), tower.embeddingSpace());
      assertNotEquals(before.tokenSpace(), tower.tokenSpace());
    }
    List<String> others = new ArrayList<>(words);
    others.set(others.size() - 1, "##zz");
    Fingerprints vocabulary = fingerprints(written.weights(), others);
    assertNotEquals(before.embeddingSpace(), vocabulary.embeddingSpace());
    assertNotEquals(before.tokenSpace(), vocabulary.tokenSpace());
  }

  @Test
  void aBundleIsOfExactlyItsWeights() {
    ModelConfig config = written.manifest().config();
    StateDict other =
        StateDict.of(MtgfeArchitecture.build(config.withVocabularySize(60), Weights.random(SEED)));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    ModelBundle.of(
                        "x",
                        config,
                        written.words(),
                        other,
                        Calibration.NONE,
                        written.manifest().training(),
                        List.of()))
            .getMessage();
    assertTrue(message.contains("text.word"), message);
  }

  /** The shipped bundle was written when the text had no operators and one file for all towers. */
  @Test
  void aBundleWithAnEarlierVersionsTextIsServed() throws Exception {
    ModelBundle bundle = ModelBundle.demo();
    assertTrue(bundle.hasForeignCode());
    for (Precision precision : Precision.values()) {
      FusionModel.load(bundle, folder, Device.cpu(), precision).close();
    }
  }

  /**
   * To the bit where the earlier text says the same in other words; its cross-attention projects
   * the image in every case.
   */
  @Test
  void anEarlierVersionsTextComputesTheSame() throws Exception {
    ModelBundle bundle = ModelBundle.demo();
    SensorConfig sensor = bundle.manifest().config().sensors().get(0);
    SplittableRandom random = new SplittableRandom(SEED);
    float[] pixels = new float[sensor.channels() * sensor.imageSize() * sensor.imageSize()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    PixelTensor picture = new PixelTensor(sensor.channels(), sensor.imageSize(), pixels);
    TokenizedText text = bundle.tokenizer().tokenize("a large grey tank beside two red roofs");
    try (FusionModel now = FusionModel.load(bundle, folder);
        FusionModel before = FusionModel.load(bundle.allowingForeignCode(), folder)) {
      Encoding image = same(before, now, m -> m.encodeImages(sensor.name(), List.of(picture)));
      Encoding words = same(before, now, m -> m.encodeTexts(List.of(text)));
      List<TokenBlock> w = List.of(words.tokens());
      List<TokenBlock> s = List.of(image.tokens());
      assertArrayEquals(before.score(w, s).itm(), now.score(w, s).itm(), 1e-4f);
      assertArrayEquals(before.score(w, s).biEncoder(), now.score(w, s).biEncoder());
      assertArrayEquals(before.preRank(w, s), now.preRank(w, s));
    }
  }

  private static Encoding same(
      FusionModel before, FusionModel now, Function<FusionModel, List<Encoding>> encode) {
    Encoding expected = encode.apply(before).get(0);
    Encoding found = encode.apply(now).get(0);
    assertEquals(expected.tokens(), found.tokens());
    assertArrayEquals(expected.embedding(), found.embedding());
    return found;
  }
}
