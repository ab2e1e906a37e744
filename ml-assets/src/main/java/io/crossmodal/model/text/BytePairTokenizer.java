/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import io.crossmodal.model.text.BytePairVocabulary.Special;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * CLIP's tokenizer: a text is cleaned, split into runs of letters, single digits, runs of other
 * characters and contractions such as "'s", and the bytes of each are merged by pairs. Thread-safe.
 *
 * <p>A text without anything to read has the start and end token alone, for which a CLIP has a
 * vector. Names of special tokens inside of a text stand for these tokens, as in the reference.
 *
 * @see <a href="https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py">CLIP</a>
 */
public final class BytePairTokenizer implements Tokenizer {
  /** No id: bytes make up whatever a text holds. */
  private static final int NONE = -1;

  private final BytePairVocabulary vocabulary;
  private final TextCleaning cleaning;
  private final int maxTokens;
  private final int size;

  /** Special tokens that are looked for before the text is cleaned, and behind. */
  private final Map<Special, int[]> given = new HashMap<>();

  private final Map<Special, int[]> cleaned = new HashMap<>();

  private BytePairTokenizer(
      BytePairVocabulary vocabulary, TextCleaning cleaning, int maxTokens, int size) {
    if (maxTokens < 3) {
      throw new IllegalArgumentException(
          "max_tokens is " + maxTokens + "; start, end and one token between are 3");
    }
    this.vocabulary = vocabulary;
    this.cleaning = cleaning;
    this.maxTokens = maxTokens;
    this.size = size;
    for (Special special : vocabulary.specials()) {
      if (special.id() < size) {
        AlignedText name = AlignedText.of(special.name(), special.name().length());
        boolean behind = special.cleaned() || cleaning == TextCleaning.OPEN_CLIP;
        (behind ? cleaned : given)
            .put(
                special, (behind ? name.lowerCase(false) : name).toString().codePoints().toArray());
      }
    }
  }

  /**
   * Reads a tokenizer file; texts are cleaned as the library does that writes such files.
   *
   * @param file {@code bpe_simple_vocab_16e6.txt.gz}, {@code merges.txt} or {@code tokenizer.json},
   *     told apart by their content
   * @param maxTokens longest result, start and end included; 77 for nearly every CLIP
   * @throws IllegalArgumentException when it is none of these, damaged, or not of a CLIP
   * @throws IOException when it cannot be read
   */
  public static BytePairTokenizer read(Path file, int maxTokens) throws IOException {
    byte[] content = content(file);
    return of(file.toString(), content, null, cleaning(content), maxTokens);
  }

  /**
   * Reads a tokenizer file and, where there is one, the ids of its pieces.
   *
   * @param file as for {@link #read(Path, int)}
   * @param ids the {@code vocab.json} of a {@code merges.txt}; null: ids go by the merges' order
   */
  public static BytePairTokenizer read(Path file, Path ids, TextCleaning cleaning, int maxTokens)
      throws IOException {
    byte[] idContent = ids == null ? null : content(ids);
    return of(file.toString(), content(file), idContent, cleaning, maxTokens);
  }

  /**
   * Makes a tokenizer of what its files hold.
   *
   * @param file a name for messages
   * @param content of the file
   * @param ids content of its {@code vocab.json}; null: it has none
   * @throws IllegalArgumentException when it is no tokenizer of a CLIP, or damaged
   */
  public static BytePairTokenizer of(
      String file, byte[] content, byte[] ids, TextCleaning cleaning, int maxTokens) {
    List<String> frame = BytePairVocabulary.FRAMES.get(cleaning == TextCleaning.OPEN_CLIP ? 1 : 0);
    BytePairVocabulary vocabulary = BytePairFiles.read(file, content, ids, frame);
    return new BytePairTokenizer(vocabulary, cleaning, maxTokens, vocabulary.size());
  }

  /**
   * Returns a tokenizer file as plain text without what is not used: the merges of {@code
   * bpe_simple_vocab_16e6.txt.gz} that a CLIP has, any other content as it is.
   *
   * @param file a name for messages
   * @throws IllegalArgumentException when it is packed and damaged
   */
  public static byte[] plain(String file, byte[] content) {
    return BytePairFiles.plain(file, content);
  }

