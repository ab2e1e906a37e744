/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.bundle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleWriterTest {
  private static final List<String> TEXTS = List.of("a tank", "two red roofs");

  @TempDir static Path folder;
  private static ModelBundle written;
  private static Path file;

  @BeforeAll
  static void write() throws Exception {
    file = folder.resolve("new").resolve("micro.zip");
    written =
        BundleWriter.write(
            TestBundles.random("micro", ModelConfig.micro(), Seeds.next()), file, TEXTS);
  }

  @Test
  void whatIsWrittenIsReadBack() throws Exception {
    assertEquals(TEXTS, written.manifest().golden().texts());
    assertEquals(written.manifest(), ModelBundle.read(file).manifest());
  }

  @Test
  void aModelIsWrittenToTheSameBytes() throws Exception {
    for (ModelBundle same : List.of(written, ModelBundle.read(file))) {
      Path again = folder.resolve("again.zip");
      BundleWriter.write(same, again, TEXTS);
      assertArrayEquals(Files.readAllBytes(file), Files.readAllBytes(again));
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFileAndNothingElse() throws Exception {
    Path own = Files.createDirectory(folder.resolve("own"));
    Path target = own.resolve("model.zip");
    Files.writeString(target, "the old bundle");
    for (List<String> useless : List.of(List.of(" "), List.<String>of())) {
      assertThrows(
          IllegalArgumentException.class, () -> BundleWriter.write(written, target, useless));
    }
    assertEquals("the old bundle", Files.readString(target));
    Path busy = Files.createDirectories(own.resolve("busy.zip"));
    Files.createFile(busy.resolve("file"));
    assertThrows(IOException.class, () -> BundleWriter.write(written, busy, List.of("a")));
    try (Stream<Path> left = Files.list(own)) {
      assertEquals(
          List.of("busy.zip", "model.zip"),
          left.map(path -> path.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void aBundleIsAsReadableAsAnyOtherFile() throws Exception {
    Path plain = Files.writeString(folder.resolve("plain.txt"), "x");
    assertEquals(Files.getPosixFilePermissions(plain), Files.getPosixFilePermissions(file));
  }
}
