/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

class BytePairTokenizerTest {
  /** Texts whose encoding ftfy takes for broken and repairs, which this library does not. */
  private static final List<Integer> BROKEN_ENCODINGS = List.of(585, 684, 872, 992);

  private static Path shared(String name) {
    Path file =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"), "fixtures", "clip", name);
    if (!Files.exists(file)) {
      System.out.println("skipped: no " + file + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(file));
    return file;
  }

  /** The cases that differ from a column of the shared file. */
  private static List<Integer> differing(BytePairTokenizer tokenizer, String column)
      throws IOException {
    List<String> cases = Files.readAllLines(shared("tokenizer-cases.jsonl"));
    assertEquals(993, cases.size());
    List<Integer> differing = new ArrayList<>();
    for (int i = 0; i < cases.size(); i++) {
      JsonObject given = JsonParser.parseString(cases.get(i)).getAsJsonObject();
      JsonArray expected = given.getAsJsonArray(column);
      int[] ids = tokenizer.tokenize(given.get("text").getAsString()).ids();
      List<Integer> found = new ArrayList<>();
      for (int k = 1; k < ids.length - 1; k++) {
        found.add(ids[k]);
      }
      List<Integer> wanted = new ArrayList<>();
      expected.forEach(id -> wanted.add(id.getAsInt()));
      if (!found.equals(wanted)) {
        differing.add(i);
      }
    }
    return differing;
  }

  @Test
  void splitsAsOpenClipDoes() throws IOException {
    BytePairTokenizer tokenizer =
        BytePairTokenizer.read(shared("bpe_simple_vocab_16e6.txt.gz"), 4096);
    assertEquals(BROKEN_ENCODINGS, differing(tokenizer, "openclip"));
  }

  @Test
  void splitsAsHuggingFaceDoes() throws IOException {
    BytePairTokenizer tokenizer =
        BytePairTokenizer.read(shared("huggingface-quickgelu/tokenizer.json"), 4096);
    assertEquals(List.of(), differing(tokenizer, "huggingface"));
  }
}
