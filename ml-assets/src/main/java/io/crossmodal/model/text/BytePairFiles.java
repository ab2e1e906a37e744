/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonPrimitive;
import com.google.gson.annotations.SerializedName;
import com.google.gson.reflect.TypeToken;
import io.crossmodal.model.Messages;
import io.crossmodal.model.text.BytePairVocabulary.Special;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/**
 * Reads the files that CLIP's byte pairs come in; which kind one is says its content, not its name.
 *
 * <ul>
 *   <li>{@code bpe_simple_vocab_16e6.txt.gz}, OpenAI's and OpenCLIP's: merges, packed with gzip;
 *       the first {@value #CLIP_MERGES} are used
 *   <li>{@code merges.txt}, Hugging Face's: the same as plain text, with or without vocab.json
 *   <li>{@code tokenizer.json}, Hugging Face's: merges, ids and the rules of splitting
 * </ul>
 */
final class BytePairFiles {
  /** The merges that a CLIP has; its first file holds five times as many. */
  static final int CLIP_MERGES = 49_152 - 256 - 2;

  /** A tokenizer.json is below 4 MB. */
  private static final int MAX_BYTES = 64 << 20;

  /** Added tokens: each is looked for at every place of a text. */
  private static final int MAX_ADDED = 256;

  /** Of the first line of a list of merges. */
  private static final String VERSION = "#version:";

  /** What the splitting rule of every tokenizer.json of a CLIP ends in. */
  private static final String UNITS = "[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .create();

  /** A tokenizer.json, as far as it matters. */
  private record Document(
      Model model, Rule normalizer, Rule preTokenizer, List<Added> addedTokens) {}

  private record Model(
      String type,
      String endOfWordSuffix,
      String continuingSubwordPrefix,
      Double dropout,
      Boolean byteFallback,
      Boolean ignoreMerges,
      Map<String, Integer> vocab,
      List<JsonElement> merges) {}

  private record Added(
      Integer id,
      String content,
      boolean normalized,
      boolean singleWord,
      boolean lstrip,
      boolean rstrip) {}

  /** A step of cleaning or splitting, or a sequence of them. */
  private record Rule(
      String type, Pattern pattern, List<Rule> normalizers, List<Rule> pretokenizers) {
    List<Rule> steps() {
      return Stream.of(normalizers, pretokenizers)
          .filter(Objects::nonNull)
          .flatMap(List::stream)
          .toList();
    }
  }

  private record Pattern(@SerializedName("Regex") String regex) {}

  private BytePairFiles() {}

  /** Returns the refusal of a file: its name, what was found, what is taken. */
  static IllegalArgumentException refused(String file, String found) {
    return new IllegalArgumentException(
        "["
            + Messages.path(file)
            + "] is no tokenizer of a CLIP: "
            + found
            + "; taken are bpe_simple_vocab_16e6.txt.gz, merges.txt (with vocab.json or without)"
            + " and tokenizer.json of a CLIP");
  }

  /** Refuses a file that is too large to be read. */
  static void requireSize(String file, long bytes) {
    if (bytes > MAX_BYTES) {
      throw refused(file, "it has " + bytes + " bytes, more than " + MAX_BYTES);
    }
  }

  static boolean isGzip(byte[] content) {
    return content.length > 1 && content[0] == 0x1f && content[1] == (byte) 0x8b;
  }

  /**
   * Reads a file of any of the kinds.
   *
   * @param file its name, for messages
   * @param content all of it
   * @param ids its vocab.json; null: it has none
   * @param frame names of start and end token where the file has none
   * @throws IllegalArgumentException when it is none of them, or damaged
   */
  static BytePairVocabulary read(String file, byte[] content, byte[] ids, List<String> frame) {
    String text = text(file, isGzip(content) ? unpacked(file, content) : content);
    if (text.stripLeading().startsWith("{")) {
      if (ids != null) {
        throw refused(file, "a tokenizer.json has its ids, and a vocab.json is given beside it");
      }
      return tokenizer(file, parse(file, text, TypeToken.get(Document.class)));
    }
    List<String> merges = text.lines().toList();
    int first = !merges.isEmpty() && merges.get(0).contains(VERSION) ? 1 : 0;
    int end = merges.size();
    while (end > first && merges.get(end - 1).isBlank()) {
      end--;
    }
    merges = merges.subList(first, Math.min(end, first + CLIP_MERGES));
    if (merges.isEmpty()) {
      throw refused(file, "it holds no merges");
    }
    if (ids != null) {
      String idFile = "vocab.json of " + file;
      Map<String, Integer> given = parse(idFile, text(idFile, ids), new TypeToken<>() {});
      requireIds(idFile, given);
      return new BytePairVocabulary(file, merges, given, List.of(), frame);
    }
    int start = BytePairVocabulary.BYTE_PIECES + merges.size();
    return new BytePairVocabulary(
        file,
        merges,
        null,
        List.of(
            new Special(frame.get(0), start, false), new Special(frame.get(1), start + 1, false)),
        frame);
  }

