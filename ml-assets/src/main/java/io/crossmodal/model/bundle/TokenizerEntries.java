/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.text.BytePairTokenizer;
import io.crossmodal.model.text.TextCleaning;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.text.WordPieceTokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Entries of a bundle that its tokenizer is made of: none without text, {@code vocab.txt} for word
 * pieces, for byte pairs {@code merges.txt} with or without {@code vocab.json}, or {@code
 * tokenizer.json}. Immutable.
 */
public final class TokenizerEntries {
  static final String WORDS = "vocab.txt";
  static final String MERGES = "merges.txt";
  static final String IDS = "vocab.json";
  static final String DOCUMENT = "tokenizer.json";

  /** May unpack to so much; BERT's vocab.txt takes 0.3 MB, CLIP's tokenizer.json 3.6. */
  static final Map<String, Integer> MAX_BYTES =
      Map.of(WORDS, 4 << 20, MERGES, 4 << 20, IDS, 8 << 20, DOCUMENT, 16 << 20);

  /** The model has no text. */
  public static final TokenizerEntries NONE =
      new TokenizerEntries(List.of(), null, new TreeMap<>());

  private final List<String> words;

  /** Null where it has no byte pairs. */
  private final TextCleaning cleaning;

  private final SortedMap<String, byte[]> content;

  private TokenizerEntries(
      List<String> words, TextCleaning cleaning, SortedMap<String, byte[]> content) {
    this.words = words;
    this.cleaning = cleaning;
    this.content = content;
  }

  /**
   * Makes those of BERT's word pieces.
   *
   * @param vocabulary in the order of its ids
   */
  public static TokenizerEntries wordPieces(List<String> vocabulary) {
    SortedMap<String, byte[]> content = new TreeMap<>();
    content.put(WORDS, (String.join("\n", vocabulary) + "\n").getBytes(StandardCharsets.UTF_8));
    return new TokenizerEntries(List.copyOf(vocabulary), null, content);
  }

  /**
   * Makes those of CLIP's byte pairs.
   *
   * @param file a name for messages
   * @param merges content of {@code bpe_simple_vocab_16e6.txt.gz}, {@code merges.txt} or {@code
   *     tokenizer.json}
   * @param ids content of the {@code vocab.json} of a {@code merges.txt}; null: it has none
   * @param cleaning of texts
   * @throws IllegalArgumentException when it is packed and damaged, or larger than a bundle takes
   */
  public static TokenizerEntries bytePairs(
      String file, byte[] merges, byte[] ids, TextCleaning cleaning) {
    byte[] plain = BytePairTokenizer.plain(file, merges);
    SortedMap<String, byte[]> content = new TreeMap<>();
    content.put(isDocument(plain) ? DOCUMENT : MERGES, plain);
    if (ids != null) {
      content.put(IDS, ids.clone());
    }
    content.forEach(
        (name, bytes) -> {
          if (bytes.length > MAX_BYTES.get(name)) {
            throw new IllegalArgumentException(
                String.format(
                    Locale.ROOT,
                    "[%s] has %d bytes; a bundle takes a %s of at most %d",
                    file,
                    bytes.length,
                    name,
                    MAX_BYTES.get(name)));
          }
        });
    return new TokenizerEntries(List.of(), Objects.requireNonNull(cleaning, "cleaning"), content);
  }

  /** Returns whether it is JSON. */
  private static boolean isDocument(byte[] plain) {
    int at = 0;
    while (at < plain.length && Character.isWhitespace(plain[at])) {
      at++;
    }
    return at < plain.length && plain[at] == '{';
  }

  /** Makes those of a manifest that are found in its bundle, each of the SHA-256 that it names. */
  static TokenizerEntries of(ModelManifest manifest, Map<String, byte[]> found)
      throws BundleException {
    for (Map.Entry<String, String> entry : manifest.tokenizerSha256().entrySet()) {
      BundleReader.checkHash(
          entry.getKey(), entry.getValue(), Sha256.hex(found.get(entry.getKey())));
    }
    if (manifest.bytePairs() != null) {
      for (Map.Entry<String, byte[]> entry : found.entrySet()) {
        if (BytePairTokenizer.plain(entry.getKey(), entry.getValue()) != entry.getValue()) {
          throw new BundleException(entry.getKey() + " is packed once more");
        }
      }
      return new TokenizerEntries(List.of(), manifest.bytePairs().cleaning(), new TreeMap<>(found));
    }
    if (!manifest.config().hasText()) {
      return NONE;
    }
    List<String> vocabulary = new String(found.get(WORDS), StandardCharsets.UTF_8).lines().toList();
    if (vocabulary.size() != manifest.config().text().vocabularySize()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "the config names %d word pieces, vocab.txt has %d",
              manifest.config().text().vocabularySize(),
              vocabulary.size()));
    }
    return wordPieces(vocabulary);
  }

  /**
   * Makes the tokenizer; null where the model has no text.
   *
   * @throws IllegalArgumentException when the entries hold none, or one of another vocabulary than
   *     the model's
   */
  Tokenizer tokenizer(ModelConfig config) {
    if (!config.hasText()) {
      return null;
    }
    int longest = config.text().maxTokens();
    if (cleaning == null) {
      return new WordPieceTokenizer(words, longest);
    }
    byte[] document = content.get(DOCUMENT);
    String file = document == null ? MERGES : DOCUMENT;
    return BytePairTokenizer.of(file, content.get(file), content.get(IDS), cleaning, longest)
        .forRows(config.text().vocabularySize());
  }

  /** Returns what decides which ids a text has; bundles in use hash this very text. */
  List<String> identity() {
    if (cleaning == null) {
      return words;
    }
    List<String> lines = new ArrayList<>(List.of("byte pairs", cleaning.name()));
    content.forEach((name, bytes) -> lines.add(name + " " + Sha256.hex(bytes)));
    return lines;
  }

  /** Returns what the manifest says of byte pairs; null for another tokenizer. */
  ModelManifest.BytePairs bytePairs() {
    if (cleaning == null) {
      return null;
    }
    SortedMap<String, String> hashes = new TreeMap<>();
    content.forEach((name, bytes) -> hashes.put(name, Sha256.hex(bytes)));
    return new ModelManifest.BytePairs(cleaning, hashes);
  }

  /** Returns the SHA-256 of {@code vocab.txt}; null where there is none. */
  String wordsSha256() {
    return content.containsKey(WORDS) ? Sha256.hex(content.get(WORDS)) : null;
  }

  /** Returns the word pieces in the order of their ids; empty where there are none. */
  List<String> words() {
    return words;
  }

  /** Returns the entries' bytes by name: live. */
  Map<String, byte[]> content() {
    return content;
  }
}
