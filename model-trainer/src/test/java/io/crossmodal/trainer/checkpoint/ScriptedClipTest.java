/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.engine.PatchSimilarity;
import io.crossmodal.model.fixtures.TestClips;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.ClipImport.Choices;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A CLIP as OpenAI publishes them, a TorchScript archive, and its heat maps, against what open_clip
 * computes: {@code make_clip_golden.py} made the files.
 */
class ScriptedClipTest {
  private static final int SIDE = 24;
  private static final int PATCHES = 9;
  private static final int HIDDEN = 16;
  private static final List<String> TEXTS =
      List.of("a pond", "the sea", "12 tanks beside a pond", "roads");

  @TempDir Path folder;
  private Map<String, LazyTensor> golden;
  private Path source;

  @BeforeEach
  void lay() throws Exception {
    Path file = folder.resolve("golden.safetensors");
    copy("clip-golden.safetensors", file);
    golden = Safetensors.read(file);
    source = folder.resolve("clip");
    TestClips.write(source, 1);
    Files.delete(source.resolve("open_clip_model.safetensors"));
    copy("clip-scripted.pt", source.resolve("ViT-M-8.pt"));
  }

  private static void copy(String resource, Path file) throws Exception {
    try (InputStream in = ScriptedClipTest.class.getResourceAsStream(resource)) {
      Files.copy(in, file);
    }
  }

  private ModelBundle bundle(boolean heatMaps, Integer grid) throws Exception {
    Choices choices =
        new Choices(null, Activation.QUICK_GELU, null, null, null, null, heatMaps, grid);
    ModelManifest.Training training = new ModelManifest.Training("none", 0, 0, "none");
    Path file = Files.createTempFile(folder, "clip", ".zip");
    BundleWriter.write(ClipImport.read(source, "clip", training, choices).bundle(), file, TEXTS);
    return ModelBundle.read(file);
  }

  private float[] golden(String name, int item, int length) throws Exception {
    return Arrays.copyOfRange(golden.get(name).values(), item * length, (item + 1) * length);
  }

  private List<PixelTensor> pixels() throws Exception {
    int length = 3 * SIDE * SIDE;
    return List.of(
        new PixelTensor(3, SIDE, golden("pixels", 0, length)),
        new PixelTensor(3, SIDE, golden("pixels", 1, length)),
        new PixelTensor(3, SIDE, golden("pixels", 2, length)));
  }

  private static List<TokenizedText> tokenized(ModelBundle bundle) {
    return TEXTS.stream().map(bundle.tokenizer()::tokenize).toList();
  }

  @Test
  void computesWhatOpenClipComputes() throws Exception {
    ModelBundle bundle = bundle(false, null);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      List<TokenizedText> texts = tokenized(bundle);
      List<Encoding> encoded = model.encodeTexts(texts);
      for (int i = 0; i < TEXTS.size(); i++) {
        int[] ids = Arrays.copyOf(texts.get(i).ids(), SIDE);
        float[] expected = golden("ids", i, SIDE);
        for (int j = 0; j < SIDE; j++) {
          assertEquals(expected[j], ids[j], TEXTS.get(i));
        }
        assertArrayEquals(
            golden("text_embedding", i, HIDDEN), encoded.get(i).embedding(), 1e-4f, TEXTS.get(i));
      }
      List<Encoding> images = model.encodeImages("rgb", pixels());
      for (int i = 0; i < images.size(); i++) {
        assertArrayEquals(
            golden("image_embedding", i, HIDDEN), images.get(i).embedding(), 1e-4f, "picture " + i);
      }
    }
  }

  @Test
  void heatMapsAreThoseOfTheValuePath() throws Exception {
    ModelBundle plain = bundle(false, null);
    ModelBundle bundle = bundle(true, null);
    assertNotEquals(
        plain.manifest().fingerprints().tokenSpace(),
        bundle.manifest().fingerprints().tokenSpace());
    try (FusionModel model = FusionModel.load(bundle, folder);
        FusionModel other = FusionModel.load(plain, folder)) {
      List<Encoding> images = model.encodeImages("rgb", pixels());
      List<Encoding> texts = model.encodeTexts(tokenized(bundle));
      List<Encoding> unlike = other.encodeImages("rgb", pixels());
      for (int i = 0; i < images.size(); i++) {
        assertArrayEquals(
            golden("image_embedding", i, HIDDEN), images.get(i).embedding(), 1e-4f, "picture " + i);
        float[] patches = golden("patches", i, PATCHES * HIDDEN);
        float[] tokens = images.get(i).tokens().values();
        assertArrayEquals(
            patches, Arrays.copyOfRange(tokens, HIDDEN, tokens.length), 1e-3f, "picture " + i);
        for (int t = 0; t < TEXTS.size(); t++) {
          float[] expected = golden("heat_maps", i * TEXTS.size() + t, PATCHES);
          float[] text = texts.get(t).embedding();
          float[] found = PatchSimilarity.of(text, images.get(i).tokens()).patches(0);
          assertArrayEquals(expected, found, 2e-3f, TEXTS.get(t) + " in picture " + i);
          // Without the value path it is another picture.
          float[] not = PatchSimilarity.of(text, unlike.get(i).tokens()).patches(0);
          assertTrue(Arrays.mismatch(expected, not) >= 0);
        }
      }
    }
  }

  /** The tower averages to any grid; where the grid is a divisor, as a field's pooling does. */
  @Test
  void patchesAreAveragedToAGrid() throws Exception {
    ModelBundle whole = bundle(true, null);
    for (int grid : new int[] {1, 2, 3}) {
      ModelBundle bundle = bundle(true, grid);
      assertEquals(
          1 + grid * grid,
          bundle.manifest().config().imageTokens(bundle.manifest().config().sensors().get(0)));
      try (FusionModel model = FusionModel.load(bundle, folder);
          FusionModel fine = FusionModel.load(whole, folder)) {
        Encoding pooled = model.encodeImages("rgb", pixels()).get(0);
        Encoding image = fine.encodeImages("rgb", pixels()).get(0);
        assertArrayEquals(image.embedding(), pooled.embedding(), 1e-5f);
        TokenBlock tokens = pooled.tokens();
        assertEquals(1 + grid * grid, tokens.count());
        if (grid != 2) {
          TokenBlock expected = TokenPooling.pool(image.tokens(), 3 / grid);
          assertArrayEquals(expected.values(), tokens.values(), 1e-4f, "grid " + grid);
        }
        assertEquals(grid, PatchSimilarity.of(image.embedding(), tokens).grid());
      }
    }
    CheckpointException refused = assertThrows(CheckpointException.class, () -> bundle(false, 4));
    assertTrue(refused.getMessage().contains("--token-grid"), refused.getMessage());
    assertTrue(refused.getMessage().contains("from 1 to 3, got 4"), refused.getMessage());
  }

  @Test
  void theActivationIsNotGuessed() throws Exception {
    Files.delete(source.resolve("open_clip_config.json"));
    Choices none = new Choices(null, null, null, null, null, null, false, null);
    String message =
        assertThrows(
                CheckpointException.class,
                () ->
                    ClipImport.read(
                        source, "clip", new ModelManifest.Training("none", 0, 0, "none"), none))
            .getMessage();
    assertTrue(message.contains("quick_gelu for OpenAI's weights"), message);
  }
}
