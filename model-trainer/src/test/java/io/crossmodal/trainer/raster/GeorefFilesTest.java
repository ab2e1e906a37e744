/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.Georeference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The 93 real GeoTIFFs of the shared data are read as GDAL reads them, by both readers. */
class GeorefFilesTest {
  @TempDir Path folder;

  @Test
  void readsRealFilesAsGdalDoes() throws Exception {
    Path data = Path.of(System.getProperty("crossmodal.shared", "../../shared"), "data/georef");
    if (!Files.isDirectory(data)) {
      System.out.println("skipped: no " + data + " (set -Dcrossmodal.shared)");
    }
    assumeTrue(Files.isDirectory(data), "no shared data");
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    List<Path> files;
    try (Stream<Path> all = Files.walk(data)) {
      files = all.filter(file -> file.toString().endsWith(".tif")).sorted().toList();
    }
    assertEquals(93, files.size());
    Rasters own = Rasters.of(Rasters.Choice.BUILTIN);
    Rasters gdal = Rasters.of(Rasters.Choice.GDAL);
    for (Path file : files) {
      Path raw = folder.resolve("raw.img");
      Gdal.translate(file, raw, "-of ENVI -co INTERLEAVE=BSQ -ot Float32");
      FloatBuffer expected =
          ByteBuffer.wrap(Files.readAllBytes(raw)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
      try (RasterFile one = own.open(file);
          RasterFile two = gdal.open(file)) {
        assertSamePlace(one.place(), two.place(), file);
        assertEquals(one.raster().rgb(), two.raster().rgb(), file.toString());
        check(one, expected, file);
        check(two, expected, file);
      }
    }
  }

  /** Old gdalinfo prints eleven digits of a number. */
  private static void assertSamePlace(
      Optional<Georeference> expected, Optional<Georeference> place, Path file) {
    assertEquals(expected.map(Georeference::epsg), place.map(Georeference::epsg), file.toString());
    assertEquals(expected.isPresent(), place.isPresent(), file.toString());
    if (expected.isPresent()) {
      for (int i = 0; i < 6; i++) {
        double value = expected.get().affine().get(i);
        assertEquals(value, place.get().affine().get(i), 1e-10 * Math.abs(value), file.toString());
      }
    }
  }

  private static void check(RasterFile file, FloatBuffer expected, Path path) {
    int width = file.raster().width();
    int height = file.raster().height();
    BandImage found =
        file.raster().values(0, new Window(0, 0, width, height), Math.max(width, height)).bands();
    assertEquals(expected.capacity(), found.values().length, path.toString());
    for (int i = 0; i < expected.capacity(); i++) {
      float value = found.values()[i];
      // NaN is no data, of whatever value the file has for it.
      if (!Float.isNaN(value)) {
        assertEquals(expected.get(i), value, path + " by " + file.reader() + ", value " + i);
      }
    }
  }
}
