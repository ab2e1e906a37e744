/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.text.TextCleaning;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bundles of byte pairs, of prompts and of weights in half precision. */
class ClipBundleTest {
  private static final long SEED = Seeds.next();
  private static final List<String> TEXTS = List.of("a pond", "the sea");

  @TempDir Path folder;

  private ModelBundle written(ModelBundle bundle) throws Exception {
    Path file = folder.resolve("clip.zip");
    TestBundles.write(bundle, file, TEXTS);
    return ModelBundle.read(file);
  }

  private static ModelBundle of(TokenizerEntries tokenizer, StateDict state, Precision stored) {
    return ModelBundle.of(
        "clip",
        TestClips.config(),
        tokenizer,
        state,
        stored,
        Calibration.NONE,
        new ModelManifest.Training("none", 0, 0, "none"),
        List.of());
  }

  private static TokenizerEntries merges(TextCleaning cleaning) {
    byte[] content = String.join("\n", TestClips.MERGES).getBytes(StandardCharsets.UTF_8);
    return TokenizerEntries.bytePairs("merges.txt", content, null, cleaning);
  }

  @Test
  void itIsWrittenAsItWasRead() throws Exception {
    ModelBundle bundle = TestClips.bundle("clip", SEED).withPrompts(List.of("a {}", "{} there"));
    ModelBundle read = written(bundle);
    assertEquals(bundle.manifest().fingerprints(), read.manifest().fingerprints());
    assertEquals(List.of("a x", "x there"), read.manifest().prompted("x"));
    assertEquals(TextCleaning.OPEN_CLIP, read.manifest().bytePairs().cleaning());
    assertFalse(read.hasForeignCode());
    assertArrayEquals(
        bundle.tokenizer().tokenize("A pond").ids(), read.tokenizer().tokenize("A pond").ids());
    byte[] first = Files.readAllBytes(folder.resolve("clip.zip"));
    ByteArrayOutputStream again = new ByteArrayOutputStream();
    read.writeTo(again);
    assertArrayEquals(first, again.toByteArray());
    assertEquals(read.manifest().prompts(), read.manifest().brief().prompts());
    assertThrows(IllegalStateException.class, read::words);
  }

  /** A manifest of word pieces has none of the new keys: it is the one that it was. */
  @Test
  void wordPiecesAreWrittenAsBefore() {
    ModelBundle random = TestBundles.random("x", ModelConfig.micro(), SEED);
    String json = new String(random.manifest().toJson(), StandardCharsets.UTF_8);
    for (String key : List.of("byte_pairs", "prompts", "weights_precision")) {
      assertFalse(json.contains(key), json);
    }
    assertNull(random.manifest().prompts());
    assertEquals(List.of(), random.manifest().prompted("x"));
  }

  @Test
  void promptsAreInNoSpaceAndTheTokenizerIs() throws Exception {
    StateDict state = TestClips.bundle("clip", SEED).weights();
    ModelBundle plain = of(merges(TextCleaning.OPEN_CLIP), state, Precision.FP16);
    Fingerprints spaces = plain.manifest().fingerprints();
    assertEquals(spaces, plain.withPrompts(List.of("{}!")).manifest().fingerprints());
    ModelBundle other = of(merges(TextCleaning.HUGGING_FACE), state, Precision.FP16);
    assertNotEquals(spaces.embeddingSpace(), other.manifest().fingerprints().embeddingSpace());
    assertNotEquals(spaces.tokenSpace(), other.manifest().fingerprints().tokenSpace());
  }

  @Test
  void matricesAreKeptInHalfAndVectorsWhole() throws Exception {
    Map<String, ScriptTensor> tensors =
        new LinkedHashMap<>(TestClips.bundle("clip", SEED).weights().tensors());
    float odd = 0.1f;
    for (String name : List.of("text.last.bias", "text.project", "filter.log_scale")) {
      ScriptTensor tensor = tensors.get(name);
      float[] values = tensor.values().clone();
      values[0] = odd;
      tensors.put(name, ScriptTensor.parameter(values, tensor.shape()));
    }
    for (Precision stored : List.of(Precision.FP32, Precision.FP16, Precision.BF16)) {
      ModelBundle read =
          written(of(merges(TextCleaning.OPEN_CLIP), new StateDict(tensors), stored));
      assertEquals(stored, read.manifest().storedPrecision());
      Map<String, ScriptTensor> kept = read.weights().tensors();
      assertEquals(odd, kept.get("text.last.bias").values()[0]);
      assertEquals(odd, kept.get("filter.log_scale").values()[0]);
      float matrix = kept.get("text.project").values()[0];
      float expected =
          switch (stored) {
            case FP16 -> Float.float16ToFloat(Float.floatToFloat16(odd));
            case BF16 -> 0x1.9ap-4f;
            default -> odd;
          };
      assertEquals(expected, matrix, stored.toString());
      assertTrue(kept.get("text.project").trainable());
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> of(merges(TextCleaning.OPEN_CLIP), new StateDict(tensors), Precision.INT8));
  }

