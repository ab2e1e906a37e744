/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.encode.DocumentFormat.Document;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
  private static final long SEED = MicroTraining.seed();
  private static final List<Document> DOCUMENTS = Documents.some(20, SEED);

  @TempDir Path folder;

  private Path file() {
    return folder.resolve("journal");
  }

  private Journal open(String target, long written) throws IOException {
    return Journal.open(file(), target, written, false);
  }

  private byte[] written() throws IOException {
    try (Journal journal = open("here", 0)) {
      journal.add(DOCUMENTS.subList(0, 7), 10);
      journal.add(DOCUMENTS.subList(7, 8), 20);
      journal.add(DOCUMENTS.subList(8, 15), 30);
    }
    return Files.readAllBytes(file());
  }

  /** Killed at any byte, it knows whole groups, and goes on behind them. */
  @Test
  void cutAnywhereItKnowsWholeGroupsOnly() throws IOException {
    byte[] whole = written();
    SplittableRandom random = new SplittableRandom(SEED);
    for (int cut = 0; cut <= whole.length; cut += 1 + random.nextInt(9)) {
      Files.write(file(), Arrays.copyOf(whole, cut));
      if (cut > 0 && cut < "crossmodal encode 1 ".length()) {
        // The very first line is cut: nothing to be sure of.
        assertThrows(IOException.class, () -> open("here", 99));
        continue;
      }
      if (cut <= new String(whole, UTF_8).indexOf('\n')) {
        assertThrows(IOException.class, () -> open("here", 99));
        Files.write(file(), Arrays.copyOf(whole, cut));
        open("here", 0).close();
      }
      int known;
      try (Journal journal = open("here", 99)) {
        known = journal.size();
        assertTrue(List.of(0, 7, 8, 15).contains(known), cut + ": " + known);
        assertEquals(known == 0 ? 0 : known == 7 ? 10 : known == 8 ? 20 : 30, journal.position());
        for (int i = 0; i < DOCUMENTS.size(); i++) {
          assertEquals(i < known, journal.holds(DOCUMENTS.get(i).id()));
          assertEquals(i < known, journal.holdsFile(DOCUMENTS.get(i).stamp()));
        }
        journal.add(DOCUMENTS.subList(known, 20), 40);
      }
      try (Journal journal = open("here", 99)) {
        assertEquals(20, journal.size());
        assertEquals(40, journal.position());
      }
    }
  }

  @Test
  void startsOverForAnotherTarget() throws IOException {
    byte[] whole = written();
    IOException refused = assertThrows(IOException.class, () -> open("there", 99));
    assertTrue(refused.getMessage().contains("there already"), refused.getMessage());
    try (Journal journal = open("there", 0)) {
      assertEquals(0, journal.size());
      assertEquals(0, journal.position());
    }
    try (Journal journal = open("here", 0)) {
      assertEquals(0, journal.size());
    }
    assertTrue(Files.size(file()) < whole.length);
  }

  @Test
  void forgetsWhatTheOutputLost() throws IOException {
    written();
    try (Journal journal = open("here", 29)) {
      assertEquals(8, journal.size());
      assertEquals(20, journal.position());
      assertFalse(journal.holds(DOCUMENTS.get(8).id()));
    }
  }

  @Test
  void leavesOtherFilesAlone() throws IOException {
    Files.writeString(file(), "my thesis");
    IOException refused = assertThrows(IOException.class, () -> open("here", 0));
    assertTrue(refused.getMessage().contains("no journal"), refused.getMessage());
    assertThrows(IOException.class, () -> Journal.open(file(), "here", 0, true));
    assertEquals("my thesis", Files.readString(file()));
  }

  @Test
  void forgetsWhatItKnowsWhereNoOtherRunHasIt() throws IOException {
    written();
    try (Journal running = open("here", 99)) {
      assertThrows(IOException.class, () -> Journal.open(file(), "here", 99, true));
      running.add(DOCUMENTS.subList(15, 20), 40);
    }
    try (Journal journal = open("here", 99)) {
      assertEquals(20, journal.size(), "nothing of it is lost");
    }
    try (Journal journal = Journal.open(file(), "here", 99, true)) {
      assertEquals(0, journal.size());
      assertEquals(0, journal.position());
    }
    open("here", 0).close();
  }

  @Test
  void oneRunAtATime() throws IOException {
    try (Journal journal = open("here", 0)) {
      IOException second = assertThrows(IOException.class, () -> open("here", 0));
      assertTrue(second.getMessage().contains("another run"), second.getMessage());
      assertEquals(0, journal.size());
    }
    open("here", 0).close();
  }

  /** Within one process Java itself keeps the second out, whatever became of the lock. */
  @Test
  void oneProcessAtATime() throws Exception {
    try (Journal journal = open("here", 0)) {
      assertEquals(0, journal.size());
      Process second =
          new ProcessBuilder(
                  ProcessHandle.current().info().command().orElseThrow(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Second.class.getName(),
                  file().toString())
              .redirectErrorStream(true)
              .start();
      String said = new String(second.getInputStream().readAllBytes(), UTF_8);
      assertTrue(said.contains("another run is writing the journal"), said);
      assertEquals(1, second.waitFor());
    }
  }

  /** Opens a journal. */
  static final class Second {
    private Second() {}

    public static void main(String[] args) throws IOException {
      Journal.open(Path.of(args[0]), "here", 0, true).close();
    }
  }
}
