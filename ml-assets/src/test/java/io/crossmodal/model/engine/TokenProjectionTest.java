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
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A model that stores fewer values of each token, and fewer tokens, than its tower makes. */
class TokenProjectionTest {
  private static final long SEED = Seeds.next();
  private static final int H = 16;

  @TempDir Path scratch;

  private static ModelConfig whole(boolean preRanker) {
    return new ModelConfig(
            H,
            2,
            24,
            8,
            1e-6,
            new TextConfig(57, 12, 1, TextConfig.Kind.MEAN),
            ImageTowerConfig.visionTransformer(4, 1),
            3,
            List.of(SensorConfig.rgb(24)))
        .withPreRanker(preRanker);
  }

  /** Weights of which none is zero, those of the whole model the same whatever is projected. */
  private static ModelBundle bundle(ModelConfig shape, Map<String, ScriptTensor> others) {
    ModelBundle random = TestBundles.random("narrow", shape, SEED);
    ModelConfig config = random.manifest().config();
    Weights weights =
        (name, init, extents) -> {
          SplittableRandom values = new SplittableRandom(SEED + name.hashCode());
          ScriptTensor tensor = Weights.random(SEED).get(name, init, extents);
          for (int i = 0; i < tensor.size(); i++) {
            tensor.values()[i] = (float) (init.mean() + 0.3 * values.nextGaussian());
          }
          // A variance is above 0.
          return name.endsWith("running_var")
              ? Weights.random(SEED).get(name, init, extents)
              : tensor;
        };
    Map<String, ScriptTensor> tensors =
        new LinkedHashMap<>(StateDict.of(MtgfeArchitecture.build(config, weights)).tensors());
    tensors.putAll(others);
    return ModelBundle.of(
        "narrow",
        config,
        random.words(),
        new StateDict(tensors),
        Calibration.NONE,
        new ModelManifest.Training("none", SEED, 0, "none"),
        List.of());
  }

  private FusionModel load(ModelBundle bundle, Precision precision) throws Exception {
    return FusionModel.load(bundle, scratch, Device.cpu(), precision);
  }

  private static List<PixelTensor> pictures(int count) {
    List<PixelTensor> pictures = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(SEED);
    for (int p = 0; p < count; p++) {
      float[] values = new float[3 * 24 * 24];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
      pictures.add(new PixelTensor(3, 24, values));
    }
    return pictures;
  }

  private static TokenBlock text(FusionModel model, String words) {
    return model.encodeTexts(List.of(model.bundle().tokenizer().tokenize(words))).get(0).tokens();
  }

  /** Returns what tokens.py makes of a tower's tokens, in plain Java. */
  private static float[] stored(StateDict weights, TokenBlock tokens, int pooling, int width) {
    TokenBlock pooled = TokenPooling.pool(tokens, pooling);
    float[] matrix = weights.get("tokens.down.weight", width, H).values();
    float[] bias = weights.get("tokens.down.bias", width).values();
    float[] stored = new float[pooled.count() * width];
    for (int i = 0; i < stored.length; i++) {
      double sum = bias[i % width];
      for (int h = 0; h < H; h++) {
        sum += (double) matrix[i % width * H + h] * pooled.values()[i / width * H + h];
      }
      stored[i] = (float) sum;
    }
    return stored;
  }

