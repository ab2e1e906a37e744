/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.WordPieceTokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CaptionSimilarityTest {
  private static final List<String> CAPTIONS =
      List.of(
          "a red boat in a harbour",
          "a blue boat in a harbour",
          "the red boat is in a harbour",
          "many trees",
          "a harbour in a boat red");

  private static CaptionSimilarity similarity() {
    List<String> words = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    CAPTIONS.stream()
        .flatMap(caption -> Arrays.stream(caption.split(" ")))
        .distinct()
        .forEach(words::add);
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(words, 16);
    TokenizedText[] texts =
        CAPTIONS.stream().map(tokenizer::tokenize).toArray(TokenizedText[]::new);
    // Two images, one of which has the fourth caption alone.
    int[][] numbers = {{0, 1, 2, 4}, {3}};
    return CaptionSimilarity.of(numbers, (image, c) -> texts[numbers[image][c]].ids());
  }

  /** By another way: over all words, with weights that are written out. */
  private static double expected(String one, String other) {
    double dot = 0;
    double a = 0;
    double b = 0;
    for (String word :
        CAPTIONS.stream().flatMap(c -> Arrays.stream(c.split(" "))).distinct().toList()) {
      long holders =
          CAPTIONS.stream().filter(c -> Arrays.asList(c.split(" ")).contains(word)).count();
      double weight = Math.log((1.0 + CAPTIONS.size()) / holders);
      double x = Arrays.asList(one.split(" ")).contains(word) ? weight : 0;
      double y = Arrays.asList(other.split(" ")).contains(word) ? weight : 0;
      dot += x * y;
      a += x * x;
      b += y * y;
    }
    return dot / Math.sqrt(a * b);
  }

  @Test
  void itIsTheCosineOfTfIdf() {
    CaptionSimilarity similarity = similarity();
    for (int i = 0; i < CAPTIONS.size(); i++) {
      for (int j = 0; j < CAPTIONS.size(); j++) {
        assertEquals(
            expected(CAPTIONS.get(i), CAPTIONS.get(j)), similarity.cosine(i, j), 1e-6, i + "," + j);
      }
    }
    assertEquals(0, similarity.cosine(0, 3));
    assertEquals(1, similarity.cosine(0, 4), 1e-6);
    assertTrue(similarity.cosine(0, 1) < similarity.cosine(0, 2));
  }

  @Test
  void nearIsNearToAnyOfThem() {
    CaptionSimilarity similarity = similarity();
    assertTrue(similarity.isNear(new int[] {3, 0}, 4, 0.99));
    assertFalse(similarity.isNear(new int[] {3, 1}, 4, 0.99));
    assertFalse(similarity.isNear(new int[] {}, 4, 0.01));
  }
}
