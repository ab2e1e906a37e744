/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;

/** Writes small data sets of every format, and looks at what reading them says. */
final class DatasetFiles {
  private final Path folder;

  DatasetFiles(Path folder) {
    this.folder = folder;
  }

  Path path(String name) {
    return folder.resolve(name);
  }

  /** A text file, with the folders above it. */
  Path write(String name, String... lines) throws IOException {
    Path file = path(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, String.join("\n", lines), StandardCharsets.UTF_8);
  }

  /** PNGs of 16 x 16 pixels. */
  void pictures(String... names) throws IOException {
    for (String name : names) {
      Path file = path(name);
      Files.createDirectories(file.getParent());
      BufferedImage image = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
      image.setRGB(3, 3, 0x123456 + name.hashCode());
      ImageIO.write(image, "png", file.toFile());
    }
  }

  static CaptionedDataset read(Path path) throws IOException {
    return read(path, 0);
  }

  static CaptionedDataset read(Path path, int allowed) throws IOException {
    return Datasets.read(new Datasets.Options(path, Optional.empty(), allowed, Optional.empty()));
  }

  /** The only problem, where none is allowed; skipped, where one is. */
  static void assertOneProblem(Path path, String part) throws IOException {
    String message = assertRefused(path, part);
    assertEquals(1, message.lines().filter(line -> line.startsWith("  - ")).count(), message);
    CaptionedDataset read = read(path, 1);
    assertEquals(1, read.problems().size());
    assertEquals(0, read.problemsLeft());
  }

  /** What no allowance helps with. */
  static void assertUseless(Path path, String... parts) {
    for (int allowed : List.of(0, 1000)) {
      InvalidDatasetException e =
          assertThrows(InvalidDatasetException.class, () -> read(path, allowed));
      for (String part : parts) {
        assertTrue(e.getMessage().contains(part), e.getMessage());
      }
    }
  }

  private static String assertRefused(Path path, String part) {
    InvalidDatasetException e = assertThrows(InvalidDatasetException.class, () -> read(path));
    assertTrue(e.getMessage().contains(part), e.getMessage());
    return e.getMessage();
  }
}
