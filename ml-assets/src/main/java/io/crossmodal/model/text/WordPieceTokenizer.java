/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import ai.djl.modality.nlp.DefaultVocabulary;
import ai.djl.modality.nlp.Vocabulary;
import ai.djl.modality.nlp.bert.BertFullTokenizer;
import ai.djl.modality.nlp.bert.WordpieceTokenizer;
import ai.djl.modality.nlp.preprocess.TextProcessor;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * BERT's uncased word-piece tokenizer over a vocabulary, with its special tokens. Thread-safe.
 *
 * <p>The splitting is DJL's {@link BertFullTokenizer}; this class adds ids, the length limit, the
 * checks, and what DJL leaves out of BERT's {@code BasicTokenizer}: invisible format characters go,
 * and each CJK ideograph is a word.
 *
 * @see <a href="https://github.com/google-research/bert/blob/master/tokenization.py">BERT</a>
 */
public final class WordPieceTokenizer implements Tokenizer {
  public static final String PADDING = "[PAD]";
  public static final String UNKNOWN = "[UNK]";
  public static final String START = "[CLS]";
  public static final String END = "[SEP]";
  public static final String MASK = "[MASK]";

  /** Starts every piece of a word but the first. */
  private static final String CONTINUATION = "##";

  /** The special tokens that every vocabulary must hold, in the order of a new one. */
  public static final List<String> SPECIAL = List.of(PADDING, UNKNOWN, START, END, MASK);

  private final List<String> words;
  private final Vocabulary vocabulary;
  private final WordpieceTokenizer pieces;
  private final int maxTokens;

  /**
   * A tokenizer over a vocabulary.
   *
   * @param words the vocabulary in the order of its ids, one word piece each
   * @param maxTokens longest result, [CLS] and [SEP] included
   * @throws IllegalArgumentException when a special token is missing or a piece stands twice
   */
  public WordPieceTokenizer(List<String> words, int maxTokens) {
    this.words = List.copyOf(words);
    this.maxTokens = maxTokens;
    Set<String> distinct = new HashSet<>();
    for (String word : words) {
      if (!distinct.add(word)) {
        throw new IllegalArgumentException("the vocabulary holds [" + word + "] twice");
      }
    }
    if (!distinct.containsAll(SPECIAL)) {
      throw new IllegalArgumentException("the vocabulary must hold " + SPECIAL);
    }
    this.vocabulary = DefaultVocabulary.builder().add(this.words).optUnknownToken(UNKNOWN).build();
    this.pieces = new WordpieceTokenizer(vocabulary, UNKNOWN, 200);
  }

  /**
   * Splits a text into word pieces. Of a long text only the beginning is looked at: splitting costs
   * some hundred bytes a word, and no model reads more than its first words.
   *
   * @throws IllegalArgumentException when the text has no character that a reader would see
   */
  @Override
  public TokenizedText tokenize(String text) {
    AlignedText clean = clean(text, MAX_CHARACTERS + 2);
    String all = clean.toString().strip();
    String beginning = beginning(all);
    AlignedText letters = letters(clean);
    TokenizedText.Builder tokens = new TokenizedText.Builder(id(START), maxTokens);
    int at = 0; // in the letters, which are the words' without the blanks between
    for (String word : split(beginning)) {
      int end = at + word.length();
      for (String piece : pieces.tokenize(word)) {
        int length = piece.length() - (piece.startsWith(CONTINUATION) ? CONTINUATION.length() : 0);
        int to = piece.equals(UNKNOWN) ? end : at + length;
        tokens.add(id(piece), letters.from(at), letters.to(to - 1));
        at = to;
      }
      if (tokens.isOver()) {
        break;
      }
    }
    if (tokens.isEmpty()) {
      throw new IllegalArgumentException(
          text.isBlank() ? "the text is empty" : "the text is empty but for invisible characters");
    }
    return tokens.build(id(END), text.length(), beginning.length() < all.length(), id(UNKNOWN));
  }

  /** Returns the characters of the words, one for each {@code char}, and where they come from. */
  private static AlignedText letters(AlignedText clean) {
    AlignedText letters = new AlignedText(clean.length());
    for (int i = 0; i < clean.length(); i++) {
      int c = clean.point(i);
      if (c > ' ' && c < 0x80) {
        letters.add(c, clean.from(i), clean.to(i));
      } else if (c != ' ') {
        String lower = Character.toString(c).toLowerCase(Locale.ROOT);
        int before = letters.length();
        for (char letter : Normalizer.normalize(lower, Normalizer.Form.NFD).toCharArray()) {
          if (Character.getType(letter) != Character.NON_SPACING_MARK) {
            letters.add(letter, clean.from(i), clean.to(i));
          }
        }
        if (letters.length() == before) { // a mark belongs to the letter before it
          letters.extend(clean.from(i), clean.to(i));
        }
      }
    }
    return letters;
  }

