/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * CLIP's towers, alone and under a fusion encoder; both as wide as neither the model nor another.
 */
class ClipTowersTest {
  private static final long SEED = Seeds.next();
  private static final int H = 16;

  @TempDir Path scratch;

  private static ModelConfig towers(Activation activation) {
    return ModelConfig.ofTowers(
        H,
        1e-5,
        new TextConfig(
            57, 12, 2, TextConfig.Kind.CLIP, new TransformerConfig(20, 2, 28, activation)),
        ImageTowerConfig.clip(8, 3, new TransformerConfig(24, 3, 40, activation)),
        List.of(SensorConfig.rgb(24)));
  }

  private static ModelConfig fused(ModelConfig towers, int heads, int layers, Integer width) {
    return new ModelConfig(
        H,
        heads,
        32,
        H,
        1e-5,
        towers.text(),
        towers.image(),
        layers,
        towers.sensors(),
        false,
        width,
        null);
  }

  /** Weights of which none is zero or one, so that each has a part in what is computed. */
  private static ModelBundle bundle(ModelConfig shape) {
    ModelBundle random = TestBundles.random("clip", shape, SEED);
    ModelConfig config = random.manifest().config();
    Weights weights =
        (name, init, extents) -> {
          SplittableRandom values = new SplittableRandom(SEED + name.hashCode());
          ScriptTensor tensor = Weights.random(SEED).get(name, init, extents);
          for (int i = 0; i < tensor.size(); i++) {
            tensor.values()[i] = (float) (init.mean() + 0.3 * values.nextGaussian());
          }
          return tensor;
        };
    return ModelBundle.of(
        "clip",
        config,
        random.words(),
        StateDict.of(MtgfeArchitecture.build(config, weights)),
        Calibration.NONE,
        new ModelManifest.Training("none", SEED, 0, "none"),
        List.of());
  }

  private FusionModel load(ModelBundle bundle, Precision precision) throws Exception {
    return FusionModel.load(bundle, scratch, Device.cpu(), precision);
  }

  private static PixelTensor picture(int seed) {
    SplittableRandom random = new SplittableRandom(SEED + seed);
    float[] values = new float[3 * 24 * 24];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new PixelTensor(3, 24, values);
  }

  @ParameterizedTest
  @EnumSource(Activation.class)
  void withoutAFusionEncoderItIsWrittenReadAndEncodes(Activation activation) throws Exception {
    ModelBundle written = bundle(towers(activation));
    Path file = scratch.resolve("clip.zip");
    TestBundles.write(written, file, List.of("a b", "c d e"));
    ModelBundle bundle = ModelBundle.read(file);
    assertEquals(written.manifest().config(), bundle.manifest().config());
    assertEquals(written.manifest().fingerprints(), bundle.manifest().fingerprints());
    assertFalse(bundle.hasForeignCode());
    try (FusionModel model = load(bundle, Precision.FP32)) {
      Encoding text = model.encodeTexts(List.of(bundle.tokenizer().tokenize("a b"))).get(0);
      assertEquals(4, text.tokens().count());
      assertUnit(text);
      Encoding image = model.encodeImages("rgb", List.of(picture(1))).get(0);
      assertEquals(10, image.tokens().count());
      assertUnit(image);
    }
  }

  private static void assertUnit(Encoding encoding) {
    double squares = 0;
    for (float value : encoding.embedding()) {
      squares += value * value;
    }
    assertEquals(1, squares, 1e-5);
    assertEquals(H, encoding.embedding().length);
  }

  @Test
  void whatNeedsAFusionEncoderSaysSo() throws Exception {
    ModelBundle bundle = bundle(towers(Activation.QUICK_GELU));
    try (FusionModel model = load(bundle, Precision.FP32)) {
      List<TokenBlock> text =
          List.of(model.encodeTexts(List.of(bundle.tokenizer().tokenize("a b"))).get(0).tokens());
      List<TokenBlock> image =
          List.of(model.encodeImages("rgb", List.of(picture(1))).get(0).tokens());
      for (Runnable call :
          List.<Runnable>of(
              () -> model.score(text, image),
              () -> model.score(text, new int[] {0}, image),
              () -> model.attention(text, image))) {
        String message = assertThrows(IllegalStateException.class, call::run).getMessage();
        assertTrue(message.contains("needs a fusion encoder"), message);
        assertTrue(message.contains("train a fusion encoder over its towers"), message);
      }
      assertThrows(IllegalStateException.class, () -> model.preRank(text, image));
      assertEquals(1, model.maxSim(image, new int[] {0}, image).length, "needs no fusion encoder");
    }
  }

  private static ModelConfig drawn(ModelConfig towers) {
    ImageTowerConfig image = towers.image();
    return towers.withImage(
        ImageTowerConfig.clip(
            image.patch(), image.layers(), image.transformer().withPatches(true, null)));
  }

