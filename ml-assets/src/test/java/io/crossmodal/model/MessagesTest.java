/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MessagesTest {
  private static final String PAIR = "\uD83D\uDE00";

  @Test
  void pathsAreWhole() {
    String path = "/folder".repeat(100);
    assertEquals(path, Messages.path(path));
    assertEquals(
        "/" + "x".repeat(4_095) + "... (4097 characters)", Messages.path("/" + "x".repeat(4_096)));
  }

  @Test
  void cutsWhatIsLong() {
    assertEquals("null", Messages.excerpt(null));
    assertEquals("x".repeat(100), Messages.excerpt("x".repeat(100)));
    assertEquals("x".repeat(100) + "... (101 characters)", Messages.excerpt("x".repeat(101)));
    assertEquals("ab... (3 characters)", Messages.excerpt("abc", 2));
  }

  @Test
  void cutsNoPairInTwo() {
    assertEquals(
        "x".repeat(99) + "... (102 characters)", Messages.excerpt("x".repeat(99) + PAIR + "y"));
    assertEquals(
        "x".repeat(98) + PAIR + "... (101 characters)",
        Messages.excerpt("x".repeat(98) + PAIR + "y"));
    assertEquals("x" + PAIR, Messages.excerpt("x" + PAIR));
  }

  @Test
  void replacesHalfOfAPair() {
    assertEquals("a\uFFFDb", Messages.excerpt("a\uD83Db"));
    assertEquals("a\uFFFD", Messages.excerpt("a\uD83D"));
    assertEquals("\uFFFDb", Messages.excerpt("\uDE00b"));
    assertEquals("\uFFFD" + PAIR + "\uFFFD", Messages.excerpt("\uD83D" + PAIR + "\uDE00"));
    assertEquals(
        "Illegal character '\uFFFD' (code 0xd83d)",
        Messages.excerpt("Illegal character '\uD83D' (code 0xd83d)"));
    assertEquals(
        "x".repeat(99) + "\uFFFD... (102 characters)",
        Messages.excerpt("x".repeat(99) + "\uD83D" + "yz"));
  }

  @Test
  void whateverIsRepeatedCanBeWritten() {
    long seed = Seeds.next();
    Random random = new Random(seed);
    for (int i = 0; i < 1000; i++) {
      StringBuilder text = new StringBuilder();
      for (int length = random.nextInt(220); text.length() < length; ) {
        int kind = random.nextInt(4);
        text.append(
            kind == 0
                ? PAIR
                : kind == 1
                    ? String.valueOf((char) (Character.MIN_SURROGATE + random.nextInt(2048)))
                    : String.valueOf((char) (32 + random.nextInt(90))));
      }
      String excerpt = Messages.excerpt(text);
      assertTrue(StandardCharsets.UTF_8.newEncoder().canEncode(excerpt), "seed " + seed);
      int most = Messages.EXCERPT + "... (000 characters)".length();
      assertTrue(excerpt.length() <= most, "seed " + seed);
    }
  }
}