  private static List<String> split(String clean) {
    List<String> words = List.of(clean);
    for (TextProcessor processor : BertFullTokenizer.getPreprocessors(true)) {
      words = processor.preprocess(words);
    }
    return words;
  }

  /**
   * Without control and format characters, with single blanks for white space and around
   * ideographs: BERT's {@code _clean_text} and {@code _tokenize_chinese_chars}.
   *
   * @param most it stops when it has so many characters
   */
  private static AlignedText clean(String text, int most) {
    AlignedText clean = new AlignedText(Math.min(text.length(), most));
    int length = 0;
    for (int at = 0; at < text.length() && clean.length() < most; at += length) {
      int c = text.codePointAt(at);
      length = Character.charCount(c);
      if (isInvisible(c)) {
        continue;
      }
      if (Character.isWhitespace(c) || Character.isSpaceChar(c)) {
        blank(clean, at);
      } else if (isIdeograph(c)) {
        blank(clean, at);
        clean.add(c, at, at + length);
        clean.add(' ', at + length, at + length);
      } else {
        clean.add(c, at, at + length);
      }
    }
    return clean;
  }

  /** Unicode's classes Cc and Cf without what separates words, and what stands for no character. */
  private static boolean isInvisible(int c) {
    return c != '\t'
        && c != '\n'
        && c != '\r'
        && (c == 0xfffd
            || Character.getType(c) == Character.CONTROL
            || Character.getType(c) == Character.FORMAT);
  }

  private static void blank(AlignedText clean, int at) {
    if (clean.length() > 0 && clean.point(clean.length() - 1) != ' ') {
      clean.add(' ', at, at);
    }
  }

  /** In one of the blocks of CJK ideographs that BERT names; Hangul and Kana are in none. */
  private static boolean isIdeograph(int c) {
    return (c >= 0x4e00 && c <= 0x9fff)
        || (c >= 0x3400 && c <= 0x4dbf)
        || (c >= 0x20000 && c <= 0x2a6df)
        || (c >= 0x2a700 && c <= 0x2ceaf)
        || (c >= 0xf900 && c <= 0xfaff)
        || (c >= 0x2f800 && c <= 0x2fa1f);
  }

  /** Up to {@value #MAX_CHARACTERS} characters, to the end of a word where there is one. */
  private static String beginning(String text) {
    if (text.length() <= MAX_CHARACTERS) {
      return text;
    }
    int end = MAX_CHARACTERS;
    while (end > 0 && !Character.isWhitespace(text.charAt(end))) {
      end--;
    }
    return text.substring(0, end == 0 ? MAX_CHARACTERS : end);
  }

  /** Returns the words; [CLS] and [SEP] are words of their own. */
  @Override
  public List<WordSpan> spans(TokenizedText text) {
    List<WordSpan> spans = new ArrayList<>();
    int[] ids = text.ids();
    for (int from = 0; from < ids.length; ) {
      StringBuilder word = new StringBuilder(piece(ids[from]));
      int to = from + 1;
      while (to < ids.length && piece(ids[to]).startsWith(CONTINUATION)) {
        word.append(piece(ids[to]), CONTINUATION.length(), piece(ids[to]).length());
        to++;
      }
      spans.add(new WordSpan(word.toString(), from, to));
      from = to;
    }
    return spans;
  }

  /** The words and punctuation marks of a text, lower case, before they are split into pieces. */
  public static List<String> words(String text) {
    return split(clean(text, Integer.MAX_VALUE).toString().strip());
  }

  /** The id of a word piece, that of [UNK] where there is no such piece. */
  public int id(String piece) {
    return (int) vocabulary.getIndex(piece);
  }

  @Override
  public String piece(int id) {
    return words.get(id);
  }

  @Override
  public int size() {
    return words.size();
  }

  @Override
  public int maxTokens() {
    return maxTokens;
  }

  @Override
  public int paddingId() {
    return id(PADDING);
  }

  /** The vocabulary in the order of its ids. */
  public List<String> words() {
    return words;
  }
}