  /** [CLS] sees what it saw; a patch's token depends on the others by the layers before alone. */
  @Test
  void theValuePathChangesPatchesAlone() throws Exception {
    ModelConfig plain = towers(Activation.QUICK_GELU);
    ModelBundle drawn = bundle(drawn(plain));
    try (FusionModel model = load(bundle(plain), Precision.FP32);
        FusionModel other = load(drawn, Precision.FP32)) {
      Encoding image = model.encodeImages("rgb", List.of(picture(1))).get(0);
      Encoding same = other.encodeImages("rgb", List.of(picture(1))).get(0);
      assertArrayEquals(image.embedding(), same.embedding(), 1e-5f, "seed " + SEED);
      float[] before = image.tokens().values();
      float[] after = same.tokens().values();
      for (int patch = 1; patch < image.tokens().count(); patch++) {
        double moved = 0;
        for (int i = patch * H; i < (patch + 1) * H; i++) {
          moved = Math.max(moved, Math.abs(before[i] - after[i]));
        }
        assertTrue(moved > 1e-3, "patch " + patch + ", seed " + SEED);
      }
      WordPatchWeights map = PatchSimilarity.of(same.embedding(), same.tokens());
      double sum = 0;
      for (float weight : map.patches(0)) {
        sum += weight;
      }
      assertEquals(1, sum, 1e-5, "seed " + SEED);
      assertThrows(
          IllegalArgumentException.class, () -> PatchSimilarity.of(new float[3], same.tokens()));
    }
    Path file = scratch.resolve("drawn.zip");
    ModelBundle written =
        TestBundles.write(
            TestBundles.random("clip", drawn(plain), 1), file, List.of("a b", "c d e"));
    for (Precision precision : List.of(Precision.BF16, Precision.INT8)) {
      try (FusionModel reduced = load(written, precision)) {
        assertTrue(reduced.goldenDeviation().withinTolerance(), precision + "");
      }
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new TextConfig(57, 12, 2, TextConfig.Kind.CLIP, drawn(plain).image().transformer()));
  }

  /** Padding stands behind the end, so a longer neighbour in the batch changes nothing. */
  @Test
  void neighboursInABatchChangeNothing() throws Exception {
    ModelBundle bundle = bundle(towers(Activation.QUICK_GELU));
    try (FusionModel model = load(bundle, Precision.FP32)) {
      List<TokenizedText> texts =
          List.of("a", "z y x w v u t s", "m n").stream()
              .map(bundle.tokenizer()::tokenize)
              .toList();
      List<Encoding> together = model.encodeTexts(texts);
      List<PixelTensor> pictures = List.of(picture(1), picture(2), picture(3));
      List<Encoding> images = model.encodeImages("rgb", pictures);
      for (int i = 0; i < 3; i++) {
        assertAlike(model.encodeTexts(texts.subList(i, i + 1)).get(0), together.get(i));
        assertAlike(model.encodeImages("rgb", pictures.subList(i, i + 1)).get(0), images.get(i));
      }
    }
  }

