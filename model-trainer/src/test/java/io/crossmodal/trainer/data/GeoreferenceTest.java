/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.GeoTiff;
import io.crossmodal.model.image.ImageFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GeoreferenceTest {
  private static final Georeference UTM =
      new Georeference(32634, 21, 17, List.of(600000.0, 10.0, 0.0, 4900000.0, 0.0, -10.0));

  private final SplittableRandom random = new SplittableRandom(Seeds.next());

  private BandImage random(int bands) {
    float[] values = new float[bands * 21 * 17];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(60_000);
    }
    return new BandImage(bands, 21, 17, values);
  }

  @ParameterizedTest
  @EnumSource(GeoTiffWriter.Values.class)
  void whatIsWrittenIsRead(GeoTiffWriter.Values values) {
    for (int bands : new int[] {1, 2, 10, 13}) {
      BandImage image = random(bands);
      GeoTiff tiff = GeoTiff.open(GeoTiffWriter.write(image, values, UTM));
      assertArrayEquals(image.values(), tiff.read().values(), values + " x " + bands);
      assertEquals(Optional.of(UTM), Georeference.of(tiff));
      assertEquals(Optional.empty(), tiff.noData());
    }
    GeoTiff nowhere = GeoTiff.open(GeoTiffWriter.write(random(1), values, null));
    assertEquals(Optional.empty(), Georeference.of(nowhere));
  }

  @Test
  void damageIsNamed() {
    byte[] file = GeoTiffWriter.write(random(2), GeoTiffWriter.Values.FLOAT32, UTM);
    for (int trial = 0; trial < 1000; trial++) {
      byte[] bent = file.clone();
      bent[random.nextInt(bent.length)] ^= (byte) (1 + random.nextInt(255));
      try {
        Georeference.of(GeoTiff.open(bent));
      } catch (ImageFormatException expected) {
        assertTrue(expected.getMessage().length() > 10, expected.getMessage());
      }
    }
  }

  @Test
  void sameGround() {
    Georeference coarse =
        new Georeference(32634, 10, 8, List.of(600000.0, 21.0, 0.0, 4900000.0, 0.0, -21.25));
    assertTrue(UTM.covers(coarse));
    assertFalse(UTM.covers(new Georeference(32633, 21, 17, UTM.affine())));
    assertFalse(
        UTM.covers(new Georeference(32634, 21, 17, List.of(600010., 10., 0., 4900000., 0., -10.))));
  }

  @Test
  void realFiles() throws IOException {
    Path folder =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"), "data", "georef");
    assumeTrue(Files.isDirectory(folder), folder + " is absent");
    List<Path> files;
    try (Stream<Path> walk = Files.walk(folder)) {
      files = walk.filter(p -> p.toString().toLowerCase(Locale.ROOT).endsWith(".tif")).toList();
    }
    for (Path path : files) {
      GeoTiff tiff = GeoTiff.open(Files.readAllBytes(path));
      Georeference place = Georeference.of(tiff).orElseThrow();
      assertEquals(tiff.width(), place.width(), path.toString());
      assertEquals(tiff.height(), place.height(), path.toString());
    }
  }
}
