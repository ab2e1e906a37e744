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
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FusionModelTest {
  private static final float TOLERANCE = 2e-5f;
  private static final long SEED = Seeds.next();

  @TempDir static Path scratch;
  private static ModelBundle bundle;
  private static FusionModel model;
  private static List<Encoding> texts;
  private static List<Encoding> images;

  @BeforeAll
  static void encode() throws Exception {
    bundle = TestBundles.random("micro", ModelConfig.micro(), SEED);
    model = FusionModel.load(bundle, scratch);
    List<TokenizedText> tokenized = new ArrayList<>();
    for (String text : List.of("a", "six tanks", "two red roofs", "pond by a road")) {
      tokenized.add(bundle.tokenizer().tokenize(text));
    }
    texts = model.encodeTexts(tokenized);
    images = model.encodeImages("rgb", randomImages(4));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static List<PixelTensor> randomImages(int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    List<PixelTensor> pixels = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      float[] values = new float[3 * 16 * 16];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      pixels.add(new PixelTensor(3, 16, values));
    }
    return pixels;
  }

  private static List<TokenBlock> tokens(List<Encoding> encodings) {
    return encodings.stream().map(Encoding::tokens).toList();
  }

  @Test
  void everyPairEqualsThePlainJavaReference() throws Exception {
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    PairLogits scored = model.score(tokens(texts), tokens(images));
    for (int i = 0; i < texts.size(); i++) {
      PairLogits expected = reference.score(texts.get(i).tokens(), images.get(i).tokens());
      assertEquals(expected.itm()[0], scored.itm()[i], TOLERANCE);
      assertEquals(expected.biEncoder()[0], scored.biEncoder()[i], TOLERANCE);
    }
  }

  /** However little of a batch passes between heap and engine at once. */
  @Test
  void piecesOfABatchAreTheBatch() throws Exception {
    ModelBundle filtering =
        TestBundles.random("micro", ModelConfig.micro().withPreRanker(true), SEED);
    int staged = new SplittableRandom(SEED).nextInt(1, 20_000);
    try (FusionModel whole = FusionModel.load(filtering, scratch);
        FusionModel cut = FusionModel.load(filtering, scratch, null, Precision.FP32, staged)) {
      List<TokenizedText> tokenized = new ArrayList<>();
      for (int i = 0; i < 9; i++) {
        tokenized.add(
            filtering.tokenizer().tokenize(List.of("a", "six tanks", "two roofs").get(i % 3)));
      }
      List<TokenBlock> words = tokens(whole.encodeTexts(tokenized));
      List<TokenBlock> pictures = tokens(whole.encodeImages("rgb", randomImages(9)));
      assertClose(words, tokens(cut.encodeTexts(tokenized)));
      assertClose(pictures, tokens(cut.encodeImages("rgb", randomImages(9))));
      for (List<TokenBlock> texts : List.of(words, words.subList(1, 2))) {
        for (List<TokenBlock> images : List.of(pictures, pictures.subList(1, 2))) {
          assertArrayEquals(
              whole.score(texts, images).itm(), cut.score(texts, images).itm(), TOLERANCE);
          assertArrayEquals(whole.preRank(texts, images), cut.preRank(texts, images), TOLERANCE);
          List<WordPatchWeights> tables = whole.attention(texts, images);
          for (int i = 0; i < tables.size(); i++) {
            assertArrayEquals(
                tables.get(i).values(), cut.attention(texts, images).get(i).values(), TOLERANCE);
          }
        }
      }
      int[] queryOf = {0, 2, 2, 1, 0, 1, 2, 2, 0};
      assertArrayEquals(
          whole.score(words.subList(0, 3), queryOf, pictures).itm(),
          cut.score(words.subList(0, 3), queryOf, pictures).itm(),
          TOLERANCE);
      assertArrayEquals(
          whole.maxSim(pictures.subList(0, 3), queryOf, pictures),
          cut.maxSim(pictures.subList(0, 3), queryOf, pictures),
          TOLERANCE);
    }
  }

  private static void assertClose(List<TokenBlock> expected, List<TokenBlock> found) {
    assertEquals(expected.size(), found.size());
    for (int i = 0; i < found.size(); i++) {
      assertArrayEquals(expected.get(i).values(), found.get(i).values(), TOLERANCE);
    }
  }

  @Test
  void storedTokensScoreAsWhatIsReadFromThem() {
    String space = bundle.manifest().fingerprints().tokenSpace();
    for (TokenEncoding encoding : TokenEncoding.values()) {
      List<StoredTokens> stored = new ArrayList<>();
      for (TokenBlock block : tokens(images)) {
        byte[] bytes = TokenBlockFormat.write(block, encoding, space);
        // Somewhere in a larger array, as a window's blocks lie.
        byte[] inside = new byte[bytes.length + 5];
        System.arraycopy(bytes, 0, inside, 3, bytes.length);
        stored.add(StoredTokens.of(inside, 3, bytes.length));
      }
      List<TokenBlock> read = stored.stream().map(StoredTokens::block).toList();
      PairLogits expected = model.score(tokens(texts), read);
      PairLogits scored = model.score(tokens(texts), stored);
      assertArrayEquals(expected.itm(), scored.itm(), 0, encoding.name());
      assertArrayEquals(expected.biEncoder(), scored.biEncoder(), 0, encoding.name());
    }
  }

  @Test
  void aTextSharedByTheBatchScoresAsOneRepeated() {
    List<TokenBlock> one = List.of(texts.get(2).tokens());
    PairLogits shared = model.score(one, tokens(images));
    PairLogits repeated =
        model.score(Collections.nCopies(4, texts.get(2).tokens()), tokens(images));
    assertArrayEquals(repeated.itm(), shared.itm(), TOLERANCE);
    assertArrayEquals(repeated.biEncoder(), shared.biEncoder(), TOLERANCE);
  }

  /** So many patches that a CPU computes the call in pieces. */
  @Test
  void aLargeCallScoresAsItsPairsAlone() {
    int hidden = bundle.manifest().config().hidden();
    int m = 3000;
    SplittableRandom random = new SplittableRandom(SEED);
    List<TokenBlock> large = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      float[] values = new float[m * hidden];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextGaussian();
      }
      large.add(new TokenBlock(m, hidden, values));
    }
    int[] textOf = new int[large.size()];
    Arrays.setAll(textOf, b -> random.nextInt(texts.size()));
    PairLogits together = model.score(tokens(texts), textOf, large);
    for (int b = 0; b < textOf.length; b++) {
      PairLogits apart =
          model.score(List.of(texts.get(textOf[b]).tokens()), large.subList(b, b + 1));
      assertEquals(apart.itm()[0], together.itm()[b], TOLERANCE, "pair " + b);
      assertEquals(apart.biEncoder()[0], together.biEncoder()[b], TOLERANCE, "pair " + b);
    }
    int n = texts.stream().mapToInt(text -> text.tokens().count()).max().orElseThrow();
    assertTrue(model.scoreBytes(50, n, m) < Footprint.score(bundle.manifest().config(), 50, n, m));
    assertTrue(model.takeCopyNanos() > 0);
    assertEquals(0, model.takeCopyNanos());
  }

  @Test
  void anImageSharedByTheBatchScoresAsOneRepeated() {
    PairLogits shared = model.score(tokens(texts), List.of(images.get(1).tokens()));
    PairLogits repeated =
        model.score(tokens(texts), Collections.nCopies(4, images.get(1).tokens()));
    assertArrayEquals(repeated.itm(), shared.itm(), TOLERANCE);
  }

  @Test
  void candidatesOfSeveralTextsInOneCallScoreAsApart() {
    int[] textOf = {2, 0, 2, 3};
    PairLogits together = model.score(tokens(texts), textOf, tokens(images));
    for (int b = 0; b < textOf.length; b++) {
      PairLogits apart =
          model.score(List.of(texts.get(textOf[b]).tokens()), List.of(images.get(b).tokens()));
      assertEquals(apart.itm()[0], together.itm()[b], TOLERANCE);
      assertEquals(apart.biEncoder()[0], together.biEncoder()[b], TOLERANCE);
    }
    PairLogits oneImage = model.score(tokens(texts), textOf, tokens(images).subList(1, 2));
    PairLogits repeated =
        model.score(tokens(texts), textOf, Collections.nCopies(4, images.get(1).tokens()));
    assertArrayEquals(repeated.itm(), oneImage.itm(), TOLERANCE);
  }

  @Test
  void aPairScoresAloneAsInABatchAndAsPadded() {
    // The batch pads "a" to the length of the longest text.
    PairLogits batch = model.score(tokens(texts), tokens(images));
    for (int i = 0; i < texts.size(); i++) {
      PairLogits alone =
          model.score(List.of(texts.get(i).tokens()), List.of(images.get(i).tokens()));
      assertEquals(alone.itm()[0], batch.itm()[i], TOLERANCE);
      assertEquals(alone.biEncoder()[0], batch.biEncoder()[i], TOLERANCE);
    }
  }

  @Test
  void aTextEncodesAloneAsInABatch() {
    List<Encoding> alone = model.encodeTexts(List.of(bundle.tokenizer().tokenize("a")));
    assertArrayEquals(texts.get(0).tokens().values(), alone.get(0).tokens().values(), TOLERANCE);
    assertArrayEquals(texts.get(0).embedding(), alone.get(0).embedding(), TOLERANCE);
  }

  @Test
  void anImageEncodesAloneAsInABatch() {
    List<PixelTensor> pixels = randomImages(4);
    List<Encoding> alone = model.encodeImages("rgb", pixels.subList(3, 4));
    assertArrayEquals(images.get(3).tokens().values(), alone.get(0).tokens().values(), TOLERANCE);
  }

  @Test
  void embeddingsHaveUnitLength() {
    for (Encoding encoding : List.of(texts.get(0), images.get(0))) {
      double square = 0;
      for (float value : encoding.embedding()) {
        square += value * value;
      }
      assertEquals(1, square, 1e-5);
    }
  }

  @Test
  void anEmptyBatchGivesAnEmptyAnswer() {
    assertEquals(0, model.encodeTexts(List.of()).size());
    assertEquals(0, model.score(tokens(texts), List.of()).itm().length);
  }

  @Test
  void whatCannotBePairedIsRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> model.score(tokens(texts).subList(0, 2), tokens(images).subList(0, 3)));
    assertThrows(
        IndexOutOfBoundsException.class,
        () -> model.score(tokens(texts), new int[] {4}, tokens(images).subList(0, 1)));
    assertThrows(
        IllegalArgumentException.class,
        () -> model.score(tokens(texts), new int[] {0, 1, 2}, tokens(images)));
    assertThrows(
        IllegalArgumentException.class,
        () -> model.score(List.of(new TokenBlock(1, 3, new float[3])), tokens(images)));
    assertThrows(
        IllegalArgumentException.class,
        () -> model.encodeImages("rgb", List.of(new PixelTensor(3, 8, new float[192]))));
    assertThrows(IllegalArgumentException.class, () -> model.encodeImages("s1", List.of()));
  }
}