  @ParameterizedTest
  @CsvSource({"5, 6, false", "5, 3, true", "16, 2, true", "9, , true"})
  void itStoresAndScoresAsPlainJavaDoes(int width, Integer grid, boolean preRanker)
      throws Exception {
    ModelConfig wholeConfig = whole(preRanker);
    ModelBundle whole = bundle(wholeConfig, Map.of());
    ModelBundle written =
        bundle(wholeConfig.withTokenProjection(new TokenProjection(width, grid)), Map.of());
    Path file = scratch.resolve("narrow.zip");
    TestBundles.write(written, file, List.of("a b", "c d e f"));
    ModelBundle narrow = ModelBundle.read(file);
    assertEquals(written.manifest().config(), narrow.manifest().config());
    assertEquals(written.manifest().fingerprints(), narrow.manifest().fingerprints());
    assertFalse(narrow.hasForeignCode());
    ReferenceFusion reference = new ReferenceFusion(narrow.manifest().config(), narrow.weights());
    int side = grid == null ? 6 : grid;
    try (FusionModel towers = load(whole, Precision.FP32);
        FusionModel model = load(narrow, Precision.FP32)) {
      List<Encoding> expected = towers.encodeImages("rgb", pictures(3));
      List<Encoding> images = model.encodeImages("rgb", pictures(3));
      List<TokenBlock> blocks = images.stream().map(Encoding::tokens).toList();
      for (int i = 0; i < 3; i++) {
        assertArrayEquals(expected.get(i).embedding(), images.get(i).embedding(), "seed " + SEED);
        assertEquals(1 + side * side, blocks.get(i).count());
        assertEquals(width, blocks.get(i).hidden());
        float[] byHand = stored(narrow.weights(), expected.get(i).tokens(), 6 / side, width);
        assertArrayEquals(byHand, blocks.get(i).values(), 1e-4f, "seed " + SEED);
      }
      List<TokenBlock> texts = List.of(text(model, "a b"), text(model, "c d e f g"));
      int[] owners = {1, 0, 1};
      PairLogits logits = model.score(texts, owners, blocks);
      for (int b = 0; b < 3; b++) {
        TokenBlock words = texts.get(owners[b]);
        PairLogits own = reference.score(words, blocks.get(b));
        assertEquals(own.itm()[0], logits.itm()[b], 1e-3, "seed " + SEED);
        assertEquals(own.biEncoder()[0], logits.biEncoder()[b], 1e-3, "seed " + SEED);
        // Neither the batch nor the padding has a part in it.
        PairLogits alone = model.score(List.of(words), List.of(blocks.get(b)));
        assertEquals(alone.itm()[0], logits.itm()[b], 1e-4, "seed " + SEED);
        assertEquals(alone.biEncoder()[0], logits.biEncoder()[b], 1e-4, "seed " + SEED);
        assertArrayEquals(
            reference.attention(words, blocks.get(b)).patches(0),
            model.attention(List.of(words), List.of(blocks.get(b))).get(0).patches(0),
            1e-4f);
      }
      assertEquals(
          1, model.maxSim(List.of(blocks.get(0)), new int[1], blocks.subList(0, 1))[0], 1e-5);
      if (preRanker) {
        assertEquals(3, model.preRank(texts.subList(0, 1), blocks).length);
      }
    }
  }

  /**
   * Golden inputs are scored when a model is loaded. One net for all runs: one drawn by chance may
   * have logits so small that BF16's rounding is more of them than a load accepts.
   */
  @ParameterizedTest
  @EnumSource(value = Precision.class, names = "FP16", mode = EnumSource.Mode.EXCLUDE)
  void itIsServedInEveryPrecision(Precision precision) throws Exception {
    ModelConfig config = whole(true).withTokenProjection(new TokenProjection(5, 3));
    Path file = scratch.resolve("narrow.zip");
    TestBundles.write(TestBundles.random("narrow", config, 1), file, List.of("a b", "c d"));
    try (FusionModel model = load(ModelBundle.read(file), precision)) {
      TokenBlock image = model.encodeImages("rgb", pictures(1)).get(0).tokens();
      assertEquals(List.of(10, 5), List.of(image.count(), image.hidden()));
    }
  }

  /** Along a whole basis nothing is lost: what reads the tokens has taken the basis in. */
  @Test
  void aBasisOfAllTokensChangesNoScore() throws Exception {
    ModelBundle whole = bundle(whole(true), Map.of());
    StateDict weights = whole.weights();
    // A permutation with signs: orthonormal, and exact in floating point.
    float[] down = new float[H * H];
    float[] up = new float[H * H];
    for (int i = 0; i < H; i++) {
      int j = (5 * i + 3) % H;
      down[i * H + j] = i % 2 == 0 ? 1 : -1;
      up[j * H + i] = down[i * H + j];
    }
    Map<String, ScriptTensor> others = new LinkedHashMap<>();
    others.put("tokens.down.weight", ScriptTensor.parameter(down, H, H));
    others.put("tokens.down.bias", ScriptTensor.parameter(new float[H], H));
    others.put("tokens.up.weight", ScriptTensor.parameter(up, H, H));
    others.put("tokens.up.bias", ScriptTensor.parameter(new float[H], H));
    for (int layer = 0; layer < 3; layer++) {
      for (String part : List.of("key", "value")) {
        String name = "fusion.layer" + layer + ".cross_attention." + part + ".weight";
        float[] read = weights.get(name, H, H).values();
        float[] folded = new float[H * H];
        for (int i = 0; i < H * H; i++) {
          for (int h = 0; h < H; h++) {
            folded[i] += read[i / H * H + h] * up[h * H + i % H];
          }
        }
        others.put(name, ScriptTensor.parameter(folded, H, H));
      }
    }
    ModelBundle turned =
        bundle(whole(true).withTokenProjection(new TokenProjection(H, null)), others);
    try (FusionModel expected = load(whole, Precision.FP32);
        FusionModel model = load(turned, Precision.FP32)) {
      List<TokenBlock> all =
          expected.encodeImages("rgb", pictures(4)).stream().map(Encoding::tokens).toList();
      List<TokenBlock> kept =
          model.encodeImages("rgb", pictures(4)).stream().map(Encoding::tokens).toList();
      List<TokenBlock> words = List.of(text(expected, "a b c"));
      PairLogits before = expected.score(words, all);
      PairLogits after = model.score(words, kept);
      assertArrayEquals(before.itm(), after.itm(), 1e-4f, "seed " + SEED);
      assertArrayEquals(before.biEncoder(), after.biEncoder(), 1e-4f, "seed " + SEED);
      assertArrayEquals(
          expected.preRank(words, all), model.preRank(words, kept), 1e-4f, "seed " + SEED);
    }
  }

