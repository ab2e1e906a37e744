/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.google.gson.JsonParser;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.ClipImport.Choices;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Bundles of CLIPs: those of the folder {@code fixtures/clip} below the property {@code
 * crossmodal.shared} through a written bundle, from words and picture files to embeddings, against
 * what open_clip computes; and small ones that are made here.
 */
class ClipImportTest {
  private static final long SEED = Seeds.next();
  private static final ModelManifest.Training TRAINING =
      new ModelManifest.Training("none", 0, 0, "none");

  @TempDir Path folder;

  private enum Fixture {
    GELU("openclip-gelu-b", "openclip-gelu-b"),
    QUICK("openclip-quickgelu", "openclip-quickgelu"),
    TRAINING("openclip-training-checkpoint", "openclip-quickgelu"),
    HUGGING_FACE("huggingface-quickgelu", "openclip-quickgelu");

    private final String source;
    private final String golden;

    Fixture(String source, String golden) {
      this.source = source;
      this.golden = golden;
    }
  }

  private static Path shared(String name) {
    Path file =
        Path.of(System.getProperty("crossmodal.shared", "shared")).resolve("fixtures/clip/" + name);
    if (!Files.exists(file)) {
      System.out.println("skipped: no " + file + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(file));
    return file;
  }

  private static Choices choices(String arch, Path tokenizer, String... prompts) {
    return new Choices(arch, null, tokenizer, null, List.of(prompts), null, false, null);
  }

  private static final Choices NONE = choices(null, null);

  private static ModelBundle read(Path source, Choices choices) throws Exception {
    return ClipImport.read(source, "clip", TRAINING, choices).bundle();
  }

  private ModelBundle written(ModelBundle bundle) throws Exception {
    Path file = folder.resolve("clip.zip");
    BundleWriter.write(bundle, file, List.of("a pond", "12 tanks"));
    return ModelBundle.read(file);
  }

  @ParameterizedTest
  @EnumSource(Fixture.class)
  void encodesWordsAndFilesAsOpenClipDoes(Fixture fixture) throws Exception {
    Path source = shared(fixture.source);
    Path merges = shared("bpe_simple_vocab_16e6.txt.gz");
    Choices choices =
        switch (fixture) {
          case TRAINING ->
              choices(shared("openclip-quickgelu/open_clip_config.json").toString(), merges);
          case HUGGING_FACE -> NONE;
          default -> choices(null, merges);
        };
    ModelBundle bundle = written(read(source, choices));
    assertEquals(Precision.FP16, bundle.manifest().storedPrecision());
    Path golden = shared(fixture.golden + "/golden.safetensors");
    Map<String, LazyTensor> expected = Safetensors.read(golden);
    List<String> texts = Files.readAllLines(shared("texts.txt"));
    int[] ids = ids(golden, texts.size() * 77);
    List<TokenizedText> tokenized = texts.stream().map(bundle.tokenizer()::tokenize).toList();
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      List<Encoding> encoded = model.encodeTexts(tokenized);
      float[] textEmbeddings = expected.get("text_embedding").values();
      double texts1 = 0;
      List<String> others = new ArrayList<>();
      for (int i = 0; i < tokenized.size(); i++) {
        int[] own = Arrays.copyOf(tokenized.get(i).ids(), 77);
        if (!Arrays.equals(own, Arrays.copyOfRange(ids, i * 77, (i + 1) * 77))) {
          others.add(texts.get(i));
          continue;
        }
        texts1 = Math.max(texts1, largest(textEmbeddings, i, encoded.get(i).embedding()));
      }
      ImagePreprocessor preprocessor = bundle.preprocessor("rgb");
      List<Path> pictures;
      try (Stream<Path> files = Files.list(shared("pictures"))) {
        pictures = files.sorted().toList();
      }
      List<PixelTensor> pixels = new ArrayList<>();
      for (Path picture : pictures) {
        pixels.add(preprocessor.preprocess(Files.readAllBytes(picture)));
      }
      float[] expectedPixels = expected.get("pixels").values();
      double levels = 0;
      for (int i = 0; i < pixels.size(); i++) {
        levels = Math.max(levels, largest(expectedPixels, i, pixels.get(i).values()));
      }
      List<Encoding> images = model.encodeImages("rgb", pixels);
      float[] imageEmbeddings = expected.get("image_embedding").values();
      double images1 = 0;
      for (int i = 0; i < images.size(); i++) {
        images1 = Math.max(images1, largest(imageEmbeddings, i, images.get(i).embedding()));
      }
      System.out.printf(
          Locale.ROOT,
          "%s through its bundle: texts off by %.2e, pixels %.2e, images %.2e, other tokens %s%n",
          fixture,
          texts1,
          levels,
          images1,
          others);
      assertTrue(texts1 < 1e-4, "texts " + texts1);
      assertTrue(images1 < 1e-4, "images " + images1);
      assertTrue(levels < 1 / 255.0 / 0.26, "pixels " + levels);
      // Broken encodings are not repaired; Hugging Face repairs none of what OpenCLIP does.
      others.removeIf(text -> text.contains("\u00e2\u20ac"));
      assertTrue(fixture == Fixture.HUGGING_FACE || others.isEmpty(), others.toString());
      assertTrue(others.size() < texts.size() / 4, others.toString());
    }
  }

