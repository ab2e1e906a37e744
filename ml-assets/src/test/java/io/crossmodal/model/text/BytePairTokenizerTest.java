/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.fixtures.Seeds;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BytePairTokenizerTest {
  private static final long SEED = Seeds.next();

  /** Cases whose encoding ftfy takes for broken and repairs, which this library does not. */
  private static final List<Integer> BROKEN_ENCODINGS = List.of(585, 684, 872, 992);

  private static final int MERGES = 240;
  private static final int START = 512 + MERGES;
  private static final int END = START + 1;

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static Path shared(String name) {
    Path file =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"), "fixtures", "clip", name);
    if (!Files.exists(file)) {
      System.out.println("skipped: no " + file + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(file));
    return file;
  }

  static byte[] resource(String name) {
    try (InputStream in = BytePairTokenizerTest.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static BytePairTokenizer small(TextCleaning cleaning, int maxTokens) {
    byte[] merges = resource("small-merges.txt");
    return BytePairTokenizer.of("small-merges.txt", merges, null, cleaning, maxTokens);
  }

  private static JsonObject json(byte[] utf8) {
    return JsonParser.parseString(new String(utf8, StandardCharsets.UTF_8)).getAsJsonObject();
  }

  /** The ids between start and end. */
  private static List<Integer> inner(TokenizedText text) {
    int[] ids = text.ids();
    return Arrays.stream(ids, 1, ids.length - 1).boxed().toList();
  }

  private static List<String> pieces(BytePairTokenizer tokenizer, String text) {
    return inner(tokenizer.tokenize(text)).stream().map(tokenizer::piece).toList();
  }

  /** The cases whose ids differ from a column's; each one's spans are checked too. */
  private static List<Integer> differing(
      BytePairTokenizer tokenizer, List<String> cases, String column) {
    List<Integer> differing = new ArrayList<>();
    for (int i = 0; i < cases.size(); i++) {
      JsonObject given = JsonParser.parseString(cases.get(i)).getAsJsonObject();
      String text = given.get("text").getAsString();
      JsonArray expected = given.getAsJsonArray(column);
      TokenizedText tokens = tokenizer.tokenize(text);
      assertSpans(tokenizer, text, tokens);
      if (!inner(tokens).equals(expected.asList().stream().map(id -> id.getAsInt()).toList())) {
        differing.add(i);
      }
    }
    return differing;
  }

  /** Spans are in order and in the text; every token but the frame covers characters. */
  static void assertSpans(Tokenizer tokenizer, String text, TokenizedText tokens) {
    int n = tokens.length();
    assertEquals(List.of(0, 0), List.of(tokens.start(0), tokens.end(0)), text);
    assertEquals(text.length(), tokens.start(n - 1), text);
    assertEquals(text.length(), tokens.end(n - 1), text);
    for (int i = 1; i < n - 1; i++) {
      assertTrue(tokens.start(i) < tokens.end(i), text);
      assertTrue(tokens.start(i) >= tokens.start(i - 1), text);
      assertTrue(tokens.end(i) >= tokens.end(i - 1), text);
      assertTrue(tokens.end(i) <= text.length(), text);
    }
    int next = 0;
    for (WordSpan word : tokenizer.spans(tokens)) {
      assertEquals(next, word.from(), text);
      assertTrue(word.to() > word.from(), text);
      next = word.to();
    }
    assertEquals(n, next, "the words are all tokens of " + text);
  }

  private static List<String> sharedCases() throws IOException {
    List<String> cases = Files.readAllLines(shared("tokenizer-cases.jsonl"));
    assertEquals(993, cases.size());
    return cases;
  }

  @Test
  void splitsAsOpenClipDoes() throws IOException {
    BytePairTokenizer tokenizer =
        BytePairTokenizer.read(shared("bpe_simple_vocab_16e6.txt.gz"), 4096);
    assertEquals(49_408, tokenizer.size());
    assertArrayEquals(new int[] {49_406, 49_407}, tokenizer.tokenize("").ids());
    assertEquals(BROKEN_ENCODINGS, differing(tokenizer, sharedCases(), "openclip"));
  }

  @Test
  void splitsAsHuggingFaceDoes(@TempDir Path folder) throws IOException {
    Path json = shared("huggingface-quickgelu/tokenizer.json");
    BytePairTokenizer whole = BytePairTokenizer.read(json, 4096);
    assertEquals(List.of(), differing(whole, sharedCases(), "huggingface"));

    // The file names a second pair of start and end, 49408 and 49409, which no model has rows for.
    assertArrayEquals(new int[] {49_406, 49_407}, whole.tokenize("").ids());
    assertEquals(49_410, whole.size());
    BytePairTokenizer served = whole.forRows(49_408);
    assertEquals(49_408, served.size());
    assertEquals(List.of(982), differing(served, sharedCases(), "huggingface"));

    // The merges of the packed file, as merges.txt has them, with and without vocab.json.
    byte[] unpacked;
    try (InputStream in =
        new GZIPInputStream(Files.newInputStream(shared("bpe_simple_vocab_16e6.txt.gz")))) {
      unpacked = in.readAllBytes();
    }
    Path merges = folder.resolve("merges.txt");
    Files.write(
        merges,
        new String(unpacked, StandardCharsets.UTF_8).lines().limit(48_895).toList(),
        StandardCharsets.UTF_8);
    Path ids = folder.resolve("vocab.json");
    Files.writeString(
        ids, json(Files.readAllBytes(json)).getAsJsonObject("model").get("vocab").toString());
    assertEquals(
        List.of(982),
        differing(BytePairTokenizer.read(merges, 4096), sharedCases(), "huggingface"));
    assertEquals(
        List.of(982),
        differing(
            BytePairTokenizer.read(merges, ids, TextCleaning.HUGGING_FACE, 4096),
            sharedCases(),
            "huggingface"));
  }

  /** The ids that a model is given: framed, cut to 77, filled with zeros. */
  @Test
  void framesAndCutsAsOpenClipDoes() throws IOException {
    BytePairTokenizer tokenizer =
        BytePairTokenizer.read(shared("bpe_simple_vocab_16e6.txt.gz"), 77);
    List<String> texts = Files.readAllLines(shared("texts.txt"));
    byte[] golden = Files.readAllBytes(shared("openclip-gelu-b/golden.safetensors"));
    ByteBuffer values = ByteBuffer.wrap(golden).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) values.getLong();
    JsonArray place =
        json(Arrays.copyOfRange(golden, 8, 8 + header))
            .getAsJsonObject("tokens")
            .getAsJsonArray("data_offsets");
    values.position(8 + header + place.get(0).getAsInt());
    int differing = 0;
    for (String text : texts) {
      int[] row = new int[77];
      values.slice().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(row);
      values.position(values.position() + 4 * row.length);
      int[] ids = tokenizer.tokenize(text).ids();
      assertEquals(0, tokenizer.paddingId());
      differing += Arrays.equals(row, Arrays.copyOf(ids, 77)) ? 0 : 1;
    }
    assertEquals(1, differing, "the text of a broken encoding alone");
    assertEquals(8 + header + place.get(1).getAsInt(), values.position());
  }

  @Test
  void splitsTheSmallCasesAsTheReferencesDo() {
    List<String> cases =
        new String(resource("small-cases.jsonl"), StandardCharsets.UTF_8).lines().toList();
    assertEquals(47, cases.size());
    assertEquals(List.of(), differing(small(TextCleaning.OPEN_CLIP, 4096), cases, "openclip"));
    assertEquals(
        List.of(), differing(small(TextCleaning.HUGGING_FACE, 4096), cases, "huggingface"));
    byte[] file = resource("small-tokenizer.json");
    BytePairTokenizer json =
        BytePairTokenizer.of("tokenizer.json", file, null, TextCleaning.HUGGING_FACE, 4096);
    assertEquals(List.of(), differing(json, cases, "huggingface"));
    assertEquals(END + 1, json.size());
  }

  @Test
  void lowersCaseAndSplitsContractionsDigitsAndMarks() {
    BytePairTokenizer tokenizer = small(TextCleaning.OPEN_CLIP, 77);
    assertEquals(
        List.of("the</w>", "harbour</w>", "'s</w>", "1</w>", "2</w>", "!", "!</w>"),
        pieces(tokenizer, "The HARBOUR'S 12!!"));
    assertEquals(
        List.of(
            new WordSpan("<start_of_text>", 0, 1),
            new WordSpan("the", 1, 2),
            new WordSpan("harbour", 2, 3),
            new WordSpan("'s", 3, 4),
            new WordSpan("1", 4, 5),
            new WordSpan("!!", 5, 7),
            new WordSpan("<end_of_text>", 7, 8)),
        tokenizer.spans(tokenizer.tokenize("The HARBOUR'S 1!!")));
  }

  @Test
  void aTextWithoutAnythingToReadHasTheFrameAlone() {
    for (TextCleaning cleaning : TextCleaning.values()) {
      for (String text : List.of("", " ", "\t\r\n", "\u00a0\u3000", " ".repeat(200_000))) {
        TokenizedText tokens = small(cleaning, 77).tokenize(text);
        assertArrayEquals(new int[] {START, END}, tokens.ids());
        assertFalse(tokens.truncated());
      }
    }
  }

  /** Which characters of the given text a token stands for, whatever cleaning made of them. */
  @Test
  void tokensCoverTheCharactersThatTheyComeFrom() {
    String text = "THE caf&eacute; \ufb01 e\u0301 \ud83d\ude00 \u201cx\u201d \u0130";
    BytePairTokenizer openClip = small(TextCleaning.OPEN_CLIP, 77);
    assertEquals(
        List.of(
            "THE",
            "caf&eacute;",
            "\ufb01",
            "e\u0301",
            "\ud83d\ude00",
            "\u201c",
            "x",
            "\u201d",
            "\u0130",
            "\u0130"),
        covered(openClip, text));
    assertEquals(
        List.of(
            "THE",
            "caf",
            "&",
            "eacute",
            ";",
            "\ufb01",
            "e\u0301",
            "\ud83d\ude00",
            "\u201c",
            "x",
            "\u201d",
            "\u0130",
            "\u0130"),
        covered(small(TextCleaning.HUGGING_FACE, 77), text));
    assertEquals(List.of("&#x41;", "&amp;amp;"), covered(openClip, "&#x41; \u001b[1m&amp;amp;"));
  }

  /** The characters of each word but the frame. */
  private static List<String> covered(BytePairTokenizer tokenizer, String text) {
    TokenizedText tokens = tokenizer.tokenize(text);
    List<WordSpan> words = tokenizer.spans(tokens);
    return words.subList(1, words.size() - 1).stream()
        .map(word -> text.substring(tokens.start(word.from()), tokens.end(word.to() - 1)))
        .toList();
  }

  @ParameterizedTest
  @EnumSource
  void cutsALongTextKeepsTheEndAndSaysSo(TextCleaning cleaning) {
    BytePairTokenizer tokenizer = small(cleaning, 77);
    TokenizedText whole = tokenizer.tokenize("the ".repeat(75));
    assertEquals(77, whole.length());
    assertFalse(whole.truncated());
    TokenizedText cut = tokenizer.tokenize("the ".repeat(76));
    assertTrue(cut.truncated());
    assertArrayEquals(whole.ids(), cut.ids());
    assertEquals(END, cut.ids()[76]);
    // a word that is cut in its middle, in the middle of a character too
    BytePairTokenizer tiny = small(cleaning, 4);
    TokenizedText part = tiny.tokenize("\ud83c\udf3e");
    assertTrue(part.truncated());
    assertEquals(4, part.length());
    assertEquals(List.of("\ufffd"), List.of(tiny.spans(part).get(1).word()));
    assertEquals(3, tiny.spans(part).size());
  }

  @ParameterizedTest
  @EnumSource
  void ofAVeryLongTextTheBeginningIsRead(TextCleaning cleaning) {
    BytePairTokenizer tokenizer = small(cleaning, 77);
    TokenizedText words = tokenizer.tokenize("the ".repeat(5_000_000));
    assertArrayEquals(tokenizer.tokenize("the ".repeat(75)).ids(), words.ids());
    assertTrue(words.truncated());
    for (String text :
        List.of("a".repeat(10_000), "photo".repeat(200_000), "!".repeat(1_000_000))) {
      TokenizedText tokens = tokenizer.tokenize(text);
      assertTrue(tokens.truncated());
      assertEquals(77, tokens.length());
    }
    String late = " ".repeat(1_000_000) + "the" + "\n ".repeat(500_000);
    TokenizedText tokens = tokenizer.tokenize(late);
    assertFalse(tokens.truncated());
    assertEquals("the", late.substring(tokens.start(1), tokens.end(1)));
    assertTrue(small(cleaning, 4096).tokenize("a".repeat(1_000_000)).truncated());
    assertTrue(tokenizer.tokenize("\u200b".repeat(100_000) + "the").truncated());
  }

  /** What would take the square of its length, or a run for each of its levels, ends. */
  @ParameterizedTest
  @EnumSource
  void textsMadeToBeSlowAreRead(TextCleaning cleaning) {
    BytePairTokenizer tokenizer = small(cleaning, 77);
    StringBuilder marks = new StringBuilder("a");
    for (int i = 0; i < 100_000; i++) {
      marks.append(i % 2 == 0 ? '\u0301' : '\u0323');
    }
    for (String text :
        List.of(
            marks.toString(),
            "&" + "amp;".repeat(30_000),
            "&".repeat(100_000),
            "&#".repeat(50_000),
            "&#" + "9".repeat(100_000),
            "\u001b[".repeat(50_000),
            "\u001b[" + "1;".repeat(50_000),
            "\u03a3'".repeat(50_000),
            "<\n&lt;".repeat(20_000),
            "<|startoftext|>".repeat(10_000))) {
      assertSpans(tokenizer, text, tokenizer.tokenize(text));
    }
  }

  @Test
  void aModelThatLacksRowsIsNotGivenTheirIds() {
    JsonObject json = json(resource("small-tokenizer.json"));
    JsonObject more = new JsonObject();
    more.addProperty("id", END + 7);
    more.addProperty("content", "<photo>");
    json.getAsJsonArray("added_tokens").add(more);
    BytePairTokenizer all = ofJson(json);
    assertEquals(END + 8, all.size());
    assertEquals(List.of(END + 7, END), inner(all.tokenize("<photo><|endoftext|>")));
    assertEquals("<photo>", all.spans(all.tokenize("<photo>")).get(1).word());
    assertEquals(all.size(), all.forRows(END + 8).size());
    BytePairTokenizer fewer = all.forRows(END + 1);
    assertEquals(END + 1, fewer.size());
    TokenizedText text = fewer.tokenize("<photo><|endoftext|>");
    assertEquals(List.of("<", "photo", ">", "<|endoftext|>"), innerWords(fewer, text));
    for (int rows : new int[] {END, END + 2, 49_408}) {
      assertRefused("has " + (END + 1) + " ids", () -> all.forRows(rows));
      assertRefused("rows for " + rows, () -> all.forRows(rows));
    }
  }

  private static List<String> innerWords(BytePairTokenizer tokenizer, TokenizedText text) {
    List<WordSpan> words = tokenizer.spans(text);
    return words.subList(1, words.size() - 1).stream().map(WordSpan::word).toList();
  }

  private static BytePairTokenizer ofJson(JsonObject json) {
    byte[] content = json.toString().getBytes(StandardCharsets.UTF_8);
    return BytePairTokenizer.of("a.json", content, null, TextCleaning.HUGGING_FACE, 77);
  }

  private String randomText() {
    String[] parts = {
      "the",
      "Photo",
      "harbour's",
      "'ll",
      "\u0130",
      "\u03a3",
      "\u00df",
      "e\u0301",
      "\u0301",
      "\u0323",
      "\u1100\u1161\u11a8",
      "\uac00\u11a8",
      "\u0915\u093c",
      "\ud83d\ude00",
      "\ud83d",
      "\ude00",
      "\u6771\u4eac",
      "12",
      "\u2163",
      "!!",
      "'",
      "&",
      "&amp;",
      "&eacute;",
      "&#233",
      ";",
      "<",
      "\n",
      " ",
      "  ",
      "\t",
      "\u00a0",
      "\u3000",
      "\u0000",
      "\u001b[1m",
      "\ufb01",
      "\uff21",
      "\u201c",
      "\u0085",
      "\ufeff",
      "\u200d",
      "x",
      "Y"
    };
    StringBuilder text = new StringBuilder();
    for (int n = random.nextInt(30); n > 0; n--) {
      if (random.nextInt(10) == 0) {
        text.appendCodePoint(random.nextInt(Character.MAX_CODE_POINT + 1));
      } else {
        text.append(parts[random.nextInt(parts.length)]);
      }
    }
    return text.toString();
  }

  /** The words are the cleaned text again, the white space left out. */
  @Test
  void randomTextsComeBackFromTheirWords() {
    BytePairTokenizer huggingFace = small(TextCleaning.HUGGING_FACE, 4096);
    BytePairTokenizer openClip = small(TextCleaning.OPEN_CLIP, 4096);
    for (int run = 0; run < 5_000; run++) {
      String text = randomText();
      TokenizedText tokens = huggingFace.tokenize(text);
      assertSpans(huggingFace, text, tokens);
      String wellFormed = wellFormed(text);
      String composed = Normalizer.normalize(wellFormed, Normalizer.Form.NFC);
      StringBuilder lower = new StringBuilder();
      composed
          .codePoints()
          .forEach(
              c ->
                  lower.append(
                      c == 0x130 ? "i\u0307" : Character.toString(Character.toLowerCase(c))));
      assertEquals(
          lower.toString().replaceAll("\\p{IsWhite_Space}", ""),
          String.join("", innerWords(huggingFace, tokens)),
          text);

      TokenizedText cleaned = openClip.tokenize(text);
      assertSpans(openClip, text, cleaned);
      AlignedText clean = TextCleaning.OPEN_CLIP.clean(AlignedText.of(text, text.length()));
      assertEquals(
          clean.toString().replaceAll("[\\p{IsWhite_Space}\u0345]", ""),
          String.join("", innerWords(openClip, cleaned)),
          text);
    }
  }

  private static String wellFormed(String text) {
    return text.codePoints()
        .map(c -> Character.getType(c) == Character.SURROGATE ? 0xfffd : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  /** Whatever Unicode takes apart, and letters with marks behind in any order. */
  @Test
  void composesAsTheWholeTextWouldBe() {
    StringBuilder all = new StringBuilder();
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      if (Character.isDefined(c) && Character.getType(c) != Character.SURROGATE) {
        String apart = Normalizer.normalize(Character.toString(c), Normalizer.Form.NFD);
        all.append(apart.codePointCount(0, apart.length()) > 1 ? apart + "\u0323x" : "");
      }
    }
    String text = all.toString();
    assertTrue(text.length() > 50_000);
    assertEquals(
        Normalizer.normalize(text, Normalizer.Form.NFC),
        AlignedText.of(text, text.length()).composed().toString());
  }

  private static void assertRefused(String part, Runnable action) {
    String message = assertThrows(IllegalArgumentException.class, action::run).getMessage();
    assertTrue(message.contains(part), message);
    assertTrue(message.contains("taken are bpe_simple_vocab_16e6.txt.gz"), message);
    assertTrue(message.length() < 1_000, message);
  }

  private static void assertRefused(String part, byte[] content) {
    assertRefused(
        part,
        () -> BytePairTokenizer.of("folder/its.name", content, null, TextCleaning.OPEN_CLIP, 77));
    assertRefused(
        "[folder/its.name]",
        () -> BytePairTokenizer.of("folder/its.name", content, null, TextCleaning.OPEN_CLIP, 77));
  }

  private static byte[] packed(byte[] content) throws IOException {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
      out.write(content);
    }
    return packed.toByteArray();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void refusesMergesThatAreNotOfAClip() {
    assertRefused("holds no merges", new byte[0]);
    assertRefused("holds no merges", utf8("#version: 0.2\n\n"));
    assertRefused("merge 1 is [[PAD]]", utf8("[PAD]\n[UNK]\n[CLS]\n")); // BERT's vocab.txt
    assertRefused(
        "none of its 2 merges makes a piece that ends in </w>",
        utf8("#version: 0.2\n\u0120 t\n\u0120 a\n")); // GPT-2's merges.txt
    assertRefused("merge 1 is [\u2581 t]", utf8("\u2581 t\n")); // SentencePiece's
    assertRefused("merge 2 is [th e</w> x]", utf8("t h\nth e</w> x\n"));
    assertRefused("merge 1 is [th e</w>]", utf8("th e</w>\nt h\n"));
    assertRefused("[t h] stands in it twice", utf8("t h\nth e</w>\nt h\n"));
    assertRefused("are no UTF-8 text", new byte[] {'t', ' ', (byte) 0xff});
    assertRefused("... (200000 characters)", utf8("t".repeat(200_000)));
  }

  @Test
  void refusesDamagedPackedFiles() throws IOException {
    byte[] packed = packed(resource("small-merges.txt"));
    assertRefusedNot(packed);
    for (int length : new int[] {2, 9, packed.length / 2, packed.length - 1}) {
      assertRefused("gzip", Arrays.copyOf(packed, length));
    }
    assertRefused("no UTF-8 text", packed(new byte[] {(byte) 0xff}));
    assertRefused("bytes when unpacked", packed(new byte[(64 << 20) + 1]));
  }

  private static void assertRefusedNot(byte[] content) {
    assertEquals(
        END + 1, BytePairTokenizer.of("x", content, null, TextCleaning.OPEN_CLIP, 77).size());
  }

  @Test
  void refusesOtherTokenizersByWhatTheyAre() {
    byte[] whole = resource("small-tokenizer.json");
    assertRefused("not the JSON expected", Arrays.copyOf(whole, whole.length / 2));
    assertRefused("not the JSON expected", utf8("{\"model\": [1]}"));
    assertRefused("has no [model]", utf8("{}"));
    assertRefused("has no [model]", utf8("{\"model\": {\"type\": \"BPE\"}}"));
    change("model.type is [WordPiece], not [BPE]", json -> model(json, "type", "WordPiece"));
    change("model.end_of_word_suffix is []", json -> model(json, "end_of_word_suffix", ""));
    change(
        "model.continuing_subword_prefix is [##]",
        json -> model(json, "continuing_subword_prefix", "##"));
    change(
        "model.byte_fallback is [true]",
        json -> json.getAsJsonObject("model").addProperty("byte_fallback", true));
    change(
        "model.ignore_merges is [true]",
        json -> json.getAsJsonObject("model").addProperty("ignore_merges", true));
    change("normalizer is [[]]", json -> json.remove("normalizer"));
    change(
        "normalizer is [[NFC, NFC, Lowercase]]",
        json ->
            json.getAsJsonObject("normalizer")
                .getAsJsonArray("normalizers")
                .get(1)
                .getAsJsonObject()
                .addProperty("type", "NFC"));
    change("pre_tokenizer is [[]]", json -> json.remove("pre_tokenizer"));
    change(
        "splits texts by [\\s+]",
        json ->
            json.getAsJsonObject("pre_tokenizer")
                .getAsJsonArray("pretokenizers")
                .get(0)
                .getAsJsonObject()
                .getAsJsonObject("pattern")
                .addProperty("Regex", "\\s+"));
    change("lack the piece [th]", json -> vocab(json).remove("th"));
    change("[th] has the id -1", json -> vocab(json).addProperty("th", -1));
    change("[th] has the id 2000000", json -> vocab(json).addProperty("th", 2_000_000));
    change("both have the id 7", json -> vocab(json).addProperty("more", 7));
    change("has the id null", json -> vocab(json).add("th", null));
    change(
        "no start and end token",
        json -> {
          vocab(json).remove("<|endoftext|>");
          json.remove("added_tokens");
        });
    change("a merge is [7]", json -> merges(json).add(7));
    change("merge " + (MERGES + 1) + " is [q]", json -> merges(json).add("q"));
    change("lacks its [content]", json -> added(json).remove("content"));
    change("lacks its [content]", json -> added(json).addProperty("content", ""));
    change("lacks its [content]", json -> added(json).remove("id"));
    change("has single_word, lstrip", json -> added(json).addProperty("rstrip", true));
    change(
        "added tokens, more than",
        json -> {
          JsonArray tokens = json.getAsJsonArray("added_tokens");
          IntStream.range(0, 300).forEach(i -> tokens.add(tokens.get(0)));
        });
    byte[] ids = utf8("{\"a\": 1}");
    assertRefused(
        "a vocab.json is given beside it",
        () -> BytePairTokenizer.of("x", whole, ids, TextCleaning.HUGGING_FACE, 77));
    assertRefused(
        "[vocab.json of x] is no tokenizer of a CLIP",
        () ->
            BytePairTokenizer.of(
                "x", resource("small-merges.txt"), whole, TextCleaning.HUGGING_FACE, 77));
    assertRefused(
        "has no start and end token",
        () ->
            BytePairTokenizer.of(
                "x", resource("small-merges.txt"), ids, TextCleaning.HUGGING_FACE, 77));
  }

  private interface Change {
    void to(JsonObject json);
  }

  private static void change(String message, Change change) {
    JsonObject json = json(resource("small-tokenizer.json"));
    ofJson(json);
    change.to(json);
    assertRefused(message, () -> ofJson(json));
  }

  private static void model(JsonObject json, String field, String value) {
    json.getAsJsonObject("model").addProperty(field, value);
  }

  private static JsonObject vocab(JsonObject json) {
    return json.getAsJsonObject("model").getAsJsonObject("vocab");
  }

  private static JsonArray merges(JsonObject json) {
    return json.getAsJsonObject("model").getAsJsonArray("merges");
  }

  private static JsonObject added(JsonObject json) {
    return json.getAsJsonArray("added_tokens").get(0).getAsJsonObject();
  }

  /** Older files have their merges as texts, and no type. */
  @Test
  void readsOlderTokenizerFiles() {
    JsonObject json = json(resource("small-tokenizer.json"));
    JsonArray texts = new JsonArray();
    merges(json)
        .forEach(
            merge ->
                texts.add(
                    merge.getAsJsonArray().asList().stream()
                        .map(part -> part.getAsString())
                        .collect(Collectors.joining(" "))));
    json.getAsJsonObject("model").add("merges", texts);
    json.getAsJsonObject("model").remove("type");
    added(json).addProperty("normalized", true);
    assertEquals(
        List.of(START, 'A' - '!' + 32 + 256, END),
        inner(ofJson(json).tokenize("<|STARTOFTEXT|>a<|endoftext|>")));
  }

  @Test
  void anUnreadableFileIsAnIoError(@TempDir Path folder) {
    assertThrows(IOException.class, () -> BytePairTokenizer.read(folder.resolve("none"), 77));
    assertThrows(
        IllegalArgumentException.class, () -> small(TextCleaning.OPEN_CLIP, 2).tokenize("a"));
  }

  /** Gson passes on what the parsing of a number throws. */
  @Test
  void aNumberThatIsNoneIsRefused() throws IOException {
    String json = new String(resource("small-tokenizer.json"), StandardCharsets.UTF_8);
    String damaged = json.replace("\"dropout\":null", "\"dropout\":nul");
    assertTrue(!damaged.equals(json));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    BytePairTokenizer.of(
                        "x",
                        damaged.getBytes(StandardCharsets.UTF_8),
                        null,
                        TextCleaning.HUGGING_FACE,
                        77))
            .getMessage();
    assertTrue(message.startsWith("[x] is no tokenizer of a CLIP"), message);
  }

  /** Files with random bytes changed are read or refused, and fail in no other way. */
  @Test
  void damagedFilesAreReadOrRefused() throws IOException {
    List<byte[]> files =
        List.of(
            resource("small-merges.txt"),
            resource("small-tokenizer.json"),
            packed(resource("small-merges.txt")));
    int refused = 0;
    int runs = 1_500;
    for (int run = 0; run < runs; run++) {
      byte[] content = files.get(run % files.size()).clone();
      for (int n = random.nextInt(1, 4); n > 0; n--) {
        content[random.nextInt(content.length)] = (byte) random.nextInt(256);
      }
      if (random.nextInt(4) == 0) {
        content = Arrays.copyOf(content, random.nextInt(content.length + 1));
      }
      try {
        BytePairTokenizer tokenizer =
            BytePairTokenizer.of("x", content, null, TextCleaning.HUGGING_FACE, 77);
        String text = "the photo \ud83d\ude00";
        assertSpans(tokenizer, text, tokenizer.tokenize(text));
      } catch (IllegalArgumentException e) {
        assertTrue(e.getMessage().startsWith("[x] is no tokenizer of a CLIP"), e.getMessage());
        refused++;
      }
    }
    assertTrue(refused > runs / 4 && refused < runs, refused + " refused");
  }
}