  private byte[] changed(UnaryOperator<Map<String, byte[]>> change) throws Exception {
    Path file = folder.resolve("changed.zip");
    TestBundles.write(TestClips.bundle("clip", SEED), file, TEXTS);
    Map<String, byte[]> entries = new LinkedHashMap<>();
    try (ZipInputStream zip = new ZipInputStream(Files.newInputStream(file))) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        entries.put(entry.getName(), zip.readAllBytes());
      }
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> entry : change.apply(entries).entrySet()) {
        zip.putNextEntry(new ZipEntry(entry.getKey()));
        zip.write(entry.getValue());
      }
    }
    return bytes.toByteArray();
  }

  private void assertRefused(String part, UnaryOperator<Map<String, byte[]>> change)
      throws Exception {
    byte[] bytes = changed(change);
    String message =
        assertThrows(
                BundleException.class,
                () ->
                    ModelBundle.open(() -> new ByteArrayInputStream(bytes), folder, Long.MAX_VALUE))
            .getMessage();
    assertTrue(message.contains(part), message);
  }

  private static UnaryOperator<Map<String, byte[]>> manifest(String from, String to) {
    return entries -> {
      String json = new String(entries.get("manifest.json"), StandardCharsets.UTF_8);
      assertTrue(json.contains(from), json);
      entries.put("manifest.json", json.replace(from, to).getBytes(StandardCharsets.UTF_8));
      return entries;
    };
  }

  private static UnaryOperator<Map<String, byte[]>> merges(byte[] content) {
    return entries -> {
      String before = Sha256.hex(entries.get("merges.txt"));
      entries.put("merges.txt", content);
      return manifest(before, Sha256.hex(content)).apply(entries);
    };
  }

  @Test
  void whatIsNoneIsRefusedByName() throws Exception {
    assertRefused(
        "found [manifest.json, model.pt]",
        entries -> {
          entries.remove("merges.txt");
          return entries;
        });
    assertRefused(
        "[vocab.txt]",
        entries -> {
          Map<String, byte[]> more = new LinkedHashMap<>();
          more.put("manifest.json", entries.remove("manifest.json"));
          more.put("vocab.txt", new byte[3]);
          more.putAll(entries);
          return more;
        });
    assertRefused(
        "merges.txt: expected SHA-256",
        entries -> {
          entries.put("merges.txt", new byte[] {'x'});
          return entries;
        });
    assertRefused("no tokenizer of a CLIP", merges("x\ny".getBytes(StandardCharsets.UTF_8)));
    assertRefused(
        "515 ids, and the model has rows for 519",
        merges("#version: 0.2\nn d</w>".getBytes(StandardCharsets.UTF_8)));
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(packed)) {
      gzip.write(String.join("\n", TestClips.MERGES).getBytes(StandardCharsets.UTF_8));
    }
    assertRefused("packed once more", merges(packed.toByteArray()));
    assertRefused("may unpack to at most", merges(new byte[(4 << 20) + 1]));
    assertRefused("byte_pairs.cleaning", manifest("\"OPEN_CLIP\"", "\"NONE\""));
    assertRefused("byte_pairs.sha256", manifest("\"merges.txt\"", "\"../merges.txt\""));
    assertRefused(
        "does not fit the manifest", manifest("\"weights_precision\": \"FP16\"", "\"x\": 1"));
    assertRefused("FP32, FP16 or BF16", manifest("\"FP16\"", "\"INT8\""));
    // No weight tells the activation; the archive does.
    assertRefused("does not fit the manifest", manifest("\"QUICK_GELU\"", "\"GELU\""));
  }

  @Test
  void aPromptHasOnePlace() {
    ModelBundle bundle = TestClips.bundle("clip", SEED);
    for (List<String> prompts :
        List.of(
            List.of("a photo"),
            List.of("{} {}"),
            List.of("{}" + "x".repeat(1000)),
            Collections.nCopies(101, "{}"))) {
      assertThrows(IllegalArgumentException.class, () -> bundle.withPrompts(prompts));
    }
    ModelBundle without =
        TestBundles.random(
            "x", ModelConfig.micro().withoutText(List.of(SensorConfig.rgb(16))), SEED);
    assertThrows(IllegalStateException.class, () -> without.withPrompts(List.of("{}")));
    assertEquals(
        List.of("a $1 \\ {}!"),
        bundle.withPrompts(List.of("{}!")).manifest().prompted("a $1 \\ {}"));
  }
}