  private static void assertAlike(Encoding alone, Encoding together) {
    assertArrayEquals(alone.embedding(), together.embedding(), 1e-5f, "seed " + SEED);
    assertArrayEquals(alone.tokens().values(), together.tokens().values(), 1e-4f, "seed " + SEED);
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "FP16", "INT8"})
  void servesInLessThan32Bits(Precision precision) throws Exception {
    Path file = scratch.resolve("clip.zip");
    ModelConfig towers = towers(Activation.QUICK_GELU);
    for (ModelConfig shape : List.of(towers, fused(towers, 3, 2, 12))) {
      ModelBundle random = TestBundles.random("clip", shape, 1);
      ModelBundle bundle = TestBundles.write(random, file, List.of("a b", "c d e"));
      try (FusionModel reduced = load(bundle, precision)) {
        Golden.Deviation deviation = reduced.goldenDeviation();
        System.out.println(precision + " of CLIP's towers: " + deviation);
        assertTrue(deviation.withinTolerance(), deviation.toString());
      }
    }
  }

  /** As wide as the tokens, which it reads as they are, or of a width of its own. */
  @ParameterizedTest
  @CsvSource({"2, 2,", "3, 4, 16", "3, 3, 12", "2, 1, 5"})
  void aFusionEncoderOverTheTowersScoresAsTheReferenceDoes(int layers, int heads, Integer width)
      throws Exception {
    ModelBundle written = bundle(fused(towers(Activation.GELU), heads, layers, width));
    Path file = scratch.resolve("fused.zip");
    TestBundles.write(written, file, List.of("a b", "c d e"));
    ModelBundle bundle = ModelBundle.read(file);
    assertEquals(width, bundle.manifest().config().fusionWidth());
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    try (FusionModel model = load(bundle, Precision.FP32)) {
      List<TokenBlock> texts =
          model
              .encodeTexts(
                  Stream.of("a b", "c", "z y x w v u").map(bundle.tokenizer()::tokenize).toList())
              .stream()
              .map(Encoding::tokens)
              .toList();
      List<TokenBlock> images =
          model.encodeImages("rgb", List.of(picture(1), picture(2), picture(3))).stream()
              .map(Encoding::tokens)
              .toList();
      PairLogits scored = model.score(texts, images);
      List<WordPatchWeights> drawn = model.attention(texts, images);
      for (int i = 0; i < texts.size(); i++) {
        PairLogits expected = reference.score(texts.get(i), images.get(i));
        assertEquals(expected.itm()[0], scored.itm()[i], 1e-4f, "seed " + SEED);
        assertEquals(expected.biEncoder()[0], scored.biEncoder()[i], 1e-4f, "seed " + SEED);
        WordPatchWeights map = reference.attention(texts.get(i), images.get(i));
        assertArrayEquals(map.values(), drawn.get(i).values(), 1e-4f, "seed " + SEED);
      }
      PairLogits shared = model.score(texts.subList(1, 2), images);
      assertEquals(
          reference.score(texts.get(1), images.get(2)).itm()[0],
          shared.itm()[2],
          1e-4f,
          "seed " + SEED);
    }
  }

  @Test
  void aWidthOfItsOwnIsRefusedWhereItHasNoPlace() {
    ModelConfig clip = towers(Activation.GELU);
    for (Runnable shape :
        List.<Runnable>of(
            () -> fused(clip, 1, 2, H + 1),
            () -> fused(clip, 5, 2, 12),
            () -> fused(clip, 1, 2, 0),
            () -> fused(clip, 1, 0, 8),
            () ->
                new ModelConfig(
                    H,
                    2,
                    32,
                    H,
                    1e-5,
                    new TextConfig(57, 12, 2),
                    ImageTowerConfig.visionTransformer(8, 2),
                    2,
                    clip.sensors(),
                    false,
                    8,
                    null))) {
      String message = assertThrows(IllegalArgumentException.class, shape::run).getMessage();
      assertTrue(message.contains("fusion_width"), message);
    }
  }

  /** What an index keeps of the towers alone stays of use when a fusion encoder is trained. */
  @Test
  void theSpacesOfTheTowersAreThoseUnderAFusionEncoder() throws Exception {
    ModelBundle alone = bundle(towers(Activation.GELU));
    Map<String, ScriptTensor> weights = new LinkedHashMap<>(alone.weights().tensors());
    ModelConfig config = fused(alone.manifest().config(), 4, 3, 12);
    StateDict.of(MtgfeArchitecture.build(config, Weights.random(7)))
        .tensors()
        .forEach(weights::putIfAbsent);
    Fingerprints under = fingerprints(alone, config, weights);
    Fingerprints before = alone.manifest().fingerprints();
    assertEquals(before.embeddingSpace(), under.embeddingSpace());
    assertEquals(before.tokenSpace(), under.tokenSpace());
    assertNotEquals(before.fusionHead(), under.fusionHead());
    ModelConfig quick =
        fused(towers(Activation.QUICK_GELU), 4, 3, 12)
            .withVocabularySize(config.text().vocabularySize());
    assertNotEquals(before.tokenSpace(), fingerprints(alone, quick, weights).tokenSpace());
  }

  private static Fingerprints fingerprints(
      ModelBundle words, ModelConfig config, Map<String, ScriptTensor> weights) {
    return ModelBundle.of(
            "clip",
            config,
            words.words(),
            new StateDict(weights),
            Calibration.NONE,
            words.manifest().training(),
            List.of())
        .manifest()
        .fingerprints();
  }

  @Test
  void aTowerSaysWhatItRefuses() {
    TransformerConfig widths = new TransformerConfig(24, 3, 40, Activation.GELU);
    for (Runnable call :
        List.<Runnable>of(
            () -> new TransformerConfig(24, 5, 40, Activation.GELU),
            () -> new TextConfig(57, 12, 2, TextConfig.Kind.CLIP),
            () -> new TextConfig(57, 12, 2, TextConfig.Kind.BERT, widths),
            () -> ImageTowerConfig.clip(8, 2, null),
            () ->
                ModelConfig.ofTowers(
                    H,
                    1e-5,
                    new TextConfig(57, 12, 2),
                    ImageTowerConfig.clip(8, 2, widths),
                    List.of(SensorConfig.rgb(24))),
            () -> towers(Activation.GELU).withPreRanker(true))) {
      assertThrows(IllegalArgumentException.class, call::run);
    }
  }
}
