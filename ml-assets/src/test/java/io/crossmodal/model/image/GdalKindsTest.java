/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestTiffs;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Kinds of TIFF that archives have, written by GDAL: read as GDAL reads them, window by window. */
class GdalKindsTest {
  private static final int WIDTH = 700;
  private static final int HEIGHT = 530;

  /** Of 255: two decoders of JPEG may round differently, in two colour spaces. */
  private static final int ROUNDING = 2;

  @TempDir Path folder;
  private Path source;

  /** Four bands of 16 bits; the fourth is 255, and 0 in a corner. */
  @BeforeEach
  void write() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    source = folder.resolve("source.tif");
    Files.write(
        source, TestTiffs.write(TestTiffs.wavesAndMask(WIDTH, HEIGHT), TestTiffs.Values.UINT16));
  }

  private FloatBuffer raw(Path file, String options) throws Exception {
    Path raw = folder.resolve("raw.img");
    Gdal.translate(file, raw, "-of ENVI -co INTERLEAVE=BSQ -ot Float32 " + options);
    return ByteBuffer.wrap(Files.readAllBytes(raw)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }

  @ParameterizedTest
  @CsvSource({
    "jpeg, -b 1 -b 2 -b 3 -ot Byte -co COMPRESS=JPEG -co TILED=YES",
    "jpeg-ycc, -b 1 -b 2 -b 3 -ot Byte -co COMPRESS=JPEG -co PHOTOMETRIC=YCBCR -co TILED=YES",
    "jpeg-strips, -b 1 -ot Byte -co COMPRESS=JPEG",
    "jpeg-planar, -b 1 -b 2 -b 3 -ot Byte -co COMPRESS=JPEG -co INTERLEAVE=BAND",
    "big, -co BIGTIFF=YES -co TILED=YES",
    "big-deflate, -co BIGTIFF=YES -co COMPRESS=DEFLATE -co TILED=YES -co BLOCKXSIZE=128",
    "planar, -co INTERLEAVE=BAND -co COMPRESS=DEFLATE -co TILED=YES",
    "predictor-2, -co COMPRESS=LZW -co PREDICTOR=2",
    "predictor-2-big-endian, -co COMPRESS=DEFLATE -co PREDICTOR=2 -co ENDIANNESS=BIG",
    "predictor-3, -ot Float32 -co COMPRESS=DEFLATE -co PREDICTOR=3 -co TILED=YES",
    "doubles-predictor-3, -ot Float64 -co COMPRESS=LZW -co PREDICTOR=3",
    "signed, -ot Int16 -co COMPRESS=PACKBITS",
    "zstandard, -co COMPRESS=ZSTD -co PREDICTOR=2",
    "zstandard-tiles, -ot Float32 -co COMPRESS=ZSTD -co PREDICTOR=3 -co TILED=YES",
    "cog, -of COG -co COMPRESS=DEFLATE -co BLOCKSIZE=128",
    "four-bands-of-bytes, -ot Byte",
    "four-bands-of-bytes-cog, -of COG -ot Byte -co COMPRESS=DEFLATE -co BLOCKSIZE=128",
    "cog-predictor, -of COG -co COMPRESS=LZW -co PREDICTOR=YES -co BLOCKSIZE=128"
  })
  void readsAsGdalDoes(String name, String options) throws Exception {
    Path file = folder.resolve(name + ".tif");
    Gdal.translate(source, file, options);
    FloatBuffer expected = raw(file, "");
    int tolerance = name.startsWith("jpeg") ? ROUNDING : 0;
    SplittableRandom random = new SplittableRandom(Seeds.next());
    try (TiffScene scene = TiffScene.open(file)) {
      assertEquals(expected.capacity(), scene.bands() * WIDTH * HEIGHT, "all bands");
      for (int i = 0; i < 8; i++) {
        int x = random.nextInt(WIDTH - 60);
        int y = random.nextInt(HEIGHT - 60);
        int width = 1 + random.nextInt(WIDTH - x);
        int height = 1 + random.nextInt(HEIGHT - y);
        BandImage found = scene.values(0, new Window(x, y, width, height), WIDTH).bands();
        for (int band = 0; band < found.bands(); band++) {
          for (int row = 0; row < height; row++) {
            for (int column = 0; column < width; column++) {
              assertEquals(
                  expected.get((band * HEIGHT + y + row) * WIDTH + x + column),
                  found.value(band, column, row),
                  tolerance,
                  "band " + band + " at " + (x + column) + ", " + (y + row));
            }
          }
        }
      }
    }
  }

  /** Which bands are colours GDAL may say in a field of its own, for overviews too. */
  @ParameterizedTest
  @CsvSource({
    "blue;green;red, -b 1 -b 2 -b 3, 2;1;0",
    "undefined;red;green;blue, -b 4 -b 1 -b 2 -b 3, 1;2;3",
    "blue;alpha;green;red, -b 1 -b 4 -b 2 -b 3, 2;1;0",
    "red;green;blue;undefined, -b 1 -b 2 -b 3 -b 4, 0;1;2"
  })
  void takesTheColoursThatGdalNames(String meanings, String bands, String rgb) throws Exception {
    Path file = folder.resolve("colours.tif");
    Gdal.translate(
        source,
        file,
        bands
            + " -of COG -ot Byte -co COMPRESS=DEFLATE -co BLOCKSIZE=128 -scale -colorinterp "
            + meanings.replace(';', ','));
    try (TiffScene scene = TiffScene.open(file)) {
      List<Integer> expected = Arrays.stream(rgb.split(";", -1)).map(Integer::valueOf).toList();
      assertEquals(expected, scene.rgb());
      scene.checkColours();
      for (int level = 0; level < scene.levels(); level++) {
        Window window = new Window(300, 300, 100, 100);
        BandImage values = scene.values(level, window, WIDTH).bands();
        byte[] colours = scene.colours(level, window, WIDTH).rgb();
        for (int i = 0; i < colours.length; i++) {
          int area = values.width() * values.height();
          assertEquals(values.values()[expected.get(i % 3) * area + i / 3], colours[i] & 0xff);
        }
      }
    }
  }

  /** Overviews are found by size, and windows lie where the same pixels of the scene do. */
  @Test
  void readsOverviews() throws Exception {
    Path file = folder.resolve("cog.tif");
    Gdal.translate(source, file, "-of COG -co COMPRESS=DEFLATE -co BLOCKSIZE=128");
    FloatBuffer expected = raw(file, "-oo OVERVIEW_LEVEL=0");
    try (TiffScene scene = TiffScene.open(file)) {
      assertTrue(scene.levels() >= 3, "levels: " + scene.levels());
      assertEquals(0, scene.level(1));
      assertEquals(0, scene.level(1.9));
      assertEquals(1, scene.level(2));
      assertEquals(1, scene.level(3.5));
      assertEquals(2, scene.level(4));
      BandImage found = scene.values(1, new Window(100, 60, 200, 120), WIDTH).bands();
      assertEquals(100, found.width());
      assertEquals(60, found.height());
      for (int row = 0; row < 60; row++) {
        for (int column = 0; column < 100; column++) {
          assertEquals(
              expected.get((HEIGHT / 2 + 30 + row) * (WIDTH / 2) + 50 + column),
              found.value(1, column, row),
              "second band at " + column + ", " + row);
        }
      }
    }
  }

  /** Where a mask, an opacity or a no-data value says that there is nothing, there is nothing. */
  @ParameterizedTest
  @CsvSource({
    "mask, -of COG -ot Byte -co COMPRESS=JPEG -colorinterp red;green;blue;alpha",
    "inner-mask, -ot Byte -b 1 -b 2 -b 3 -mask 4 --config GDAL_TIFF_INTERNAL_MASK YES",
    "alpha, -ot Byte -co PHOTOMETRIC=RGB -co ALPHA=YES -co COMPRESS=DEFLATE",
    "no-data, -ot Int16 -b 4 -a_nodata 0"
  })
  void countsWhatHasNoData(String name, String options) throws Exception {
    Path file = folder.resolve(name + ".tif");
    Gdal.translate(source, file, options.replace(';', ','));
    FloatBuffer mask = raw(file, "-b mask");
    SplittableRandom random = new SplittableRandom(Seeds.next());
    try (TiffScene scene = TiffScene.open(file)) {
      for (int i = 0; i < 10; i++) {
        Window window = new Window(random.nextInt(400), random.nextInt(300), 200, 200);
        int missing = 0;
        for (int p = 0; p < 200 * 200; p++) {
          int at = (window.y() + p / 200) * WIDTH + window.x() + p % 200;
          missing += mask.get(at) == 0 ? 1 : 0;
        }
        Raster.Values found = scene.values(0, window, WIDTH);
        assertEquals(missing / 40_000.0, found.noData(), 1e-9, window.toString());
        assertEquals(missing / 40_000.0, found.bands().undefined(), 1e-9, window.toString());
      }
    }
  }

  /** What is not read is named, with what makes a file that is. */
  @ParameterizedTest
  @CsvSource({"LERC, LERC", "LZMA, LZMA"})
  void namesWhatIsNotRead(String packing, String named) throws Exception {
    Path file = folder.resolve(packing + ".tif");
    Gdal.translate(source, file, "-co COMPRESS=" + packing);
    ImageFormatException refused =
        assertThrows(ImageFormatException.class, () -> TiffScene.open(file));
    assertTrue(refused.getMessage().contains(named), refused.getMessage());
    assertTrue(refused.getMessage().contains("COMPRESS=DEFLATE"), refused.getMessage());
  }
}
