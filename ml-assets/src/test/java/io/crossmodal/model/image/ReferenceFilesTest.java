/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Pictures and bands as Pillow and GDAL read them; {@code reference/make_references.py} made them.
 */
class ReferenceFilesTest {
  /** Of 255: two implementations of littlecms's and of JFIF's arithmetic may round differently. */
  private static final int ROUNDING = 1;

  private static Path folder() throws URISyntaxException {
    return Path.of(ReferenceFilesTest.class.getResource("reference").toURI());
  }

  private static Stream<String> withReference(String ending) throws Exception {
    try (Stream<Path> files = Files.list(folder())) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(ending))
          .map(name -> name.substring(0, name.length() - ending.length()))
          .filter(name -> name.contains("."))
          .sorted()
          .toList()
          .stream();
    }
  }

  static Stream<String> pictures() throws Exception {
    return withReference(".png");
  }

  static Stream<String> bands() throws Exception {
    return withReference(".f8");
  }

  static byte[] file(String name) throws IOException {
    try (InputStream in = ReferenceFilesTest.class.getResourceAsStream("reference/" + name)) {
      return in.readAllBytes();
    }
  }

  @ParameterizedTest
  @MethodSource("pictures")
  void decodesAsPillowDoes(String name) throws IOException {
    BufferedImage expected = ImageIO.read(new ByteArrayInputStream(file(name + ".png")));
    RgbImage found = ImageDecoder.decode(file(name), 1000);
    assertEquals(expected.getWidth(), found.width());
    assertEquals(expected.getHeight(), found.height());
    for (int y = 0; y < found.height(); y++) {
      for (int x = 0; x < found.width(); x++) {
        for (int c = 0; c < 3; c++) {
          assertEquals(
              (expected.getRGB(x, y) >> (16 - 8 * c)) & 0xff,
              found.rgb()[3 * (y * found.width() + x) + c] & 0xff,
              ROUNDING,
              "x " + x + ", y " + y + ", colour " + c);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("bands")
  void readsBandsAsGdalDoes(String name) throws IOException {
    DoubleBuffer expected = ByteBuffer.wrap(file(name + ".f8")).asDoubleBuffer();
    GeoTiff tiff = GeoTiff.open(file(name));
    BandImage found = tiff.read();
    assertEquals(expected.capacity(), found.values().length);
    for (int i = 0; i < found.values().length; i++) {
      assertEquals((float) expected.get(i), found.values()[i], "value " + i);
    }
    long floats = (long) Float.BYTES * found.values().length;
    assertTrue(tiff.bytes() > floats && tiff.bytes() < floats + (1 << 18), tiff.bytes() + " bytes");
  }
}