  /** An index's tokens belong to the projection that made them, its embeddings do not. */
  @Test
  void theTokenSpaceIsThatOfTheProjectionAndTheEmbeddingSpaceIsNot() throws Exception {
    TokenProjection shape = new TokenProjection(6, null);
    Fingerprints whole = bundle(whole(false), Map.of()).manifest().fingerprints();
    ModelBundle one = bundle(whole(false).withTokenProjection(shape), Map.of());
    Fingerprints narrow = one.manifest().fingerprints();
    assertEquals(whole.embeddingSpace(), narrow.embeddingSpace());
    assertNotEquals(whole.tokenSpace(), narrow.tokenSpace());
    for (String moved : List.of("tokens.down.weight", "tokens.up.weight")) {
      ScriptTensor tensor = one.weights().tensors().get(moved);
      float[] values = tensor.values().clone();
      values[0] += 1;
      Fingerprints other =
          bundle(
                  whole(false).withTokenProjection(shape),
                  Map.of(moved, ScriptTensor.parameter(values, tensor.shape())))
              .manifest()
              .fingerprints();
      boolean stores = moved.contains("down");
      assertEquals(narrow.embeddingSpace(), other.embeddingSpace());
      assertEquals(stores, !narrow.tokenSpace().equals(other.tokenSpace()), moved);
      assertEquals(!stores, !narrow.fusionHead().equals(other.fusionHead()), moved);
    }
    Fingerprints pooled =
        bundle(whole(false).withTokenProjection(new TokenProjection(6, 3)), Map.of())
            .manifest()
            .fingerprints();
    assertNotEquals(narrow.tokenSpace(), pooled.tokenSpace());
  }

  @Test
  void whatNoModelCanStoreIsRefused() {
    ModelConfig config = whole(false);
    Map<String, TokenProjection> refused =
        Map.of(
            "token_projection.width must be from 1 to 16, got 17", new TokenProjection(17, null),
            "token_projection.grid must be from 1 to 6, got 7", new TokenProjection(4, 7));
    refused.forEach(
        (message, projection) -> {
          String said =
              assertThrows(
                      IllegalArgumentException.class, () -> config.withTokenProjection(projection))
                  .getMessage();
          assertTrue(said.contains(message), said);
        });
    assertThrows(IllegalArgumentException.class, () -> new TokenProjection(0, null));
    ModelConfig sensors = config.withoutText(config.sensors());
    String said =
        assertThrows(
                IllegalArgumentException.class,
                () -> sensors.withTokenProjection(new TokenProjection(4, null)))
            .getMessage();
    assertTrue(said.contains("this model has none"), said);
  }

  /** What is moved is less, and so is what is multiplied. */
  @Test
  void aCallOfFewerValuesTakesLessMemory() {
    ModelConfig base = ModelConfig.base();
    ModelConfig narrow = base.withTokenProjection(new TokenProjection(128, 7));
    assertEquals(50, narrow.imageTokens(narrow.sensors().get(0)));
    assertEquals(197, narrow.towerTokens(narrow.sensors().get(0)));
    assertTrue(Footprint.score(narrow, 1, 16, 50) < Footprint.score(base, 1, 16, 50));
  }
}