  /** See {@link BytePairTokenizer#plain}. */
  static byte[] plain(String file, byte[] content) {
    if (!isGzip(content)) {
      return content;
    }
    List<String> lines = text(file, unpacked(file, content)).lines().toList();
    int most = CLIP_MERGES + (lines.isEmpty() || !lines.get(0).contains(VERSION) ? 0 : 1);
    return (String.join("\n", lines.subList(0, Math.min(most, lines.size()))) + "\n")
        .getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] unpacked(String file, byte[] content) {
    try (InputStream in = new GZIPInputStream(new ByteArrayInputStream(content))) {
      byte[] unpacked = in.readNBytes(MAX_BYTES + 1);
      if (unpacked.length > MAX_BYTES) {
        throw refused(file, "it holds more than " + MAX_BYTES + " bytes when unpacked");
      }
      return unpacked;
    } catch (IOException e) { // of memory: its content is at fault
      throw refused(
          file,
          "its "
              + content.length
              + " bytes start as gzip, which cannot be unpacked ("
              + Messages.excerpt(e.getMessage())
              + "): is its end missing");
    }
  }

  private static String text(String file, byte[] content) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
    } catch (CharacterCodingException e) {
      throw refused(file, "its " + content.length + " bytes are no UTF-8 text");
    }
  }

  private static <T> T parse(String file, String json, TypeToken<T> type) {
    try {
      T value = GSON.fromJson(json, type);
      if (value != null) {
        return value;
      }
    } catch (JsonParseException | NumberFormatException e) {
      throw refused(file, "it is not the JSON expected: " + Messages.excerpt(e.getMessage(), 300));
    }
    throw refused(file, "its JSON is empty");
  }

  private static BytePairVocabulary tokenizer(String file, Document document) {
    Model model = document.model;
    if (model == null || model.merges == null || model.vocab == null) {
      throw refused(file, "it has no [model] with [merges] and [vocab]");
    }
    require(file, "model.type", model.type, "BPE");
    require(file, "model.end_of_word_suffix", model.endOfWordSuffix, BytePairVocabulary.WORD_END);
    require(file, "model.continuing_subword_prefix", model.continuingSubwordPrefix, "");
    require(file, "model.dropout", model.dropout, 0.0);
    require(file, "model.byte_fallback", model.byteFallback, false);
    require(file, "model.ignore_merges", model.ignoreMerges, false);
    List<Rule> cleaning = flat(document.normalizer);
    require(file, "normalizer", types(cleaning), List.of("NFC", "Replace", "Lowercase"));
    List<Rule> splitting = flat(document.preTokenizer);
    require(file, "pre_tokenizer", types(splitting), List.of("Split", "ByteLevel"));
    String pattern = splitting.get(0).pattern == null ? "" : splitting.get(0).pattern.regex;
    if (pattern == null || !pattern.endsWith(UNITS)) {
      throw refused(
          file, "it splits texts by [" + Messages.excerpt(pattern) + "], not by [" + UNITS + "]");
    }
    requireIds(file, model.vocab);
    List<String> merges = new ArrayList<>();
    for (JsonElement merge : model.merges) {
      merges.add(
          merge instanceof JsonArray pair && pair.size() == 2
              ? string(file, pair.get(0)) + " " + string(file, pair.get(1))
              : string(file, merge));
    }
    List<String> units =
        BytePairVocabulary.FRAMES.stream()
            .flatMap(List::stream)
            .filter(name -> pattern.contains(name.replace("|", "\\|")))
            .toList();
    return new BytePairVocabulary(file, merges, model.vocab, added(file, document), units);
  }

  private static List<Special> added(String file, Document document) {
    List<Special> added = new ArrayList<>();
    List<Added> tokens = Objects.requireNonNullElse(document.addedTokens, List.of());
    if (tokens.size() > MAX_ADDED) {
      throw refused(file, "it has " + tokens.size() + " added tokens, more than " + MAX_ADDED);
    }
    for (Added token : tokens) {
      if (token == null || token.content == null || token.content.isEmpty() || token.id == null) {
        throw refused(
            file, "an added token lacks its [content] or its [id]: " + Messages.excerpt(token));
      }
      if (token.singleWord || token.lstrip || token.rstrip) {
        throw refused(
            file,
            "the added token ["
                + Messages.excerpt(token.content)
                + "] has single_word, lstrip or rstrip, which none of a CLIP has");
      }
      added.add(new Special(token.content, token.id, token.normalized));
    }
    return added;
  }

  private static void requireIds(String file, Map<String, Integer> ids) {
    if (ids.containsValue(null)) {
      throw refused(file, "a piece has the id null");
    }
  }

  private static String string(String file, JsonElement value) {
    if (value instanceof JsonPrimitive primitive && primitive.isString()) {
      return primitive.getAsString();
    }
    throw refused(file, "a merge is [" + Messages.excerpt(value) + "], no text");
  }

  /** Refuses another value; null, the field's absence, counts as the expected one. */
  private static void require(String file, String field, Object found, Object expected) {
    if (found != null && !found.equals(expected)) {
      throw refused(
          file, "its " + field + " is [" + Messages.excerpt(found) + "], not [" + expected + "]");
    }
  }

  private static List<Rule> flat(Rule rule) {
    List<Rule> flat = new ArrayList<>();
    if (rule != null && rule.type != null) {
      if (rule.type.equals("Sequence")) {
        rule.steps().forEach(step -> flat.addAll(flat(step)));
      } else {
        flat.add(rule);
      }
    }
    return flat;
  }

  private static List<String> types(List<Rule> rules) {
    return rules.stream().map(rule -> rule.type).toList();
  }
}
