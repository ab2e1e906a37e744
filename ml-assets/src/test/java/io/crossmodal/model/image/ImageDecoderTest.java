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

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.Seeds;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {
  private static final long SEED = Seeds.next();
  private static final int WIDTH = 33;
  private static final int HEIGHT = 21;

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static byte[] file(BufferedImage image, String format) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    assertTrue(ImageIO.write(image, format, bytes), "no writer for " + format);
    return bytes.toByteArray();
  }

  /** Large smooth areas, so that JPEG stays close. */
  private static int colour(int x, int y) {
    return (40 + 4 * x) << 16 | (200 - 5 * y) << 8 | (60 + 2 * x + 2 * y);
  }

  private static BufferedImage picture(int type) {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, type);
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        image.setRGB(x, y, 0xff000000 | colour(x, y));
      }
    }
    return image;
  }

  private static void assertPicture(RgbImage image, int tolerance) {
    assertEquals(WIDTH, image.width());
    assertEquals(HEIGHT, image.height());
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        for (int c = 0; c < 3; c++) {
          int expected = (colour(x, y) >> (16 - 8 * c)) & 0xff;
          int found = image.rgb()[3 * (y * WIDTH + x) + c] & 0xff;
          assertEquals(expected, found, tolerance, "x " + x + " y " + y + " channel " + c);
        }
      }
    }
  }

  private static void assertRefused(byte[] bytes, String... parts) {
    String message =
        assertThrows(ImageFormatException.class, () -> ImageDecoder.decode(bytes, 16)).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    assertTrue(message.contains("JPEG, PNG and TIFF"), message);
  }

  @ParameterizedTest
  @CsvSource({"png, 0", "tiff, 0", "jpeg, 12"})
  void decodesColour(String format, int tolerance) throws IOException {
    byte[] file = file(picture(BufferedImage.TYPE_INT_RGB), format);
    assertPicture(ImageDecoder.decode(file, 16), tolerance);
  }

  @ParameterizedTest
  @ValueSource(strings = {"png", "tiff"})
  void whatIsOpaqueKeepsItsColours(String format) throws IOException {
    assertPicture(ImageDecoder.decode(file(picture(BufferedImage.TYPE_4BYTE_ABGR), format), 16), 0);
  }

  @ParameterizedTest
  @CsvSource({"png, 0", "tiff, 0", "jpeg, 3"})
  void greyKeepsItsValues(String format, int tolerance) throws IOException {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_BYTE_GRAY);
    for (int y = 0; y < HEIGHT; y++) {
      for (int x = 0; x < WIDTH; x++) {
        image.getRaster().setSample(x, y, 0, 7 * x);
      }
    }
    RgbImage decoded = ImageDecoder.decode(file(image, format), 16);
    for (int i = 0; i < decoded.rgb().length; i++) {
      assertEquals(7 * (i / 3 % WIDTH), decoded.rgb()[i] & 0xff, tolerance);
    }
  }

  private static BufferedImage sixteenBits(int step) {
    BufferedImage grey = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_USHORT_GRAY);
    for (int x = 0; x < WIDTH; x++) {
      for (int y = 0; y < HEIGHT; y++) {
        grey.getRaster().setSample(x, y, 0, step * x);
      }
    }
    return grey;
  }

  @ParameterizedTest
  @ValueSource(strings = {"png", "tiff"})
  void sixteenBitsOfAPictureAreScaledToEight(String format) throws IOException {
    RgbImage decoded = ImageDecoder.decode(file(sixteenBits(257 * 7), format), 16);
    for (int i = 0; i < decoded.rgb().length; i++) {
      assertEquals(7 * (i / 3 % WIDTH), decoded.rgb()[i] & 0xff, 1);
    }
  }

  /** Reflectances of 0 to 10,000, say, would be a black picture; in either format. */
  @ParameterizedTest
  @ValueSource(strings = {"png", "tiff"})
  void sixteenBitsThatStayFarBelowWhiteAreRefused(String format) throws IOException {
    assertRefused(
        file(sixteenBits(300), format), "16 bits", "to about 9", "gdal_translate -ot Byte -scale");
  }

  @Test
  void decodesPalettes() throws IOException {
    BufferedImage image = new BufferedImage(20, 20, BufferedImage.TYPE_BYTE_INDEXED);
    image.setRGB(0, 0, 0xffff0000);
    image.setRGB(1, 0, 0xff0000ff);
    byte[] rgb = ImageDecoder.decode(file(image, "png"), 16).rgb();
    assertArrayEquals(new byte[] {-1, 0, 0, 0, 0, -1, 0, 0, 0}, Arrays.copyOf(rgb, 9));
  }

  @Test
  void refusesSidesThatAreTooSmallOrTooLarge() throws IOException {
    assertRefused(
        file(new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB), "png"), "1 x 1", "16 to 10000");
    assertRefused(file(new BufferedImage(15, 400, BufferedImage.TYPE_INT_RGB), "jpeg"), "15 x 400");
    RgbImage smallest =
        ImageDecoder.decode(file(new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB), "png"), 16);
    assertEquals(16, smallest.width());
    assertRefused(png(20_000, 20_000, new byte[0]), "20000 x 20000", "16 to 10000");
    assertRefused(png(100, 10_001, new byte[0]), "100 x 10001");
    assertRefused(png(Integer.MAX_VALUE, Integer.MAX_VALUE, new byte[0]), "2147483647");
  }

  /** A PNG of black RGB pixels whose data may be short. */
  private static byte[] png(int width, int height, byte[] data) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'});
    ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height);
    chunk(out, "IHDR", header.put(new byte[] {8, 2, 0, 0, 0}).array());
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(packed)) {
      deflater.write(data);
    }
    chunk(out, "IDAT", packed.toByteArray());
    chunk(out, "IEND", new byte[0]);
    return out.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream out, String type, byte[] content)
      throws IOException {
    byte[] name = type.getBytes(StandardCharsets.US_ASCII);
    CRC32 crc = new CRC32();
    crc.update(name);
    crc.update(content);
    out.write(ByteBuffer.allocate(4).putInt(content.length).array());
    out.write(name);
    out.write(content);
    out.write(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }

  @Test
  void aLargePictureIsSubsampledWhileItIsRead() throws IOException {
    int side = 6000;
    // 108 MB of pixels in a file of about 100 kB.
    byte[] file = png(side, side, new byte[side * (1 + 3 * side)]);
    assertTrue(file.length < 200_000);
    RgbImage decoded = ImageDecoder.decode(file, 32);
    assertTrue(decoded.width() >= 4 * 32 && decoded.width() < 8 * 32, decoded.width() + " wide");
    assertEquals(decoded.width(), decoded.height());
  }

  /** A file of 100 kB may take much or little: the header says it before a pixel is decoded. */
  @Test
  void saysWhatDecodingTakes() throws IOException {
    ImagePreprocessor rgb = new ImagePreprocessor(SensorConfig.rgb(32));
    long small = rgb.bytes(file(picture(BufferedImage.TYPE_INT_RGB), "png"));
    long large = rgb.bytes(png(6000, 6000, new byte[0]));
    assertTrue(small > 3 * WIDTH * HEIGHT && small < 1 << 20, small + " bytes");
    assertTrue(large > 3 * 128 * 128 && large < 4 << 20, large + " bytes, as it is subsampled");
    // One strip, which is unpacked as a whole, whatever of it is kept.
    BufferedImage strip = new BufferedImage(3000, 3000, BufferedImage.TYPE_BYTE_GRAY);
    long unpacked = rgb.bytes(GeoTiffTest.compress(strip, "Deflate", 3000));
    assertTrue(unpacked > 3000 * 3000 && unpacked < 3 * 3000 * 3000, unpacked + " bytes");
    // Of a progressive JPEG all coefficients.
    long progressive = rgb.bytes(jpeg(1000, true));
    assertTrue(progressive > 6_000_000, progressive + " bytes");
    assertThrows(ImageFormatException.class, () -> rgb.bytes(new byte[100]));
    assertThrows(ImageFormatException.class, () -> rgb.bytes(png(20_000, 10, new byte[0])));
  }

  /**
   * A long strip costs no more than a square: 9,000 x 64 at side 16 is read in every 140th column.
   */
  @Test
  void eachAxisIsSubsampledForItself() throws IOException {
    BufferedImage strip = new BufferedImage(9000, 64, BufferedImage.TYPE_INT_RGB);
    RgbImage image = ImageDecoder.decode(file(strip, "png"), 16);
    assertEquals(64, image.height());
    assertTrue(image.width() >= 64 && image.width() < 128, "width " + image.width());
  }

  static byte[] jpeg(int side, boolean progressive) throws IOException {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (ImageOutputStream stream = ImageIO.createImageOutputStream(out)) {
      writer.setOutput(stream);
      ImageWriteParam param = writer.getDefaultWriteParam();
      if (progressive) {
        param.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
      }
      BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
      for (int i = 0; i < side; i++) {
        image.setRGB(i, i, 0xffffff);
      }
      writer.write(null, new IIOImage(image, null, null), param);
    } finally {
      writer.dispose();
    }
    return out.toByteArray();
  }

  /** Progressive, of 64 x 64 pixels, with a frame that says 9,000 x 9,000. */
  static byte[] hugeJpeg() throws IOException {
    byte[] huge = jpeg(64, true);
    int frame = 0;
    while ((huge[frame] & 0xff) != 0xff || (huge[frame + 1] & 0xff) != 0xc2) {
      frame++;
    }
    ByteBuffer.wrap(huge).putShort(frame + 5, (short) 9000).putShort(frame + 7, (short) 9000);
    return huge;
  }

  @Test
  void countsTheScansOfAJpeg() throws IOException {
    assertFalse(new JpegFile(jpeg(64, false)).several());
    byte[] progressive = jpeg(64, true);
    JpegFile scans = new JpegFile(progressive);
    assertTrue(scans.several() && scans.scans() > 1, scans.scans() + " scans");
    assertEquals(64, ImageDecoder.decode(progressive, 64).width());
  }

  /** A header of some hundred bytes that says 9,000 x 9,000 would cost half a gigabyte. */
  @Test
  void aProgressiveJpegMayNotBeHugeNorHaveScansWithoutEnd() throws IOException {
    byte[] file = jpeg(64, true);
    assertRefused(hugeJpeg(), "progressive", "9000 x 9000", "baseline");
    // The last scan again and again, before the end marker.
    int last = file.length - 3;
    while ((file[last] & 0xff) != 0xff || (file[last + 1] & 0xff) != 0xda) {
      last--;
    }
    ByteArrayOutputStream endless = new ByteArrayOutputStream();
    endless.write(file, 0, file.length - 2);
    for (int i = 0; i < 70_000; i++) {
      endless.write(file, last, file.length - 2 - last);
    }
    endless.write(file, file.length - 2, 2);
    assertRefused(endless.toByteArray(), "progressive", "64 x 64", "scans");
  }

  @Test
  void refusesWhatIsNoPictureItTakes() throws IOException {
    assertRefused(new byte[0], "0 bytes");
    assertRefused("not a picture".getBytes(StandardCharsets.UTF_8), "13 bytes", "no image");
    assertRefused(file(picture(BufferedImage.TYPE_INT_RGB), "gif"), "is GIF", "magick");
    assertRefused(file(picture(BufferedImage.TYPE_INT_RGB), "bmp"), "is BMP", "magick");
  }

  @ParameterizedTest
  @ValueSource(strings = {"png", "tiff", "jpeg"})
  void damageIsNeverMoreThanAnImageFormatException(String format) throws IOException {
    byte[] file = file(picture(BufferedImage.TYPE_INT_RGB), format);
    for (int run = 0; run < 300; run++) {
      byte[] damaged = file.clone();
      // Most damage in the headers, where lengths and offsets stand.
      for (int hits = random.nextInt(1, 4); hits > 0; hits--) {
        int within = random.nextBoolean() ? Math.min(200, file.length) : file.length;
        damaged[random.nextInt(within)] = (byte) random.nextInt(256);
      }
      if (run % 3 == 0) {
        damaged = Arrays.copyOf(damaged, random.nextInt(damaged.length));
      }
      try {
        ImageDecoder.decode(damaged, 16);
      } catch (ImageFormatException e) {
        assertTrue(e.getMessage().contains("accepted"), e.getMessage());
      } catch (RuntimeException e) {
        throw new AssertionError(format + ", run " + run, e);
      }
    }
  }

  @Test
  void aTruncatedFileIsRefused() throws IOException {
    for (String format : new String[] {"jpeg", "png", "tiff"}) {
      byte[] file = file(picture(BufferedImage.TYPE_INT_RGB), format);
      for (int length : new int[] {100, file.length / 2, file.length * 3 / 4, file.length - 2}) {
        assertRefused(Arrays.copyOf(file, length), "damaged");
      }
    }
    byte[] progressive = jpeg(64, true);
    assertRefused(Arrays.copyOf(progressive, progressive.length / 2), "cut short");
  }

  /** Browsers take the samples for complements of ink, others for ink. */
  @Test
  void inksWithoutAdobesMarkerAreRefused() throws IOException {
    byte[] jpeg = ReferenceFilesTest.file("cmyk-adobe.jpg");
    int marker = new String(jpeg, StandardCharsets.ISO_8859_1).indexOf("Adobe") - 4;
    jpeg[marker + 4] = 'a';
    assertRefused(jpeg, "four inks without Adobe's marker");
  }

  /** A hole in the middle, as of a download; also where the end marker is there. */
  @Test
  void aJpegWithAHoleIsRefused() throws IOException {
    BufferedImage noise = new BufferedImage(96, 96, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 96 * 96; i++) {
      noise.setRGB(i % 96, i / 96, random.nextInt(1 << 24));
    }
    byte[] jpeg = file(noise, "jpeg");
    byte[] zeroed = jpeg.clone();
    Arrays.fill(zeroed, jpeg.length / 2, jpeg.length, (byte) 0);
    assertRefused(zeroed, "damaged JPEG");
    zeroed[jpeg.length - 2] = (byte) 0xff;
    zeroed[jpeg.length - 1] = (byte) 0xd9;
    assertRefused(zeroed, "damaged JPEG");
    byte[] cut = Arrays.copyOf(jpeg, jpeg.length / 2);
    cut[cut.length - 2] = (byte) 0xff;
    cut[cut.length - 1] = (byte) 0xd9;
    assertRefused(cut, "damaged JPEG");
  }

  /** Of a progressive file the first scans alone, and an end marker. */
  @Test
  void aProgressiveJpegMustHaveAllItsScans() throws IOException {
    byte[] jpeg = jpeg(64, true);
    int scans = 0;
    for (int at = 0; at + 1 < jpeg.length; at++) {
      if (jpeg[at] == (byte) 0xff && jpeg[at + 1] == (byte) 0xda && ++scans > 1) {
        byte[] cut = Arrays.copyOf(jpeg, at + 2);
        cut[at + 1] = (byte) 0xd9;
        assertRefused(cut, "refine");
      }
    }
    assertTrue(scans > 2, scans + " scans");
  }

  @Test
  void aPngChunkThatWasChangedIsRefused() throws IOException {
    byte[] png = file(picture(BufferedImage.TYPE_INT_RGB), "png");
    png[png.length / 2] ^= 1;
    assertRefused(png, "damaged PNG", "check sum");
  }

  @Test
  void normalisesByChannel() {
    byte[] rgb = new byte[3 * 16 * 16];
    for (int i = 0; i < rgb.length; i++) {
      rgb[i] = (byte) random.nextInt(256);
    }
    SensorConfig sensor = SensorConfig.rgb(16);
    PixelTensor tensor = new ImagePreprocessor(sensor).normalise(new RgbImage(16, 16, rgb));
    assertEquals(3, tensor.channels());
    assertEquals(16, tensor.side());
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < 256; i++) {
        double expected =
            ((rgb[3 * i + c] & 0xff) / 255.0 - sensor.mean().get(c)) / sensor.std().get(c);
        assertEquals(expected, tensor.values()[c * 256 + i], 1e-5);
      }
    }
  }

  @Test
  void refusesASensorThatPictureFilesDoNotFeed() {
    SensorConfig s1 =
        new SensorConfig("s1", 16, java.util.List.of(0., 0.), java.util.List.of(1., 1.));
    String message =
        assertThrows(IllegalArgumentException.class, () -> new ImagePreprocessor(s1)).getMessage();
    assertTrue(message.contains("[s1] has 2 channels"), message);
  }

  @Test
  void manyThreadsGetTheSameTensor() throws IOException {
    byte[] file = file(picture(BufferedImage.TYPE_INT_RGB), "jpeg");
    ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.rgb(24));
    float[] expected = preprocessor.preprocess(file).values();
    IntStream.range(0, 64)
        .parallel()
        .forEach(i -> assertArrayEquals(expected, preprocessor.preprocess(file).values()));
  }

  @Test
  void extentsMustDescribeTheValues() {
    assertThrows(IllegalArgumentException.class, () -> new RgbImage(2, 2, new byte[11]));
    assertThrows(IllegalArgumentException.class, () -> new RgbImage(1 << 16, 1 << 16, new byte[0]));
    assertThrows(IllegalArgumentException.class, () -> new PixelTensor(3, 2, new float[11]));
    assertThrows(IllegalArgumentException.class, () -> new PixelTensor(1, 1 << 16, new float[0]));
  }
}
