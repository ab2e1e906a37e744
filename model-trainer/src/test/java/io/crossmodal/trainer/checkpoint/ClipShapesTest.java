/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Precision;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.trainer.bundle.BundleWriter;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Checkpoints of many shapes and kinds that {@code make_clip_shapes.py} makes with open_clip and
 * transformers: each gives what these compute from it, or is refused by its name. {@code
 * clip-shapes.zip} has a few of them; the property {@code crossmodal.clips} names a folder of all.
 */
class ClipShapesTest {
  private static final List<String> TEXTS =
      List.of("a pond", "the sea", "12 tanks beside a pond", "roads", "", "sea ".repeat(100));

  @TempDir static Path shipped;
  @TempDir Path folder;

  static List<Path> clips() throws Exception {
    String all = System.getProperty("crossmodal.clips");
    try (InputStream in = ClipShapesTest.class.getResourceAsStream("clip-shapes.zip");
        ZipInputStream zip = new ZipInputStream(in)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        if (!entry.isDirectory()) {
          Path file = shipped.resolve(entry.getName());
          Files.createDirectories(file.getParent());
          Files.copy(zip, file);
        }
      }
    }
    try (Stream<Path> folders = Files.list(all == null ? shipped : Path.of(all))) {
      return folders.sorted().toList();
    }
  }

  private static String option(List<String> options, String name) {
    int at = options.indexOf(name);
    return at < 0 ? null : options.get(at + 1);
  }

  private static ModelBundle read(Path clip) throws Exception {
    Path file = clip.resolve("options.txt");
    List<String> options =
        Files.exists(file) ? List.of(Files.readString(file).trim().split(" ", -1)) : List.of();
    String activation = option(options, "--activation");
    return ClipImport.read(
            clip,
            "clip",
            new ModelManifest.Training("none", 0, 0, "none"),
            new ClipImport.Choices(
                option(options, "--arch"),
                activation == null ? null : Activation.valueOf(activation.toUpperCase(Locale.ROOT)),
                null,
                null,
                null,
                Precision.FP32,
                false,
                null))
        .bundle();
  }

  @ParameterizedTest
  @MethodSource("clips")
  void isWhatTheReferenceComputesOrRefused(Path clip) throws Exception {
    String expected = Files.readString(clip.resolve("expect.txt"));
    if (expected.startsWith("refused:")) {
      Exception e = assertThrows(Exception.class, () -> read(clip), clip + " was read");
      System.out.println(clip.getFileName() + " refused: " + e.getMessage());
      assertTrue(
          e instanceof CheckpointException || e instanceof IllegalArgumentException, e.toString());
      String message = e.getMessage();
      assertTrue(
          Arrays.stream(expected.substring(8).split("[|]", -1)).anyMatch(message::contains),
          expected + ", but: " + message);
      return;
    }
    Path file = folder.resolve("clip.zip");
    BundleWriter.write(read(clip), file, List.of("a pond"));
    ModelBundle bundle = ModelBundle.read(file);
    Map<String, LazyTensor> golden = Safetensors.read(clip.resolve("golden.safetensors"));
    List<TokenizedText> texts = TEXTS.stream().map(bundle.tokenizer()::tokenize).toList();
    int context = bundle.manifest().config().text().maxTokens();
    float[] ids = golden.get("ids").values();
    for (int i = 0; i < texts.size(); i++) {
      int[] own = texts.get(i).ids();
      for (int j = 0; j < own.length; j++) {
        assertEquals(ids[i * context + j], own[j], clip + ": " + TEXTS.get(i));
      }
    }
    int side = bundle.manifest().config().sensors().get(0).imageSize();
    int each = 3 * side * side;
    float[] pixels = golden.get("pixels").values();
    List<PixelTensor> pictures = new ArrayList<>();
    for (int i = 0; i < pixels.length / each; i++) {
      pictures.add(new PixelTensor(3, side, Arrays.copyOfRange(pixels, i * each, (i + 1) * each)));
    }
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      double words = largest(golden, "text_embedding", model.encodeTexts(texts));
      double images = largest(golden, "image_embedding", model.encodeImages("rgb", pictures));
      System.out.printf(
          Locale.ROOT, "%s: texts %.1e, pictures %.1e%n", clip.getFileName(), words, images);
      assertTrue(words < 1e-4, clip + ": texts are off by " + words);
      assertTrue(images < 1e-4, clip + ": pictures are off by " + images);
    }
  }

  private static double largest(Map<String, LazyTensor> golden, String name, List<Encoding> encoded)
      throws Exception {
    float[] rows = golden.get(name).values();
    double largest = 0;
    for (int i = 0; i < encoded.size(); i++) {
      float[] found = encoded.get(i).embedding();
      for (int j = 0; j < found.length; j++) {
        largest = Math.max(largest, Math.abs(rows[i * found.length + j] - found[j]));
      }
    }
    return largest;
  }
}
