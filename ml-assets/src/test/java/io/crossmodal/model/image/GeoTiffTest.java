/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.TestTiffs;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.WritableRaster;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GeoTiffTest {
  private final long seed = System.nanoTime();
  private final SplittableRandom random = new SplittableRandom(seed);

  private BandImage random(int bands, int width, int height) {
    float[] values = new float[bands * width * height];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(60_000);
    }
    return new BandImage(bands, width, height, values);
  }

  private static void assertSame(BandImage expected, BandImage found, String what) {
    assertEquals(expected.bands(), found.bands(), what);
    assertEquals(expected.width(), found.width(), what);
    assertEquals(expected.height(), found.height(), what);
    for (int i = 0; i < expected.values().length; i++) {
      assertEquals(expected.values()[i], found.values()[i], what + ", value " + i);
    }
  }

  @ParameterizedTest
  @EnumSource(TestTiffs.Values.class)
  void readsEveryNumberOfBands(TestTiffs.Values values) {
    for (int bands : new int[] {1, 2, 10, 13}) {
      BandImage image = random(bands, 21, 17);
      GeoTiff tiff = GeoTiff.open(TestTiffs.write(image, values));
      assertSame(image, tiff.read(), values + " x " + bands + ", seed " + seed);
      assertEquals(Optional.empty(), tiff.noData());
    }
  }

  @ParameterizedTest
  @CsvSource({"LZW,false", "LZW,true", "Deflate,false", "Deflate,true", "PackBits,false"})
  void readsWhatTheJdkCompresses(String compression, boolean tiled) throws IOException {
    for (int type :
        new int[] {DataBuffer.TYPE_USHORT, DataBuffer.TYPE_FLOAT, DataBuffer.TYPE_DOUBLE}) {
      BandImage image = random(3, 70, 45);
      BufferedImage picture = picture(image, type);
      byte[] file = compress(picture, compression, tiled ? 32 : 0);
      assertSame(image, GeoTiff.open(file).read(), compression + ", seed " + seed);
    }
  }

  private static BufferedImage picture(BandImage image, int type) {
    ColorSpace colours = ColorSpace.getInstance(ColorSpace.CS_sRGB);
    ComponentColorModel model = new ComponentColorModel(colours, false, false, 1, type);
    WritableRaster raster = model.createCompatibleWritableRaster(image.width(), image.height());
    for (int band = 0; band < image.bands(); band++) {
      for (int y = 0; y < image.height(); y++) {
        for (int x = 0; x < image.width(); x++) {
          raster.setSample(x, y, band, image.value(band, x, y));
        }
      }
    }
    return new BufferedImage(model, raster, false, null);
  }

  /** In square tiles of that side, or in strips. */
  static byte[] compress(BufferedImage picture, String compression, int tile) throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("tiff").next();
    ImageWriteParam param = writer.getDefaultWriteParam();
    param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
    param.setCompressionType(compression);
    if (tile > 0) {
      param.setTilingMode(ImageWriteParam.MODE_EXPLICIT);
      param.setTiling(tile, tile, 0, 0);
    }
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (ImageOutputStream out = new MemoryCacheImageOutputStream(file)) {
      writer.setOutput(out);
      writer.write(null, new IIOImage(picture, null, null), param);
    } finally {
      writer.dispose();
    }
    return file.toByteArray();
  }

  /** As GDAL writes COGs of Sentinel-2: Deflate with the horizontal predictor, here tiled. */
  @ParameterizedTest
  @CsvSource({"1,1", "2,1", "5,1", "3,2"})
  void readsThePredictorOfSixteenBitNumbers(int bands, int sampleFormat) throws IOException {
    int side = 32;
    BandImage image = random(bands, 2 * side, side);
    if (sampleFormat == 2) {
      for (int i = 0; i < image.values().length; i++) {
        image.values()[i] -= 30_000;
      }
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    int[] offsets = new int[2];
    int[] counts = new int[2];
    for (int tile = 0; tile < 2; tile++) {
      ByteArrayOutputStream packed = new ByteArrayOutputStream();
      try (DeflaterOutputStream out = new DeflaterOutputStream(packed)) {
        for (int y = 0; y < side; y++) {
          for (int i = 0; i < side * bands; i++) {
            int x = tile * side + i / bands;
            int value = (int) image.value(i % bands, x, y);
            int difference = value - (i < bands ? 0 : (int) image.value(i % bands, x - 1, y));
            out.write(difference & 0xff);
            out.write((difference >> 8) & 0xff);
          }
        }
      }
      offsets[tile] = 8 + body.size();
      counts[tile] = packed.size();
      packed.writeTo(body);
    }
    List<Tag> tags =
        List.of(
            Tag.shorts(256, 2 * side),
            Tag.shorts(257, side),
            Tag.shorts(258, Collections.nCopies(bands, 16).stream().mapToInt(i -> i).toArray()),
            Tag.shorts(259, 8),
            Tag.shorts(262, 1),
            Tag.shorts(277, bands),
            Tag.shorts(284, 1),
            Tag.shorts(317, 2),
            Tag.shorts(322, side),
            Tag.shorts(323, side),
            new Tag(324, Tag.LONG, offsets),
            new Tag(325, Tag.LONG, counts),
            Tag.shorts(
                339, Collections.nCopies(bands, sampleFormat).stream().mapToInt(i -> i).toArray()));
    assertSame(image, GeoTiff.open(tiff(tags, body.toByteArray())).read(), "seed " + seed);
  }

  /** An entry of a TIFF's directory. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Tag(int id, int type, int[] values) {
    static final int ASCII = 2;
    static final int SHORT = 3;
    static final int LONG = 4;

    static Tag shorts(int id, int... values) {
      return new Tag(id, SHORT, values);
    }

    byte[] bytes() {
      int size = type == ASCII ? 1 : type == SHORT ? 2 : 4;
      ByteBuffer bytes =
          ByteBuffer.allocate(Math.max(4, size * values.length)).order(ByteOrder.LITTLE_ENDIAN);
      for (int value : values) {
        if (type == ASCII) {
          bytes.put((byte) value);
        } else if (type == SHORT) {
          bytes.putShort((short) value);
        } else {
          bytes.putInt(value);
        }
      }
      return bytes.array();
    }
  }

  /** A little-endian TIFF: header, body, values that do not fit an entry, directory. */
  private static byte[] tiff(List<Tag> tags, byte[] body) {
    ByteBuffer file = ByteBuffer.allocate(body.length + 4096).order(ByteOrder.LITTLE_ENDIAN);
    file.put(new byte[] {'I', 'I', 42, 0}).putInt(0).put(body);
    List<byte[]> inEntry = new ArrayList<>();
    for (Tag tag : tags) {
      byte[] bytes = tag.bytes();
      if (bytes.length > 4) {
        inEntry.add(new Tag(0, Tag.LONG, new int[] {file.position()}).bytes());
        file.put(bytes);
      } else {
        inEntry.add(bytes);
      }
    }
    file.putInt(4, file.position()).putShort((short) tags.size());
    for (int i = 0; i < tags.size(); i++) {
      Tag tag = tags.get(i);
      file.putShort((short) tag.id()).putShort((short) tag.type());
      file.putInt(tag.values().length).put(inEntry.get(i));
    }
    file.putInt(0);
    return Arrays.copyOf(file.array(), file.position());
  }

  /** Some hundred bytes would take 486 MB, or 13 GB, of native memory. */
  @Test
  void aJpegInsideMustHaveTheSizeOfItsStrip() throws IOException {
    byte[] jpeg = ImageDecoderTest.hugeJpeg();
    byte[] file = jpegInside(7, jpeg);
    assertNamed(() -> GeoTiff.open(file).read(), "progressive");
    assertNamed(() -> ImageDecoder.decode(file, 16), "progressive");
    byte[] small = jpegInside(7, ImageDecoderTest.jpeg(32, false));
    assertNamed(() -> GeoTiff.open(small).read(), "32 x 32", "64 x 64");
    assertEquals(3, GeoTiff.open(jpegInside(7, ImageDecoderTest.jpeg(64, false))).read().bands());
  }

  private static void assertNamed(Executable read, String... parts) {
    String message = assertThrows(ImageFormatException.class, read).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  private static byte[] jpegInside(int compression, byte[] jpeg) {
    return tiff(
        List.of(
            Tag.shorts(256, 64),
            Tag.shorts(257, 64),
            Tag.shorts(258, 8, 8, 8),
            Tag.shorts(259, compression),
            Tag.shorts(262, 6),
            new Tag(273, Tag.LONG, new int[] {8}),
            Tag.shorts(277, 3),
            Tag.shorts(278, 64),
            new Tag(279, Tag.LONG, new int[] {jpeg.length})),
        jpeg);
  }

  /**
   * What the samples are is said, never guessed; H4: 28 bits cost 4 GB where 47 kB were counted.
   */
  @ParameterizedTest
  @CsvSource({
    "64,1,unsigned samples of 64 bits",
    "33,1,unsigned samples of 33 bits",
    "12,2,signed samples of 12 bits",
    "24,3,float samples of 24 bits",
    "32,5,complex numbers",
    "64,6,complex numbers",
    "8,9,sample format 9"
  })
  void samplesThatAreNotReadAreNamed(int bits, int format, String name) {
    assertNamed(() -> GeoTiff.open(plain(bits, format, 0, 9)), name, "read are");
  }

  /** A strip of 8 x 8 samples. */
  private static byte[] plain(int bits, int format, int more, int offset) {
    int length = bits * 8;
    return tiff(
        List.of(
            Tag.shorts(256, 8),
            Tag.shorts(257, 8),
            Tag.shorts(258, bits),
            Tag.shorts(259, 1),
            Tag.shorts(262, 1),
            new Tag(273, Tag.LONG, new int[] {offset, offset + length / 2 - more}),
            Tag.shorts(277, 1),
            Tag.shorts(278, 4),
            new Tag(279, Tag.LONG, new int[] {length / 2, length / 2}),
            Tag.shorts(339, format)),
        new byte[length + 8]);
  }

  @Test
  void everyDepthCostsWhatItsHeaderSays() throws IOException {
    for (int bits = 1; bits <= 32; bits++) {
      GeoTiff tiff = GeoTiff.open(plain(bits, 1, 0, 8));
      assertTrue(tiff.bytes() < 1 << 18, bits + " bits: " + tiff.bytes());
      assertEquals(0, tiff.read().values()[63]);
    }
  }

  @Test
  void stripsLieInTheFileAndNotInEachOther() {
    assertEquals(64, GeoTiff.open(plain(8, 1, 0, 8)).read().values().length);
    assertNamed(() -> GeoTiff.open(plain(8, 1, 3, 8)), "overlap at");
    assertNamed(() -> GeoTiff.open(plain(8, 1, 0, 9_999)), "cut short", "9999");
    assertNamed(() -> GeoTiff.open(plain(8, 1, 0, 2)), "32 bytes at 2");
    // Twice the same strip, as some programs save space.
    assertEquals(64, GeoTiff.open(plain(8, 1, 32, 8)).read().values().length);
  }

  /** The first of two strips is left out: no data, and not the file's first bytes. */
  @Test
  void aStripThatIsLeftOutHasNoData() {
    byte[] file =
        tiff(
            List.of(
                Tag.shorts(256, 16),
                Tag.shorts(257, 16),
                Tag.shorts(258, 8),
                Tag.shorts(259, 1),
                Tag.shorts(262, 1),
                new Tag(273, Tag.LONG, new int[] {0, 8}),
                Tag.shorts(277, 1),
                Tag.shorts(278, 8),
                new Tag(279, Tag.LONG, new int[] {0, 128})),
            new byte[128]);
    BandImage image = GeoTiff.open(file).read();
    assertEquals(0.5, image.undefined());
    assertTrue(Float.isNaN(image.value(0, 15, 7)));
    assertEquals(0, image.value(0, 0, 8));
    assertNamed(() -> ImageDecoder.decode(file, 16), "sparse", "1 of its 2", "SPARSE_OK=FALSE");
  }

  /** These have no cost that the TIFF's header says, or no reader. */
  @ParameterizedTest
  @ValueSource(ints = {6, 99, 34712, 34887, 50001})
  void compressionsOfUnknownCostAreRefused(int compression) throws IOException {
    byte[] jpeg = ImageDecoderTest.hugeJpeg();
    byte[] file = jpegInside(compression, jpeg);
    for (Executable read :
        List.<Executable>of(() -> GeoTiff.open(file), () -> ImageDecoder.decode(file, 16))) {
      String message = assertThrows(ImageFormatException.class, read).getMessage();
      assertTrue(message.contains("compression " + compression), message);
      assertTrue(message.contains("gdal_translate -co COMPRESS=DEFLATE"), message);
    }
  }

  /** Raster, floats, a strip, and the floats in decibels: the header says it. */
  @Test
  void saysWhatDecodingTakes() {
    int side = 5000;
    byte[] file =
        tiff(
            List.of(
                Tag.shorts(256, side),
                Tag.shorts(257, side),
                Tag.shorts(258, 16),
                Tag.shorts(259, 8),
                Tag.shorts(262, 1),
                new Tag(273, Tag.LONG, IntStream.generate(() -> 8).limit(50).toArray()),
                Tag.shorts(277, 1),
                Tag.shorts(278, 100),
                new Tag(279, Tag.LONG, IntStream.generate(() -> 8).limit(50).toArray())),
            new byte[8]);
    for (BandInput.Values values : BandInput.Values.values()) {
      SensorConfig sensor =
          new SensorConfig(
              "s1", 16, List.of(0.0), List.of(1.0), new BandInput(List.of("VV"), values));
      long pixels = (long) side * side;
      long least = pixels * (values == BandInput.Values.POWER_TO_DECIBEL ? 8 : 4);
      long bytes = new ImagePreprocessor(sensor).bytes(file);
      assertTrue(bytes > least && bytes < least + 5 * pixels, values + ": " + bytes + " bytes");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "-9999,true",
    "7,true",
    "nan,false",
    "-nan,false",
    "-1.#IND,false",
    "inf,false",
    "-inf,false",
    "-1.#INF,false",
    "-3.4028234663852886e+38,false"
  })
  void noDataIsWhatGdalsTagSays(String noData, boolean among) {
    short[] values = {-9999, 7, 1, 2};
    ByteBuffer body = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    for (short value : values) {
      body.putShort(value);
    }
    List<Tag> tags =
        List.of(
            Tag.shorts(256, 2),
            Tag.shorts(257, 2),
            Tag.shorts(258, 16),
            Tag.shorts(259, 1),
            Tag.shorts(262, 1),
            Tag.shorts(273, 8),
            Tag.shorts(277, 1),
            Tag.shorts(278, 2),
            Tag.shorts(279, 8),
            Tag.shorts(339, 2),
            new Tag(42113, Tag.ASCII, (noData + "\0").chars().toArray()));
    BandImage image = GeoTiff.open(tiff(tags, body.array())).read();
    assertEquals(among ? 0.25 : 0, image.undefined());
    for (int i = 0; i < 4; i++) {
      boolean missing = among && values[i] == Integer.parseInt(noData);
      assertEquals(missing ? Float.NaN : values[i], image.values()[i]);
    }
  }

  @Test
  void undefinedValuesAreNan() {
    BandImage image = random(2, 8, 8);
    image.values()[3] = Float.NaN;
    image.values()[70] = Float.NaN;
    BandImage read = GeoTiff.open(TestTiffs.write(image, TestTiffs.Values.FLOAT32)).read();
    assertTrue(Float.isNaN(read.values()[3]) && Float.isNaN(read.values()[70]));
    assertEquals(2 / 128.0, read.undefined());
  }

  @Test
  void damageIsNamed() {
    byte[] file = TestTiffs.write(random(2, 40, 40), TestTiffs.Values.FLOAT32);
    for (int trial = 0; trial < 200; trial++) {
      int length = random.nextInt(file.length);
      String what = length + " of " + file.length + " bytes, seed " + seed;
      byte[] cut = Arrays.copyOf(file, length);
      String message =
          assertThrows(ImageFormatException.class, () -> GeoTiff.open(cut).read(), what)
              .getMessage();
      assertTrue(message.contains("TIFF"), message);
    }
    for (int trial = 0; trial < 200; trial++) {
      byte[] bent = file.clone();
      bent[random.nextInt(bent.length)] ^= (byte) (1 + random.nextInt(255));
      try {
        GeoTiff tiff = GeoTiff.open(bent);
        tiff.read();
      } catch (ImageFormatException expected) {
        assertTrue(expected.getMessage().length() > 10, expected.getMessage());
      }
    }
  }

  /** A strip that claims 2 GiB, say: the JDK's reader would allocate them before it looks. */
  @ParameterizedTest
  @EnumSource(TestTiffs.Values.class)
  void noFieldMakesTheReaderAllocateWhatTheFileDoesNotHold(TestTiffs.Values values) {
    byte[] file = TestTiffs.write(random(2, 40, 40), values);
    for (int at = 8; at < 500; at++) {
      for (int bits : new int[] {0x7f, 0x40, 0x20}) {
        byte[] bent = file.clone();
        bent[at] ^= (byte) bits;
        try {
          GeoTiff.open(bent).read();
        } catch (ImageFormatException expected) {
          assertTrue(expected.getMessage().length() > 10, expected.getMessage());
        } catch (OutOfMemoryError e) {
          throw new AssertionError("byte " + at + " with bits " + bits + ", seed " + seed, e);
        }
      }
    }
  }

  /** 25 million floats are read, 81 million not, however few bits the file has for each. */
  @Test
  void whatAFileDecodesToIsBounded() {
    for (int side : new int[] {5000, 9000}) {
      byte[] file =
          tiff(
              List.of(
                  Tag.shorts(256, side),
                  Tag.shorts(257, side),
                  Tag.shorts(258, 1),
                  Tag.shorts(259, 8),
                  Tag.shorts(262, 1),
                  new Tag(273, Tag.LONG, new int[] {8}),
                  Tag.shorts(277, 1),
                  new Tag(279, Tag.LONG, new int[] {8})),
              new byte[8]);
      if (side == 5000) {
        assertEquals(side, GeoTiff.open(file).width());
      } else {
        String message =
            assertThrows(ImageFormatException.class, () -> GeoTiff.open(file)).getMessage();
        assertTrue(message.contains("9000 x 9000") && message.contains("cut it"), message);
      }
    }
  }

  @Test
  void resizeLeavesOutWhatIsUndefined() {
    float[] values = new float[2 * 16 * 16];
    Arrays.fill(values, 0, 256, 7f);
    Arrays.fill(values, 256, 512, -20f);
    values[5] = Float.NaN;
    Arrays.fill(values, 256, 256 + 8 * 16, Float.NaN);
    BandImage small = new BandImage(2, 16, 16, values).resize(4);
    for (int i = 0; i < 16; i++) {
      assertEquals(7f, small.values()[i], 1e-5f);
    }
    assertTrue(Float.isNaN(small.value(1, 0, 0)));
    assertEquals(-20f, small.value(1, 0, 3), 1e-5f);
  }

  @Test
  void resizeIsThatOfPictures() {
    byte[] rgb = new byte[3 * 23 * 31];
    float[] values = new float[rgb.length];
    for (int i = 0; i < rgb.length; i++) {
      int value = random.nextInt(256);
      rgb[i] = (byte) value;
      values[i % 3 * 23 * 31 + i / 3] = value;
    }
    RgbImage expected = new RgbImage(23, 31, rgb).resize(12);
    BandImage found = new BandImage(3, 23, 31, values).resize(12);
    for (int i = 0; i < expected.rgb().length; i++) {
      assertEquals(
          expected.rgb()[i] & 0xff, found.values()[i % 3 * 144 + i / 3], 0.501f, "" + seed);
    }
  }

  /** Every real file, with the JDK's own reader as the second opinion. */
  @Test
  void realFiles() throws IOException {
    Path folder =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"), "data", "georef");
    if (!Files.isDirectory(folder)) {
      System.out.println("skipped: " + folder + " is absent");
    }
    assumeTrue(Files.isDirectory(folder));
    List<Path> files = new ArrayList<>();
    try (Stream<Path> walk = Files.walk(folder)) {
      walk.filter(p -> p.toString().toLowerCase(Locale.ROOT).endsWith(".tif")).forEach(files::add);
    }
    for (Path path : files) {
      byte[] file = Files.readAllBytes(path);
      GeoTiff tiff = GeoTiff.open(file);
      BandImage image = tiff.read();
      ImageReader reader = ImageIO.getImageReadersByFormatName("tiff").next();
      reader.setInput(new MemoryCacheImageInputStream(new ByteArrayInputStream(file)), true, false);
      var raster = reader.read(0).getRaster();
      assertEquals(raster.getNumBands(), image.bands(), path.toString());
      for (int trial = 0; trial < 500; trial++) {
        int x = random.nextInt(image.width());
        int y = random.nextInt(image.height());
        int band = random.nextInt(image.bands());
        assertEquals(
            raster.getSampleFloat(x, y, band),
            image.value(band, x, y),
            path + " at " + x + ", " + y + ", band " + band + ", seed " + seed);
      }
    }
    System.out.println(files.size() + " files of " + folder + " read");
  }
}
