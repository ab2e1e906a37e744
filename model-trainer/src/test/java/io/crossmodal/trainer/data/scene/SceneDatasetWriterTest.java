/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.Split;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SceneDatasetWriterTest {

  private static final SceneDatasetWriter.Config SMALL =
      new SceneDatasetWriter.Config(30, 5, 7, 42, 128, 0.3);

  @TempDir Path folder;

  @Test
  void whatIsWrittenIsReadBack() throws Exception {
    AtomicInteger progress = new AtomicInteger();
    SceneDatasetWriter writer = new SceneDatasetWriter(SMALL);
    Path json = writer.write(folder, 2, progress::incrementAndGet);
    assertEquals(42, progress.get());
    CaptionedDataset read = KarpathyReader.read(json);
    assertEquals("scenes", read.name());
    assertTrue(read.problems().isEmpty());
    assertEquals(30, read.split(Split.TRAIN).size());
    assertEquals(5, read.split(Split.VAL).size());
    List<CaptionedImage> test = read.split(Split.TEST);
    assertEquals(7, test.size());
    for (int n = 0; n < test.size(); n++) {
      CaptionedImage image = test.get(n);
      Scene scene = writer.scene(Split.TEST, n);
      assertEquals(
          SceneCaptions.describe(scene).stream().map(SceneCaption::text).toList(),
          image.captions());
      assertEquals(35 + n, image.imageId());
      BufferedImage picture = ImageIO.read(image.file().toFile());
      assertEquals(128, picture.getWidth());
      assertEquals(128, picture.getHeight());
    }
  }

  @Test
  void sameSeedSameBytesWhateverTheThreads() throws Exception {
    Path one = folder.resolve("one");
    Path three = folder.resolve("three");
    Path other = folder.resolve("other");
    new SceneDatasetWriter(SMALL).write(one, 1, () -> {});
    new SceneDatasetWriter(SMALL).write(three, 3, () -> {});
    new SceneDatasetWriter(new SceneDatasetWriter.Config(30, 5, 7, 43, 128, 0.3))
        .write(other, 3, () -> {});
    List<Path> files = files(one);
    assertEquals(43, files.size());
    assertEquals(files, files(three));
    for (Path file : files) {
      assertArrayEquals(
          Files.readAllBytes(one.resolve(file)),
          Files.readAllBytes(three.resolve(file)),
          file::toString);
      assertFalse(
          java.util.Arrays.equals(
              Files.readAllBytes(one.resolve(file)), Files.readAllBytes(other.resolve(file))),
          file::toString);
    }
  }

  @Test
  void testScenesDoNotDependOnTheNumberOfTrainScenes() {
    SceneDatasetWriter few = new SceneDatasetWriter(SMALL);
    SceneDatasetWriter many =
        new SceneDatasetWriter(new SceneDatasetWriter.Config(1000, 0, 7, 42, 128, 0.3));
    for (int n = 0; n < 7; n++) {
      assertEquals(few.scene(Split.TEST, n), many.scene(Split.TEST, n));
    }
  }

  @Test
  void replacesItsOwnFilesOnly() throws Exception {
    new SceneDatasetWriter(SMALL).write(folder, 2, () -> {});
    Path note = Files.writeString(folder.resolve("notes.txt"), "mine");
    Path picture = Files.writeString(folder.resolve("images").resolve("holiday.jpg"), "mine");
    assertFalse(SceneDatasetWriter.isFree(folder));
    new SceneDatasetWriter(new SceneDatasetWriter.Config(3, 0, 0, 1, 64, 0))
        .write(folder, 2, () -> {});
    assertEquals("mine", Files.readString(note));
    assertEquals("mine", Files.readString(picture));
    assertEquals(
        List.of("holiday.jpg", "train_000000.jpg", "train_000001.jpg", "train_000002.jpg"),
        files(folder.resolve("images")).stream().map(Path::toString).toList());
  }

  @Test
  void aFailedWriteLeavesNoJson() throws Exception {
    new SceneDatasetWriter(SMALL).write(folder, 2, () -> {});
    IOException failure =
        assertThrows(
            IOException.class,
            () ->
                new SceneDatasetWriter(SMALL)
                    .write(
                        folder,
                        2,
                        () -> {
                          throw new IllegalStateException("disk on fire");
                        }));
    assertTrue(failure.getMessage().contains("disk on fire"), failure.getMessage());
    assertFalse(Files.exists(folder.resolve(SceneDatasetWriter.JSON)));
  }

  @Test
  void rejectsBadCounts() {
    IllegalArgumentException negative =
        assertThrows(
            IllegalArgumentException.class,
            () -> new SceneDatasetWriter.Config(-1, 1, 1, 1, 128, 0));
    assertTrue(negative.getMessage().contains("train") && negative.getMessage().contains("-1"));
    assertThrows(
        IllegalArgumentException.class, () -> new SceneDatasetWriter.Config(0, 0, 0, 1, 128, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> new SceneDatasetWriter(SMALL).write(folder, 0, () -> {}));
  }

  private static List<Path> files(Path of) throws IOException {
    try (Stream<Path> all = Files.walk(of)) {
      return all.filter(Files::isRegularFile).map(of::relativize).sorted().toList();
    }
  }
}
