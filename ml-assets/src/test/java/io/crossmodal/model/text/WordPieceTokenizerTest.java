/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WordPieceTokenizerTest {
  private static final long SEED = Seeds.next();

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static List<String> vocabulary(String... words) {
    List<String> vocabulary = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    vocabulary.addAll(List.of(words));
    return vocabulary;
  }

  private static List<String> pieces(WordPieceTokenizer tokenizer, String text) {
    return Arrays.stream(tokenizer.tokenize(text).ids()).mapToObj(tokenizer::piece).toList();
  }

  private static final WordPieceTokenizer SMALL =
      new WordPieceTokenizer(
          vocabulary("tank", "##s", "two", "cafe", ",", ".", "[", "]", "mask", "istanbul"), 8);

  @Test
  void framesThePiecesOfAText() {
    assertEquals(List.of("[CLS]", "two", "tank", "##s", ".", "[SEP]"), pieces(SMALL, "Two tanks."));
    TokenizedText text = SMALL.tokenize("Two tanks.");
    assertEquals(6, text.length());
    assertFalse(text.truncated());
    assertEquals(0, text.unknown());
  }

  @Test
  void saysWhichPiecesAreOneWord() {
    assertEquals(
        List.of(
            new WordSpan("[CLS]", 0, 1),
            new WordSpan("two", 1, 2),
            new WordSpan("tanks", 2, 4),
            new WordSpan("[UNK]", 4, 5),
            new WordSpan(".", 5, 6),
            new WordSpan("[SEP]", 6, 7)),
        SMALL.spans(SMALL.tokenize("Two tanks rusting.")));
  }

  /** Which characters of the given text a token stands for, whatever cleaning made of them. */
  @Test
  void tokensCoverTheCharactersThatTheyComeFrom() {
    String text = " TWO\u200b Tan\u00ads, cafe\u0301\tCAF\u00c9 \u0130stanbul zeppelins.";
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(SMALL.words(), 40);
    TokenizedText tokens = tokenizer.tokenize(text);
    BytePairTokenizerTest.assertSpans(tokenizer, text, tokens);
    assertEquals(
        List.of(
            "TWO", "Tan\u00ads", ",", "cafe\u0301", "CAF\u00c9", "\u0130stanbul", "zeppelins", "."),
        IntStream.range(1, tokens.length() - 1)
            .mapToObj(token -> text.substring(tokens.start(token), tokens.end(token)))
            .toList());
    TokenizedText two = tokenizer.tokenize("caf\u00c9s");
    assertEquals(List.of(0, 4), List.of(two.start(1), two.end(1)));
    assertEquals(List.of(4, 5), List.of(two.start(2), two.end(2)));
  }

  /** Every character there is, alone, with marks behind it and between letters. */
  @Test
  void everyCharacterIsCoveredOrLeftOut() {
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(SMALL.words(), 4096);
    for (int block = 0; block <= Character.MAX_CODE_POINT; block += 128) {
      StringBuilder text = new StringBuilder("two");
      for (int c = block; c < block + 128; c++) {
        text.appendCodePoint(c).append(c % 3 == 0 ? " " : c % 3 == 1 ? "" : "s\u0301");
      }
      text.append(" two");
      TokenizedText tokens = tokenizer.tokenize(text.toString());
      BytePairTokenizerTest.assertSpans(tokenizer, text.toString(), tokens);
      int last = tokens.length() - 2;
      assertEquals(text.length() - 3, tokens.start(last), "U+" + Integer.toHexString(block));
    }
  }

  @Test
  void caseAccentsAndWhiteSpaceDoNotMatter() {
    TokenizedText expected = SMALL.tokenize("cafe, two");
    assertEquals(expected, SMALL.tokenize("CAFÉ,two"));
    assertEquals(expected, SMALL.tokenize(" \tcafe\u0301 ,\u00a0 Two\r\n"));
    assertEquals(List.of("[CLS]", "istanbul", "[SEP]"), pieces(SMALL, "İstanbul"));
  }

  /** A soft hyphen, a zero-width space, marks of direction, a byte order mark, a tag. */
  @Test
  void invisibleCharactersAreNoPartOfAWord() {
    TokenizedText expected = SMALL.tokenize("two tanks");
    assertEquals(expected, SMALL.tokenize("\ufefftwo \u200etan\u00adks\u200b"));
    assertEquals(expected, SMALL.tokenize("two\u2003tanks\u0000\udb40\udc20"));
    assertEquals(expected, SMALL.tokenize("two\u200b \u0007 tanks\ufffd"));
  }

  @Test
  void anIdeographIsAWord() {
    WordPieceTokenizer tokenizer =
        new WordPieceTokenizer(vocabulary("油", "罐", "##罐", "tank", "\ud840\udc00", "ひ", "##る"), 12);
    assertEquals(
        List.of("[CLS]", "油", "罐", "tank", "油", "\ud840\udc00", "ひ", "##る", "[SEP]"),
        pieces(tokenizer, "油罐tank油\ud840\udc00 ひる"));
    assertEquals(List.of("油", "罐"), WordPieceTokenizer.words("油罐"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", " ", "\t\r\n", "\u00a0", "\u0000", "\u200b\u00ad ", "\ufeff\n", "\u0301"})
  void refusesABlankText(String text) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> SMALL.tokenize(text)).getMessage();
    assertTrue(message.contains("empty"), message);
  }

  @Test
  void cutsALongTextAndSaysSo() {
    TokenizedText whole = SMALL.tokenize("two two two two two two");
    assertEquals(8, whole.length());
    assertFalse(whole.truncated());
    TokenizedText cut = SMALL.tokenize("two two two two two two zeppelin");
    assertTrue(cut.truncated());
    assertArrayEquals(whole.ids(), cut.ids());
    assertNotEquals(whole, cut);
    assertEquals(0, cut.unknown(), "the unknown word was cut off");
  }

  /** Twenty million characters would be gigabytes of words; what is kept is as of a short text. */
  @Test
  void ofAVeryLongTextTheBeginningIsRead() {
    TokenizedText words = SMALL.tokenize("two ".repeat(3_500_000));
    assertEquals(SMALL.tokenize("two ".repeat(100)), words);
    assertTrue(words.truncated());
    assertTrue(SMALL.tokenize("!".repeat(20_000_000)).truncated());
    assertFalse(SMALL.tokenize(" ".repeat(100_000) + "two" + " ".repeat(100_000)).truncated());
    assertFalse(SMALL.tokenize("\u200b".repeat(100_000) + "two").truncated());
    for (int length = (1 << 16) - 2; length < (1 << 16) + 5; length++) {
      String one = "a".repeat(length);
      assertEquals(length > 1 << 16, SMALL.tokenize(one + " ").truncated(), length + " letters");
      assertTrue(SMALL.tokenize(one + " two").truncated(), length + " letters and more");
    }
  }

  @Test
  void countsWhatItDoesNotKnow() {
    TokenizedText text = SMALL.tokenize("two zeppelins, two tankers");
    assertEquals(2, text.unknown());
    assertEquals(
        List.of("[CLS]", "two", "[UNK]", ",", "two", "[UNK]", "[SEP]"),
        Arrays.stream(text.ids()).mapToObj(SMALL::piece).toList());
  }

  @Test
  void aTextCannotSmuggleInASpecialToken() {
    assertEquals(List.of("[CLS]", "[", "mask", "]", "two", "[SEP]"), pieces(SMALL, "[MASK] two"));
    assertEquals(0, SMALL.tokenize("[MASK] two").unknown());
  }

  @Test
  void idsAreThePlacesInTheVocabulary() {
    for (int id = 0; id < SMALL.size(); id++) {
      assertEquals(id, SMALL.id(SMALL.piece(id)));
    }
    assertEquals(SMALL.id(WordPieceTokenizer.UNKNOWN), SMALL.id("zeppelin"));
  }

  @Test
  void refusesAVocabularyWithoutSpecialTokensOrWithDuplicates() {
    List<String> twice = vocabulary("tank", "two", "tank");
    String message =
        assertThrows(IllegalArgumentException.class, () -> new WordPieceTokenizer(twice, 8))
            .getMessage();
    assertTrue(message.contains("[tank] twice"), message);
    for (String special : WordPieceTokenizer.SPECIAL) {
      List<String> lacking = vocabulary("tank");
      lacking.remove(special);
      message =
          assertThrows(IllegalArgumentException.class, () -> new WordPieceTokenizer(lacking, 8))
              .getMessage();
      assertTrue(message.contains(special), message);
    }
  }

  /**
   * Longest match first (Wu et al. 2016), by dynamic lookup of prefixes rather than by shrinking.
   */
  private static List<String> greedy(String word, Set<String> vocabulary) {
    List<String> pieces = new ArrayList<>();
    String rest = word;
    while (!rest.isEmpty()) {
      String best = "";
      for (int end = 1; end <= rest.length(); end++) {
        String piece = (pieces.isEmpty() ? "" : "##") + rest.substring(0, end);
        if (vocabulary.contains(piece)) {
          best = piece;
        }
      }
      if (best.isEmpty()) {
        return List.of(WordPieceTokenizer.UNKNOWN);
      }
      rest = rest.substring(best.length() - (pieces.isEmpty() ? 0 : 2));
      pieces.add(best);
    }
    return pieces;
  }

  private String letters(int most) {
    StringBuilder word = new StringBuilder();
    for (int n = random.nextInt(1, most + 1); n > 0; n--) {
      word.append((char) ('a' + random.nextInt(4)));
    }
    return word.toString();
  }

  @Test
  void splitsRandomWordsByGreedyLongestMatch() {
    Set<String> words = new LinkedHashSet<>(WordPieceTokenizer.SPECIAL);
    for (int i = 0; i < 60; i++) {
      words.add((random.nextBoolean() ? "##" : "") + letters(4));
    }
    words.remove("##d"); // so that some words cannot be split
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(List.copyOf(words), 1000);
    int unknown = 0;
    for (int run = 0; run < 2000; run++) {
      String one = letters(9);
      String two = letters(3);
      List<String> expected = new ArrayList<>(List.of("[CLS]"));
      expected.addAll(greedy(one, words));
      expected.addAll(greedy(two, words));
      expected.add("[SEP]");
      assertEquals(expected, pieces(tokenizer, one + " " + two));
      unknown += tokenizer.tokenize(one).unknown();
    }
    assertTrue(unknown > 0 && unknown < 2000, "both kinds of word, got " + unknown + " unknown");
  }

  @Test
  void splitsAsBertDoes() throws IOException {
    Path file =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"))
            .resolve("data/bert-base-uncased-vocab.txt");
    if (!Files.exists(file)) {
      System.out.println("skipped: there is no " + file);
    }
    Assumptions.assumeTrue(Files.exists(file));
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(Files.readAllLines(file), 64);
    assertEquals(30522, tokenizer.size());
    assertArrayEquals(
        new int[] {101, 7592, 1010, 2088, 999, 102}, tokenizer.tokenize("Hello, World!").ids());
    assertEquals(
        List.of("[CLS]", "em", "##bed", "##ding", "##s", "[SEP]"), pieces(tokenizer, "embeddings"));
    assertEquals(
        List.of("[CLS]", "una", "##ffa", "##ble", "[SEP]"), pieces(tokenizer, "unaffable"));
    assertEquals(
        List.of("[CLS]", "token", "##ization", "isn", "'", "t", "hard", ".", "[SEP]"),
        pieces(tokenizer, "Tokenization isn't hard."));
    assertEquals(
        List.of("[CLS]", "a", "naive", "cafe", "[SEP]"), pieces(tokenizer, "A naïve Café"));
    assertEquals(
        List.of("[CLS]", "many", "buildings", "are", "around", "a", "viaduct", "[SEP]"),
        pieces(tokenizer, "many buildings are around a viaduct"));
  }
}
