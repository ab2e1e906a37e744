/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.Split;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class GenerateCommandTest {

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... arguments) {
    return new CommandLine(new GenerateCommand())
        .setOut(new PrintWriter(out, true))
        .setErr(new PrintWriter(err, true))
        .execute(arguments);
  }

  @Test
  void writesADataSetThatTheReaderReads() throws Exception {
    Path to = folder.resolve("new").resolve("scenes");
    assertEquals(0, run("--out", to.toString(), "--train", "4", "--val", "0", "--test", "2"));
    assertTrue(out.toString().contains("wrote 6 scenes"), out.toString());
    assertEquals(4, KarpathyReader.read(to.resolve("dataset.json")).split(Split.TRAIN).size());
  }

  @Test
  void refusesAFolderThatIsNotEmptyUnlessTold() throws Exception {
    Files.writeString(folder.resolve("notes.txt"), "mine");
    String[] small = {"--out", folder.toString(), "--train", "1", "--val", "0", "--test", "0"};
    assertEquals(2, run(small));
    assertTrue(err.toString().contains("--overwrite"), err.toString());
    assertFalse(Files.exists(folder.resolve("dataset.json")));
    String[] told = java.util.Arrays.copyOf(small, small.length + 1);
    told[small.length] = "--overwrite";
    assertEquals(0, run(told));
    assertTrue(Files.exists(folder.resolve("dataset.json")));
  }

  @Test
  void namesTheBadValue() {
    assertEquals(2, run("--out", folder.toString(), "--train", "-5"));
    assertTrue(err.toString().contains("train must be"), err.toString());
    assertTrue(err.toString().contains("-5"), err.toString());
    assertEquals(2, run("--out", folder.toString(), "--twins", "2"));
    assertTrue(err.toString().contains("twins must be 0 to 0.9, got 2.0"), err.toString());
    assertEquals(2, run("--out", folder.toString(), "--size", "8"));
    assertTrue(err.toString().contains("size must be 32 to 2048 pixels, got 8"), err.toString());
    assertEquals(2, run("--out", folder.toString(), "--threads", "0"));
    assertTrue(err.toString().contains("threads must be at least 1, got 0"), err.toString());
    assertEquals(2, run());
    assertTrue(err.toString().contains("--out"), err.toString());
  }
}
