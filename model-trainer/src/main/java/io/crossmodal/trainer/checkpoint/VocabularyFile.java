/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.model.text.WordPieceTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An uncased BERT's word pieces: {@code vocab.txt}, one a line, or Hugging Face's {@code
 * tokenizer.json}.
 */
final class VocabularyFile {
  private static final int MAX_BYTES = 64 << 20;

  /** What no vocabulary of lower-cased texts holds; {@code [CLS]} and {@code [unused1]} may be. */
  private static final Pattern CASED = Pattern.compile("(?!\\[).*[A-Z].*");

  private VocabularyFile() {}

  /**
   * Reads word pieces in the order of their ids.
   *
   * @throws CheckpointException when the file is no such vocabulary, saying what is wrong
   */
  static List<String> read(Path file) throws IOException {
    if (Files.size(file) > MAX_BYTES) {
      throw new CheckpointException(
          file + " has more than " + MAX_BYTES + " bytes, too many for word pieces");
    }
    List<String> lines = InitialModel.readVocabulary(file);
    boolean json = lines.stream().findFirst().orElse("").stripLeading().startsWith("{");
    List<String> words = json ? tokenizer(file, String.join("\n", lines)) : lines;
    try {
      new WordPieceTokenizer(words, WordPieceTokenizer.SPECIAL.size());
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(file + ": " + e.getMessage(), e);
    }
    for (String word : words) {
      if (CASED.matcher(word).matches()) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s is a cased vocabulary, it holds [%s]; texts are lower-cased here, so take an"
                    + " uncased BERT",
                file,
                word));
      }
    }
    return words;
  }

  private static List<String> tokenizer(Path file, String json) throws CheckpointException {
    try {
      JsonObject root = JsonParser.parseString(json).getAsJsonObject();
      JsonObject model = object(root, "model");
      String prefix = text(model, "continuing_subword_prefix");
      if (!text(model, "type").matches("WordPiece|absent") || !prefix.equals("##")) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s is the tokenizer of type %s with the prefix %s; it must be BERT's, WordPiece"
                    + " with ##",
                file,
                text(model, "type"),
                prefix));
      }
      JsonObject normalizer = object(root, "normalizer");
      if (text(normalizer, "lowercase").equals("false")
          || text(normalizer, "strip_accents").equals("false")) {
        throw new CheckpointException(
            file + " keeps upper case or accents; texts lose both here, so take an uncased BERT");
      }
      return words(file, root, object(model, "vocab"));
    } catch (JsonParseException | IllegalStateException | ClassCastException e) {
      throw new CheckpointException(file + " is no tokenizer.json: " + e.getMessage(), e);
    } catch (ArithmeticException | NumberFormatException e) {
      throw new CheckpointException(file + " has an id that is no whole number", e);
    }
  }

  private static List<String> words(Path file, JsonObject root, JsonObject vocabulary)
      throws CheckpointException {
    String[] words = new String[vocabulary.size()];
    for (var entry : vocabulary.entrySet()) {
      int id = entry.getValue().getAsBigDecimal().intValueExact();
      if (id < 0 || id >= words.length || words[id] != null) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s: the ids of its %d pieces must be 0 to %d, each once; [%s] has %d",
                file,
                words.length,
                words.length - 1,
                entry.getKey(),
                id));
      }
      words[id] = entry.getKey();
    }
    if (root.get("added_tokens") != null && root.get("added_tokens").isJsonArray()) {
      for (JsonElement token : root.getAsJsonArray("added_tokens")) {
        String content = text(token.getAsJsonObject(), "content");
        if (!vocabulary.has(content)) {
          throw new CheckpointException(
              file + " adds the token [" + content + "] to its word pieces, which is not read");
        }
      }
    }
    return Arrays.asList(words);
  }

  /** Returns a member, or an empty object where there is none. */
  private static JsonObject object(JsonObject parent, String name) {
    JsonElement member = parent.get(name);
    return member == null || member.isJsonNull() ? new JsonObject() : member.getAsJsonObject();
  }

  private static String text(JsonObject parent, String name) {
    JsonElement member = parent.get(name);
    return member == null || member.isJsonNull() ? "absent" : member.getAsString();
  }
}