  private static double largest(float[] rows, int row, float[] found) {
    double largest = 0;
    for (int i = 0; i < found.length; i++) {
      largest = Math.max(largest, Math.abs(rows[row * found.length + i] - found[i]));
    }
    return largest;
  }

  /** Token ids, which the file has as 32-bit integers and no reader of weights reads. */
  private static int[] ids(Path file, int count) throws Exception {
    ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) data.getLong(0);
    byte[] json = new byte[header];
    data.get(Long.BYTES, json);
    int begin =
        JsonParser.parseString(new String(json, StandardCharsets.UTF_8))
            .getAsJsonObject()
            .getAsJsonObject("tokens")
            .getAsJsonArray("data_offsets")
            .get(0)
            .getAsInt();
    int[] ids = new int[count];
    data.position(Long.BYTES + header + begin);
    data.asIntBuffer().get(ids);
    return ids;
  }

  private Path small() throws Exception {
    Path source = folder.resolve("small");
    TestClips.write(source, SEED);
    return source;
  }

  @Test
  void aFolderIsAllThatIsNeeded() throws Exception {
    ClipImport.Imported imported =
        ClipImport.read(
            small(), "clip", TRAINING, choices(null, null, "a photo of {}", "{} from above"));
    String said = String.join("\n", imported.said());
    for (String part :
        List.of(
            "open_clip_model.safetensors",
            "open_clip_config.json",
            "merges.txt, 519 byte pairs' ids",
            "24 wide, 3 heads, quick_gelu",
            "24 pixels, bicubic, crop, mean [0.5, 0.4, 0.3]",
            "a photo of {}")) {
      assertTrue(said.contains(part), said);
    }
    ModelBundle bundle = written(imported.bundle());
    assertEquals(List.of("a photo of x", "x from above"), bundle.manifest().prompted("x"));
    assertFalse(bundle.manifest().config().hasFusion());
    assertEquals(3, bundle.tokenizer().tokenize("pond").length());
    assertEquals(24, bundle.tokenizer().tokenize("sea ".repeat(40)).length());
    assertTrue(bundle.tokenizer().tokenize("sea ".repeat(40)).truncated());
    assertThrows(IllegalStateException.class, bundle::words);
  }

  /** Half precision rounds matrices: it changes little, and that little is known to golden. */
  @Test
  void keepsWeightsInHalfOrWhole() throws Exception {
    ModelBundle half = read(small(), NONE);
    ModelBundle whole =
        read(
            small(),
            new Choices(null, null, null, Resize.Fit.PAD, null, Precision.FP32, false, null));
    assertEquals(Resize.Fit.PAD, whole.manifest().config().sensor("rgb").resize().fit());
    Path file = folder.resolve("half.zip");
    BundleWriter.write(half, file, List.of("a pond"));
    Path larger = folder.resolve("whole.zip");
    BundleWriter.write(whole, larger, List.of("a pond"));
    assertTrue(Files.size(file) < 0.6 * Files.size(larger), Files.size(file) + " bytes");
    ModelBundle read = ModelBundle.read(file);
    TokenizedText text = read.tokenizer().tokenize("a pond by the sea");
    try (FusionModel one = FusionModel.load(read, folder);
        FusionModel other = FusionModel.load(ModelBundle.read(larger), folder)) {
      float[] rounded = one.encodeTexts(List.of(text)).get(0).embedding();
      float[] exact = other.encodeTexts(List.of(text)).get(0).embedding();
      double off = largest(exact, 0, rounded);
      assertTrue(off > 0 && off < 5e-3, "off by " + off + ", seed " + SEED);
    }
  }

  private String refused(Path source, Choices choices) {
    Exception e = assertThrows(Exception.class, () -> read(source, choices));
    assertTrue(e instanceof CheckpointException || e instanceof IllegalArgumentException, e + "");
    return e.getMessage();
  }

  private void assertRefused(Path source, Choices choices, String... parts) {
    String message = refused(source, choices);
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void saysWhatIsMissing() throws Exception {
    Path source = small();
    Files.delete(source.resolve("merges.txt"));
    assertRefused(source, NONE, source.toString(), "--tokenizer", "bpe_simple_vocab_16e6.txt.gz");
    Files.delete(source.resolve("open_clip_config.json"));
    assertRefused(source, NONE, "--activation", "quick_gelu", "--arch");
    assertRefused(
        source,
        new Choices(null, Activation.GELU, null, null, null, null, false, null),
        "how many heads its image tower has",
        "--arch");
    assertRefused(source, choices("ViT-Q-1", null), "[ViT-Q-1]", "ViT-B-32", "ViT-L-14-336");
    assertRefused(source, choices("ViT-B-32", null), "image.width 768, its tensors 24");
    Files.delete(source.resolve("open_clip_model.safetensors"));
    assertRefused(source, NONE, source.toString(), ".safetensors", "found []");
    Files.writeString(source.resolve("model.safetensors.index.json"), "{}");
    assertRefused(source, NONE, "model.safetensors.index.json", "weight_map");
  }

  @Test
  void aFolderOfSeveralNamesThem() throws Exception {
    Path source = small();
    Map<String, TestClips.Tensor> one = TestClips.checkpoint(SEED);
    Files.move(source.resolve("open_clip_model.safetensors"), source.resolve("a.safetensors"));
    TestClips.writeSafetensors(source.resolve("b.safetensors"), one);
    assertRefused(source, NONE, "a.safetensors", "b.safetensors", "name the file");
    // What is no CLIP, or no checkpoint at all, is not in the way.
    one.keySet().removeIf(name -> !name.equals("logit_scale"));
    TestClips.writeSafetensors(source.resolve("b.safetensors"), one);
    Files.writeString(source.resolve("c.bin"), "none");
    read(source, NONE);
  }

  private static void index(Path source, Map<String, String> parts) throws Exception {
    Files.writeString(
        source.resolve("model.safetensors.index.json"),
        new Gson().toJson(Map.of("metadata", Map.of("total_size", 1), "weight_map", parts)));
  }

  @Test
  void weightsInSeveralPartsAreOneModel() throws Exception {
    Path source = small();
    ModelBundle whole = read(source, NONE);
    Map<String, TestClips.Tensor> all = TestClips.checkpoint(SEED);
    Files.delete(source.resolve("open_clip_model.safetensors"));
    Map<String, String> parts = new LinkedHashMap<>();
    Map<String, Map<String, TestClips.Tensor>> tensors = new LinkedHashMap<>();
    int next = 0;
    for (String name : all.keySet()) {
      String part = "model-0000" + (1 + next++ % 3) + "-of-00003.safetensors";
      parts.put(name, part);
      tensors.computeIfAbsent(part, fresh -> new LinkedHashMap<>()).put(name, all.get(name));
    }
    for (Map.Entry<String, Map<String, TestClips.Tensor>> part : tensors.entrySet()) {
      TestClips.writeSafetensors(source.resolve(part.getKey()), part.getValue());
    }
    index(source, parts);
    assertEquals(
        whole.manifest().fingerprints(),
        read(source, NONE).manifest().fingerprints(),
        "seed " + SEED);
    parts.put("logit_scale", "../other.safetensors");
    index(source, parts);
    assertRefused(source, NONE, "a part [../other.safetensors]", "beside it");
    parts.put("logit_scale", "model-00009-of-00003.safetensors");
    index(source, parts);
    assertRefused(source, NONE, "[model-00009-of-00003.safetensors] that is not there");
    parts.put("logit_scale", parts.get("visual.proj"));
    parts.put("visual.proj", parts.get("visual.conv1.weight"));
    index(source, parts);
    assertRefused(source, NONE, "which it has not", "two models");
  }

  @Test
  void refusesWhatIsNoWeightOfItsModel() throws Exception {
    Path source = small();
    Map<String, TestClips.Tensor> tensors = TestClips.checkpoint(SEED);
    tensors.get("visual.proj").values()[5] = Float.NaN;
    Path weights = source.resolve("open_clip_model.safetensors");
    TestClips.writeSafetensors(weights, tensors);
    assertRefused(source, NONE, weights.toString(), "image_rgb.project holds NaN");
    tensors.get("visual.proj").values()[5] = 70_000;
    TestClips.writeSafetensors(weights, tensors);
    assertRefused(source, NONE, "holds 70000.0", "--weights FP32");
    read(source, new Choices(null, null, null, null, null, Precision.FP32, false, null));
    byte[] bytes = Files.readAllBytes(weights);
    Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
    assertRefused(source, NONE, weights.toString());
  }

  @Test
  void refusesAnotherTokenizerAndNoPrompts() throws Exception {
    Path source = small();
    Path other = folder.resolve("other.txt");
    Files.write(other, List.of("#version: 0.2", "n d</w>"));
    assertRefused(source, choices(null, other), other.toString(), "515 ids", "rows for 519");
    Files.writeString(other, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
    assertRefused(source, choices(null, other), other.toString(), "tokenizer of a CLIP");
    assertRefused(source, choices(null, null, "a photo"), "{} once", "[a photo]");
    assertRefused(source, choices(null, null, "{} and {}"), "{} once");
  }

  @Test
  void pixelsAreTheConfigsOrRefused() throws Exception {
    Path file = folder.resolve("preprocessor_config.json");
    Files.writeString(
        file,
        "{\"size\": {\"height\": 24, \"width\": 24}, \"resample\": 2, \"do_center_crop\": false,"
            + " \"image_mean\": [0.1, 0.2, 0.3], \"image_std\": [1, 1, 1]}");
    SensorConfig sensor = ClipPixels.huggingFace(file).sensor("rgb", 24);
    assertEquals(new Resize(Resize.Filter.BILINEAR, Resize.Fit.SQUASH), sensor.resize());
    assertEquals(List.of(0.1, 0.2, 0.3), sensor.mean());
    for (String json :
        List.of(
            "{\"resample\": 1}",
            "{\"rescale_factor\": 1}",
            "{\"do_normalize\": false}",
            "{\"size\": {\"shortest_edge\": 256}, \"crop_size\": 224}",
            "{\"size\": {\"height\": 2, \"width\": 3}}",
            "[]",
            "{")) {
      Files.writeString(file, json);
      String message =
          assertThrows(CheckpointException.class, () -> ClipPixels.huggingFace(file), json)
              .getMessage();
      assertTrue(message.contains(file.toString()), message);
    }
    // Beside the weights, and of another size than theirs.
    Path source = small();
    Path config = source.resolve("open_clip_config.json");
    Files.writeString(config, Files.readString(config).replaceAll("(?s),\\s*\"preprocess.*", "}"));
    Files.writeString(
        source.resolve("preprocessor_config.json"), "{\"size\": 32, \"crop_size\": 32}");
    assertRefused(source, NONE, "pictures of 24 pixels", "makes them 32");
  }
}