  /** Returns how the library cleans texts that writes such files. */
  public static TextCleaning cleaning(byte[] content) {
    return BytePairFiles.isGzip(content) ? TextCleaning.OPEN_CLIP : TextCleaning.HUGGING_FACE;
  }

  private static byte[] content(Path file) throws IOException {
    BytePairFiles.requireSize(file.toString(), Files.size(file));
    return Files.readAllBytes(file);
  }

  /**
   * Returns the tokenizer for a model. Libraries write tokens into their files that a model has no
   * rows for, such as a second start token: without rows such a name in a text is text.
   *
   * @param rows V of the model's token embedding
   * @throws IllegalArgumentException when the model was trained with another vocabulary
   */
  public BytePairTokenizer forRows(int rows) {
    if (rows != vocabulary.size() && rows != vocabulary.ownSize()) {
      throw BytePairFiles.refused(
          vocabulary.file(),
          "it has "
              + vocabulary.ownSize()
              + " ids, and the model has rows for "
              + rows
              + ": they do not belong together");
    }
    return new BytePairTokenizer(vocabulary, cleaning, maxTokens, rows);
  }

  @Override
  public TokenizedText tokenize(String text) {
    AlignedText beginning = AlignedText.of(text, MAX_CHARACTERS);
    int looked = beginning.length() == 0 ? 0 : beginning.to(beginning.length() - 1);
    TokenizedText.Builder tokens = new TokenizedText.Builder(vocabulary.start(), maxTokens);
    if (cleaning == TextCleaning.OPEN_CLIP) {
      addWords(cleaning.clean(beginning), tokens);
    } else {
      addAround(
          given,
          beginning,
          tokens,
          part -> addAround(cleaned, cleaning.clean(part), tokens, rest -> addWords(rest, tokens)));
    }
    boolean cut = looked < text.length() && !text.substring(looked).isBlank();
    return tokens.build(vocabulary.end(), text.length(), cut, NONE);
  }

  /** Returns the id of the token that ends each text. */
  public int end() {
    return vocabulary.end();
  }

  /** Adds the special tokens of a text, and has what lies between them added. */
  private static void addAround(
      Map<Special, int[]> specials,
      AlignedText text,
      TokenizedText.Builder tokens,
      Consumer<AlignedText> between) {
    int from = 0;
    for (int at = 0; at < text.length() && !tokens.isOver(); at++) {
      Special special = find(specials, text, at);
      if (special != null) {
        between.accept(text.part(from, at));
        from = at + specials.get(special).length;
        tokens.add(special.id(), text.from(at), text.to(from - 1));
        at = from - 1;
      }
    }
    between.accept(text.part(from, text.length()));
  }

  /** Returns the longest special token at a place; null: there is none. */
  private static Special find(Map<Special, int[]> specials, AlignedText text, int at) {
    Special found = null;
    for (Map.Entry<Special, int[]> special : specials.entrySet()) {
      if (text.startsWith(special.getValue(), at)
          && (found == null || special.getValue().length > specials.get(found).length)) {
        found = special.getKey();
      }
    }
    return found;
  }

  /** Splits a cleaned text into words and these into pieces, as long as there is room. */
  private void addWords(AlignedText text, TokenizedText.Builder tokens) {
    int unit = 0; // the end of a name that is a word of its own, split once more
    for (int at = 0; at < text.length() && !tokens.isOver(); ) {
      Special special = cleaning == TextCleaning.OPEN_CLIP ? find(cleaned, text, at) : null;
      int end = at + 1;
      if (special != null) {
        end = at + cleaned.get(special).length;
        tokens.add(special.id(), text.from(at), text.to(end - 1));
      } else if (!separates(text.point(at))) {
        unit = at < unit ? unit : endOfUnit(text, at);
        end = endOfWord(text, at);
        end = at < unit ? Math.min(end, unit) : end;
        addWord(text, at, end, tokens);
      }
      at = end;
    }
  }

