/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestTiffs;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TiffSceneTest {
  private static final int TILE = 256;
  private static final int SIDE = 20_000;

  @TempDir Path folder;

  static Stream<String> bands() throws Exception {
    return ReferenceFilesTest.bands();
  }

  /** Windows of files of every kind, on a disk, are what the whole picture has there. */
  @ParameterizedTest
  @MethodSource("bands")
  void windowsAreWhatTheWholeHasThere(String name) throws Exception {
    byte[] file = ReferenceFilesTest.file(name);
    Path path = Files.write(folder.resolve("scene.tif"), file);
    GeoTiff tiff = GeoTiff.open(file);
    if (!tiff.isUpright()) {
      assertThrows(ImageFormatException.class, () -> TiffScene.open(path));
      return;
    }
    BandImage whole = tiff.read();
    SplittableRandom random = new SplittableRandom(Seeds.next());
    try (TiffScene scene = TiffScene.open(path)) {
      assertEquals(whole.width(), scene.width());
      assertEquals(whole.height(), scene.height());
      for (int i = 0; i < 30; i++) {
        int x = random.nextInt(whole.width());
        int y = random.nextInt(whole.height());
        int width = 1 + random.nextInt(whole.width() - x);
        int height = 1 + random.nextInt(whole.height() - y);
        int step = 1 + random.nextInt(3);
        int most = Math.ceilDiv(Math.max(width, height), step);
        Window window = new Window(x, y, width, height);
        Raster.Values found = scene.values(0, window, most);
        int stepX = Math.ceilDiv(width, most);
        int stepY = Math.ceilDiv(height, most);
        BandImage values = found.bands();
        assertEquals(Math.ceilDiv(width, stepX), values.width());
        for (int band = 0; band < values.bands(); band++) {
          for (int row = 0; row < values.height(); row++) {
            for (int column = 0; column < values.width(); column++) {
              assertEquals(
                  whole.value(band, x + column * stepX, y + row * stepY),
                  values.value(band, column, row),
                  name + " " + window + ", band " + band + " at " + column + ", " + row);
            }
          }
        }
      }
    }
  }

  /** Counts what is asked of it. */
  private static final class Counting implements TiffSource {
    private final TiffSource file;
    private long bytes;
    private int largest;

    Counting(TiffSource file) {
      this.file = file;
    }

    @Override
    public long size() {
      return file.size();
    }

    @Override
    public Slice slice(long at, int length) {
      bytes += length;
      largest = Math.max(largest, length);
      return file.slice(at, length);
    }
  }

  /** A scene whose tiles all are the same bytes: a small file, and no small picture. */
  private static byte[] large() {
    int tiles = Math.ceilDiv(SIDE, TILE) * Math.ceilDiv(SIDE, TILE);
    int entries = 9;
    int directory = 8 + TILE * TILE;
    int places = directory + 2 + 12 * entries + 4;
    ByteBuffer file =
        ByteBuffer.allocate(places + 8 * tiles)
            .order(ByteOrder.LITTLE_ENDIAN)
            .put(new byte[] {'I', 'I', 42, 0})
            .putInt(directory);
    for (int i = 0; i < TILE * TILE; i++) {
      file.put((byte) (i % TILE));
    }
    file.putShort((short) entries);
    entry(file, 256, 1, SIDE);
    entry(file, 257, 1, SIDE);
    entry(file, 258, 1, 8);
    entry(file, 259, 1, 1);
    entry(file, 262, 1, 1);
    entry(file, 322, 1, TILE);
    entry(file, 323, 1, TILE);
    entry(file, 324, tiles, places);
    entry(file, 325, tiles, places + 4 * tiles);
    file.putInt(0);
    for (int i = 0; i < tiles; i++) {
      file.putInt(8);
    }
    for (int i = 0; i < tiles; i++) {
      file.putInt(TILE * TILE);
    }
    return file.array();
  }

  private static void entry(ByteBuffer file, int tag, int count, int value) {
    file.putShort((short) tag).putShort((short) 4).putInt(count).putInt(value);
  }

  /** Of a scene of 20,000 x 20,000 pixels nothing is read but the tiles of a window, each once. */
  @Test
  void readsTheTilesOfAWindowAndNoMore() {
    Counting file = new Counting(TiffSource.of(large()));
    TiffScene scene = TiffScene.of(file);
    assertTrue(file.bytes < 200_000, "the header: " + file.bytes);
    file.bytes = 0;
    file.largest = 0;
    Window window = new Window(SIDE - 300, 9_900, 256, 256);
    RgbImage colours = scene.colours(0, window, 1024);
    assertEquals(256, colours.width());
    for (int x = 0; x < 256; x++) {
      assertEquals((window.x() + x) % TILE, colours.rgb()[3 * x] & 0xff);
    }
    assertTrue(file.bytes <= 4 * TILE * TILE + 1000, "four tiles: " + file.bytes);
    assertEquals(TILE * TILE, file.largest);
    // A row of overlapping windows needs each tile once.
    file.bytes = 0;
    for (int x = 0; x + 256 < SIDE; x += 192) {
      scene.values(0, new Window(x, 100, 256, 256), 1024);
    }
    long row = 2L * Math.ceilDiv(SIDE, TILE) * TILE * TILE;
    assertTrue(file.bytes <= row, file.bytes + " of two rows of tiles, " + row);
    // A window of everything is read in steps: what is made of it stays small.
    assertEquals(1000, scene.values(0, new Window(0, 0, SIDE, SIDE), 1024).bands().width());
  }

  /** A tile that the file leaves out has no data, and is no black picture. */
  @Test
  void tilesThatAreLeftOutHaveNoData() {
    byte[] file = large();
    Window first = new Window(0, 0, 256, 256);
    assertTrue(TiffScene.of(file).hasAllData(0, first));
    int tiles = Math.ceilDiv(SIDE, TILE) * Math.ceilDiv(SIDE, TILE);
    ByteBuffer places = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    for (int list = 1; list <= 2; list++) {
      places.putInt(file.length - 4 * list * tiles, 0);
    }
    TiffScene sparse = TiffScene.of(file);
    assertFalse(sparse.hasAllData(0, first));
    assertEquals(1, sparse.values(0, new Window(0, 0, 8, 8), 1024).noData());
  }

  @Test
  void refusesWindowsOutside() {
    TiffScene scene = TiffScene.of(large());
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> scene.values(0, new Window(SIDE - 10, 0, 11, 1), 100));
    assertTrue(refused.getMessage().contains("outside of a scene of 20000"), refused.getMessage());
  }

  /** Wherever a file ends, it says so, in words; what was read before is not made up. */
  @Test
  void saysThatAFileIsCutShort() throws Exception {
    SplittableRandom random = new SplittableRandom(Seeds.next());
    float[] values = new float[3 * 60 * 50];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(1 << 16);
    }
    byte[] file = TestTiffs.write(new BandImage(3, 60, 50, values), TestTiffs.Values.UINT16);
    Path path = folder.resolve("cut.tif");
    for (int i = 0; i < 100; i++) {
      // Behind the directory there are places and lengths, then the numbers of its bands.
      int length = random.nextInt(file.length);
      Files.write(path, Arrays.copyOf(file, length));
      ImageFormatException refused =
          assertThrows(
              ImageFormatException.class,
              () -> {
                try (TiffScene scene = TiffScene.open(path)) {
                  scene.values(0, new Window(0, 0, 60, 50), 100);
                }
              },
              () -> "cut to " + length + " of " + file.length);
      assertTrue(refused.getMessage().contains("TIFF"), refused.getMessage());
    }
    Files.write(path, file);
    try (TiffScene scene = TiffScene.open(path)) {
      Raster.Values whole = scene.values(0, new Window(0, 0, 60, 50), 100);
      assertArrayEquals(values, whole.bands().values());
      assertEquals(0, whole.noData());
    }
  }

  /** A tile that says it has gigabytes costs no more than it can give. */
  @Test
  void aHeaderThatLiesCostsLittle() throws Exception {
    byte[] file = large();
    int tiles = Math.ceilDiv(SIDE, TILE) * Math.ceilDiv(SIDE, TILE);
    ByteBuffer header = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(8 + TILE * TILE + 2 + 3 * 12 + 8, 8); // Deflate, of what is none
    for (int i = 0; i < tiles; i++) {
      header.putInt(file.length - 4 * tiles + 4 * i, 2_000_000_000);
    }
    Path path = Files.write(folder.resolve("lies.tif"), file);
    try (FileChannel sparse = FileChannel.open(path, StandardOpenOption.WRITE)) {
      sparse.write(ByteBuffer.allocate(1), 1L << 31);
    }
    try (FileChannel channel = FileChannel.open(path)) {
      Counting counting = new Counting(TiffSource.of(channel));
      TiffScene scene = TiffScene.of(counting);
      assertThrows(
          ImageFormatException.class, () -> scene.values(0, new Window(0, 0, 10, 10), 100));
      assertTrue(counting.largest < 2 << 20, "read at once: " + counting.largest);
    }
    // More tiles than the file has room for.
    header.putInt(8 + TILE * TILE + 2 + 8, 1 << 20);
    ImageFormatException refused =
        assertThrows(ImageFormatException.class, () -> TiffScene.of(file));
    assertTrue(refused.getMessage().contains("names fewer than its"), refused.getMessage());
    byte[] circle = large();
    ByteBuffer.wrap(circle)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(8 + TILE * TILE + 2 + 9 * 12, 8 + TILE * TILE);
    refused = assertThrows(ImageFormatException.class, () -> TiffScene.of(circle));
    assertTrue(refused.getMessage().contains("in a circle"), refused.getMessage());
  }

  /** Whoever has a file of a packing that is not read is told which one, and what to do. */
  @ParameterizedTest
  @CsvSource({
    "34887, LERC",
    "50001, WebP",
    "34712, JPEG 2000",
    "50002, JPEG XL",
    "34925, LZMA",
    "4, CCITT"
  })
  void namesPackingsThatAreNotRead(int compression, String name) {
    byte[] plain = TestTiffs.write(new BandImage(1, 20, 20, new float[400]));
    byte[] file = TestTiffs.withCompression(plain, compression);
    ImageFormatException refused =
        assertThrows(ImageFormatException.class, () -> TiffScene.of(file));
    assertTrue(refused.getMessage().contains(", " + name), refused.getMessage());
    assertTrue(refused.getMessage().contains("COMPRESS=DEFLATE"), refused.getMessage());
    assertTrue(refused.getMessage().contains("--reader auto or gdal"), refused.getMessage());
  }
}
