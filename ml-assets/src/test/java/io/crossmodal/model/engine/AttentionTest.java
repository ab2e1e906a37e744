/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The heat maps' weights against the plain-Java oracle, alone, in batches, padded and shared. */
class AttentionTest {
  private static final float TOLERANCE = 1e-5f;
  private static final long SEED = Seeds.next();

  @TempDir Path scratch;

  private static ModelConfig layers(int fusionLayers) {
    ModelConfig micro = ModelConfig.micro();
    return new ModelConfig(
        micro.hidden(),
        micro.heads(),
        micro.feedForward(),
        micro.embeddingDimension(),
        micro.layerNormEpsilon(),
        micro.text(),
        micro.image(),
        fusionLayers,
        micro.sensors());
  }

  /** Blocks with values large enough that the weights are far from uniform. */
  private static List<TokenBlock> blocks(int hidden, int... counts) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<TokenBlock> blocks = new ArrayList<>();
    for (int count : counts) {
      float[] values = new float[count * hidden];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (3 * random.nextGaussian());
      }
      blocks.add(new TokenBlock(count, hidden, values));
    }
    return blocks;
  }

  private static void assertSame(WordPatchWeights expected, WordPatchWeights found) {
    assertEquals(expected.count(), found.count());
    assertEquals(expected.grid(), found.grid());
    for (int token = 0; token < expected.count(); token++) {
      assertArrayEquals(expected.patches(token), found.patches(token), TOLERANCE);
      assertEquals(expected.cls(token), found.cls(token), TOLERANCE);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5})
  void everyPairEqualsTheReferenceInEveryBatch(int fusionLayers) throws Exception {
    ModelBundle bundle = TestBundles.random("micro", layers(fusionLayers), SEED);
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    int hidden = bundle.manifest().config().hidden();
    List<TokenBlock> texts = blocks(hidden, 3, 9, 1, 6); // padded to 9
    List<TokenBlock> images = blocks(hidden, 17, 17, 17, 17);
    try (FusionModel model = FusionModel.load(bundle, scratch)) {
      List<WordPatchWeights> batch = model.attention(texts, images);
      assertEquals(4, batch.size());
      for (int b = 0; b < 4; b++) {
        assertSame(reference.attention(texts.get(b), images.get(b)), batch.get(b));
        assertSame(
            batch.get(b),
            model.attention(texts.subList(b, b + 1), images.subList(b, b + 1)).get(0));
      }
      List<WordPatchWeights> oneText = model.attention(texts.subList(1, 2), images);
      List<WordPatchWeights> oneImage = model.attention(texts, images.subList(2, 3));
      List<WordPatchWeights> repeated =
          model.attention(Collections.nCopies(4, texts.get(1)), images);
      for (int b = 0; b < 4; b++) {
        assertSame(reference.attention(texts.get(1), images.get(b)), oneText.get(b));
        assertSame(reference.attention(texts.get(b), images.get(2)), oneImage.get(b));
        assertSame(repeated.get(b), oneText.get(b));
      }
    }
  }

  @Test
  void theShippedBundleDrawsAsTheReferenceDoes() throws Exception {
    ModelBundle bundle = ModelBundle.demo();
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    try (FusionModel model = FusionModel.load(bundle, scratch)) {
      TokenBlock text =
          model
              .encodeTexts(List.of(bundle.tokenizer().tokenize("two white tanks beside a pond")))
              .get(0)
              .tokens();
      int m = bundle.manifest().config().imageTokens(bundle.manifest().config().sensor("rgb"));
      TokenBlock image = blocks(text.hidden(), m).get(0);
      assertSame(
          reference.attention(text, image), model.attention(List.of(text), List.of(image)).get(0));
    }
  }

  @Test
  void aWordsPiecesAreMerged() {
    WordPatchWeights weights =
        new WordPatchWeights(
            2, 5, new float[] {0.2f, 0.1f, 0.2f, 0.3f, 0.2f, 0.6f, 0.1f, 0.1f, 0.1f, 0.1f});
    assertEquals(2, weights.grid());
    assertArrayEquals(new float[] {0.1f, 0.2f, 0.3f, 0.2f}, weights.patches(0));
    assertEquals(0.6f, weights.cls(1));
    assertArrayEquals(new float[] {0.1f, 0.15f, 0.2f, 0.15f}, weights.patches(0, 2), 1e-6f);
    assertEquals(0.4f, weights.cls(0, 2), 1e-6f);
    String message =
        assertThrows(IllegalArgumentException.class, () -> weights.patches(1, 3)).getMessage();
    assertTrue(message.contains("1 .. 2 of 2"), message);
  }

  @Test
  void refusesWhatIsNoGrid() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> new WordPatchWeights(1, 7, new float[7]))
            .getMessage();
    assertTrue(message.contains("got 7 tokens"), message);
    assertThrows(IllegalArgumentException.class, () -> new WordPatchWeights(2, 5, new float[9]));
    assertThrows(IllegalArgumentException.class, () -> new WordPatchWeights(1, 1, new float[1]));
  }

  @Test
  void refusesWhatCannotBePaired() throws Exception {
    ModelBundle bundle = TestBundles.random("micro", ModelConfig.micro(), SEED);
    try (FusionModel model = FusionModel.load(bundle, scratch)) {
      List<TokenBlock> three = blocks(16, 5, 5, 5);
      assertEquals(List.of(), model.attention(List.of(), three));
      assertThrows(
          IllegalArgumentException.class, () -> model.attention(three.subList(0, 2), three));
      assertThrows(
          IllegalArgumentException.class, () -> model.attention(three, blocks(16, 5, 5, 17)));
      assertThrows(IllegalArgumentException.class, () -> model.attention(blocks(3, 5), three));
    }
  }
}