  /** Returns the end of a special token's name, which Hugging Face's pattern has in it. */
  private int endOfUnit(AlignedText text, int at) {
    for (String unit : vocabulary.units()) {
      if (cleaning == TextCleaning.HUGGING_FACE
          && text.startsWith(unit.codePoints().toArray(), at)) {
        return at + unit.length();
      }
    }
    return at;
  }

  /** CLIP's pattern: {@code 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+}. */
  private int endOfWord(AlignedText text, int at) {
    int c = text.point(at);
    if (c == '\'') {
      int length = contraction(text, at + 1);
      if (length > 0) {
        return at + 1 + length;
      }
    }
    if (Character.isLetter(c)) {
      return text.endOfRun(at, Character::isLetter);
    }
    return isNumber(c) ? at + 1 : text.endOfRun(at, this::isOther);
  }

  /** Returns how many letters behind an apostrophe belong to it. */
  private int contraction(AlignedText text, int at) {
    int first = at < text.length() ? text.point(at) : 0;
    int second = at + 1 < text.length() ? text.point(at + 1) : 0;
    return switch (first) {
      case 's', 't', 'm', 'd' -> 1;
      case 'r', 'v' -> second == 'e' ? 2 : 0;
      case 'l' -> second == 'l' ? 2 : 0;
      // OpenCLIP's pattern ignores case: the long s is an s
      case 0x17f -> cleaning == TextCleaning.OPEN_CLIP ? 1 : 0;
      default -> 0;
    };
  }

  private boolean isOther(int c) {
    return !separates(c) && !Character.isLetter(c) && !isNumber(c);
  }

  private static boolean isNumber(int c) {
    return switch (Character.getType(c)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
      default -> false;
    };
  }

  /**
   * White space. OpenCLIP's pattern ignores case, so that the one mark that is a letter in capitals
   * is in none of its classes.
   */
  private boolean separates(int c) {
    return Character.isSpaceChar(c)
        || (c >= '\t' && c <= '\r')
        || c == 0x85
        || (c == 0x345 && cleaning == TextCleaning.OPEN_CLIP);
  }

  private void addWord(AlignedText text, int first, int end, TokenizedText.Builder tokens) {
    byte[] bytes = text.part(first, end).toString().getBytes(StandardCharsets.UTF_8);
    int[] points = new int[bytes.length]; // the code point that each byte is of
    for (int i = 0, point = first - 1; i < bytes.length; i++) {
      point += (bytes[i] & 0xc0) == 0x80 ? 0 : 1; // bytes that go on start with the bits 10
      points[i] = point;
    }
    vocabulary.split(
        bytes, (id, from, to) -> tokens.add(id, text.from(points[from]), text.to(points[to - 1])));
  }

  @Override
  public List<WordSpan> spans(TokenizedText text) {
    List<WordSpan> spans = new ArrayList<>();
    int[] ids = text.ids();
    for (int from = 0; from < ids.length; ) {
      int to = from + 1;
      if (isSpecial(ids[from])) {
        spans.add(new WordSpan(piece(ids[from]), from, to));
      } else {
        List<String> pieces = new ArrayList<>(List.of(piece(ids[from])));
        while (!pieces.get(to - from - 1).endsWith(BytePairVocabulary.WORD_END)
            && !isSpecial(ids[to])) { // the end token is one
          pieces.add(piece(ids[to++]));
        }
        spans.add(new WordSpan(vocabulary.word(pieces), from, to));
      }
      from = to;
    }
    return spans;
  }

  private boolean isSpecial(int id) {
    return id == vocabulary.start()
        || id == vocabulary.end()
        || vocabulary.specials().stream().anyMatch(special -> special.id() == id);
  }

  @Override
  public String piece(int id) {
    return vocabulary.name(id);
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public int maxTokens() {
    return maxTokens;
  }

  /**
   * Returns 0, as OpenAI's and OpenCLIP's have it. Hugging Face's fill with the end token; the
   * model's causal mask hides either from the tokens before.
   */
  @Override
  public int paddingId() {
    return 0;
  }
}
