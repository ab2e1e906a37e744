/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ScriptSourcesTest {
  private static final Map<String, List<String>> RANGES =
      Map.of("TWO", List.of("0", "1"), "NONE", List.of(), "SENSORS", List.of("rgb", "s1"));

  private static String unroll(String source) {
    return ScriptSources.unroll(source, RANGES);
  }

  @Test
  void repeatsALine() {
    assertEquals("a\nx0 = 0\nx1 = 1\nb\n", unroll("a\nx{i} = {i}  # [i < TWO]\nb"));
  }

  @Test
  void repeatsConsecutiveLinesAsABlock() {
    assertEquals(
        "def f_rgb():\n  rgb\ndef f_s1():\n  s1\n",
        unroll("def f_{s}():  # [s in SENSORS]\n  {s}  # [s in SENSORS]"));
  }

  @Test
  void anotherRangeStartsAnotherBlock() {
    assertEquals(
        "a0\na1\nb_rgb\nb_s1\nc0\nc1\n",
        unroll("a{i}  # [i < TWO]\nb_{s}  # [s in SENSORS]\nc{i}  # [i < TWO]"));
  }

  @Test
  void leavesOutWhatRepeatsOverNothing() {
    assertEquals("a\nb\n", unroll("a\nx{i}  # [i < NONE]\nb"));
  }

  @Test
  void leavesOtherLinesAlone() {
    String source = "x = {}  # a comment [i < TWO] in between\ny[0] # [1]\n";
    assertEquals(source + "\n", unroll(source));
  }

  @Test
  void namesAnUnknownRange() {
    String message =
        assertThrows(IllegalStateException.class, () -> unroll("x{i}  # [i < LAYERS]"))
            .getMessage();
    assertTrue(message.contains("LAYERS"), message);
  }

  @Test
  void namesAMissingResource() {
    String message =
        assertThrows(
                IllegalStateException.class,
                () -> ScriptSources.resource(ScriptSources.class, "nothing"))
            .getMessage();
    assertTrue(message.contains("nothing.py"), message);
  }
}
