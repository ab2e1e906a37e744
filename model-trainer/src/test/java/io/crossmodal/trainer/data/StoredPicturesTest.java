/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoredPicturesTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir Path folder;

  private static RgbImage picture(int width, int height, SplittableRandom random) {
    byte[] rgb = new byte[3 * width * height];
    random.nextBytes(rgb);
    return new RgbImage(width, height, rgb);
  }

  private static void assertSame(RgbImage expected, RgbImage found) {
    assertEquals(expected.width(), found.width());
    assertEquals(expected.height(), found.height());
    assertArrayEquals(expected.rgb(), found.rgb());
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  @Test
  void picturesOfAnySizeComeBackInTheOrderOfTheirNumbers() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    List<Integer> numbers = new ArrayList<>();
    RgbImage[] pictures = new RgbImage[500];
    for (int i = 0; i < pictures.length; i++) {
      if (random.nextInt(4) > 0) {
        pictures[i] = picture(1 + random.nextInt(20), 1 + random.nextInt(20), random);
        numbers.add(i);
      }
    }
    List<RgbImage> expected = numbers.stream().map(i -> pictures[i]).toList();
    Collections.shuffle(numbers, new Random(SEED));
    try (StoredPictures.Writer<RgbImage> writer =
        StoredPictures.Writer.in(folder, StoredPictures.Form.RGB, pictures.length)) {
      numbers.parallelStream().forEach(i -> writer.put(i, pictures[i]));
      try (StoredPictures<RgbImage> stored = writer.written()) {
        assertEquals(expected.size(), stored.size());
        IntStream.range(0, expected.size())
            .parallel()
            .forEach(i -> assertSame(expected.get(i), stored.get(i)));
        assertThrows(IndexOutOfBoundsException.class, () -> stored.get(expected.size()));
      }
    }
    assertEquals(List.of(), files());
  }

  @Test
  void bandsComeBackToTheBit() throws Exception {
    SplittableRandom random = new SplittableRandom(SEED);
    float[] values = new float[3 * 4 * 5];
    for (int i = 0; i < values.length; i++) {
      // Infinities and every kind of NaN among them.
      int exponent = i % 3 == 0 ? 0x7f800000 : 0;
      values[i] = Float.intBitsToFloat(random.nextInt() | exponent);
    }
    try (StoredPictures.Writer<BandImage> writer =
        StoredPictures.Writer.in(folder, StoredPictures.Form.BANDS, 1)) {
      writer.put(0, new BandImage(3, 4, 5, values));
      try (StoredPictures<BandImage> stored = writer.written()) {
        BandImage found = stored.get(0);
        assertEquals(3, found.bands());
        assertEquals(4, found.width());
        assertEquals(5, found.height());
        for (int i = 0; i < values.length; i++) {
          assertEquals(
              Float.floatToRawIntBits(values[i]), Float.floatToRawIntBits(found.values()[i]));
        }
      }
    }
  }

  /** The file has a hole in front, which takes no room on the disk. */
  @Test
  void aFileMayBeLargerThanAnArray() throws Exception {
    long hole = 5L << 31;
    SplittableRandom random = new SplittableRandom(SEED);
    Path path = folder.resolve("sparse");
    FileChannel file =
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.SPARSE,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE);
    file.write(ByteBuffer.allocate(1), hole - 1);
    List<RgbImage> pictures =
        List.of(picture(7, 3, random), picture(2, 9, random), picture(1, 1, random));
    try (StoredPictures.Writer<RgbImage> writer =
        new StoredPictures.Writer<>(path, file, StoredPictures.Form.RGB, 3)) {
      for (int i = 2; i >= 0; i--) {
        writer.put(i, pictures.get(i));
      }
      assertTrue(file.size() > hole);
      try (StoredPictures<RgbImage> stored = writer.written()) {
        for (int i = 0; i < 3; i++) {
          assertSame(pictures.get(i), stored.get(i));
        }
        file.truncate(hole + 1);
        String message = assertThrows(UncheckedIOException.class, () -> stored.get(0)).getMessage();
        assertTrue(message.contains("cannot read picture 0, 71 bytes from byte "), message);
        assertTrue(message.contains(path.toString()), message);
      }
    }
  }

  @Test
  void aFullDiskIsToldByPathAndBytes() throws Exception {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs " + full);
    try (StoredPictures.Writer<RgbImage> writer =
        new StoredPictures.Writer<>(
            full,
            FileChannel.open(full, StandardOpenOption.WRITE),
            StoredPictures.Form.RGB,
            1000)) {
      RgbImage picture = picture(10, 10, new SplittableRandom(SEED));
      String message =
          assertThrows(UncheckedIOException.class, () -> writer.put(0, picture)).getMessage();
      for (String part :
          List.of(
              "cannot write 308 bytes of decoded pictures behind 0 to /dev/full",
              "make room there: 1000 pictures need about 308000 bytes",
              "No space left on device")) {
        assertTrue(message.contains(part), message);
      }
    }
  }

  @Test
  void nothingStaysOfPicturesThatAreRefused() throws Exception {
    Path images = Files.createDirectory(folder.resolve("images"));
    Path broken = Files.writeString(images.resolve("broken.jpg"), "no picture");
    List<CaptionedImage> split =
        List.of(new CaptionedImage("broken.jpg", broken, 0, Split.TRAIN, List.of("a pond")));
    assertThrows(
        InvalidDatasetException.class,
        () -> DecodedImages.decode(split, new ImagePreprocessor(SensorConfig.rgb(16)), 0, folder));
    assertEquals(List.of(images), files());
    Path absent = folder.resolve("absent");
    String message =
        assertThrows(
                UncheckedIOException.class,
                () ->
                    DecodedImages.decode(
                        split, new ImagePreprocessor(SensorConfig.rgb(16)), 0, absent))
            .getMessage();
    assertTrue(message.contains("decoded pictures in " + absent), message);
  }
}
