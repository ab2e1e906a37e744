/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import io.crossmodal.model.fixtures.AllocatedBytes;
import io.crossmodal.model.fixtures.Seeds;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Against what Pillow makes of pictures; {@code resize/make_resize.py} made the cases. */
class PictureResizeTest {
  private static final long SEED = Seeds.next();

  private final SplittableRandom random = new SplittableRandom(SEED);

  private static SensorConfig sensor(int side, Resize.Filter filter, Resize.Fit fit) {
    return SensorConfig.clip(side).withResize(new Resize(filter, fit));
  }

  /** As {@code picture} of make_resize.py. */
  private static RgbImage picture(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    long state = 1000L * width + height;
    for (int i = 0; i < width * height; i++) {
      int x = i % width;
      int y = i / width;
      state = (state * 1_103_515_245 + 12_345) % (1L << 31);
      rgb[3 * i] = (byte) ((x / 3 + y / 5) % 2 == 1 ? 255 : 0);
      rgb[3 * i + 1] = (byte) (3 * x + 5 * y);
      rgb[3 * i + 2] = (byte) (state >> 16);
    }
    return new RgbImage(width, height, rgb);
  }

  static Stream<String[]> pillowCases() throws IOException {
    try (InputStream in = PictureResizeTest.class.getResourceAsStream("resize/pillow-cases.txt")) {
      String text = new String(in.readAllBytes(), StandardCharsets.US_ASCII);
      return text.lines().map(line -> line.split(" "));
    }
  }

  @Test
  void equalsPillowToTheBit() throws IOException {
    List<String[]> cases = pillowCases().toList();
    assertEquals(204, cases.size());
    for (String[] fields : cases) {
      RgbImage before = picture(Integer.parseInt(fields[0]), Integer.parseInt(fields[1]));
      int side = Integer.parseInt(fields[2]);
      SensorConfig sensor =
          sensor(side, Resize.Filter.valueOf(fields[3]), Resize.Fit.valueOf(fields[4]));
      RgbImage found = new ImagePreprocessor(sensor).sized(before);
      assertEquals(side, found.width());
      assertEquals(side, found.height());
      assertArrayEquals(
          Base64.getDecoder().decode(fields[5]),
          found.rgb(),
          String.join(" ", Arrays.copyOf(fields, 5)));
    }
  }

  /** The pictures of three models in miniature and what OpenCLIP makes of them. */
  @ParameterizedTest
  @ValueSource(strings = {"openclip-gelu-b", "openclip-quickgelu"})
  void equalsOpenClip(String model) throws IOException {
    Path clip = Path.of(System.getProperty("crossmodal.shared", "../../shared"), "fixtures/clip");
    Path file = clip.resolve(model).resolve("golden.safetensors");
    if (!Files.exists(file)) {
      System.out.println("skipped: no " + file + " (set -Dcrossmodal.shared)");
      return;
    }
    ByteBuffer tensors = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) tensors.getLong(0);
    JsonObject pixels =
        JsonParser.parseString(StandardCharsets.UTF_8.decode(tensors.slice(8, header)).toString())
            .getAsJsonObject()
            .getAsJsonObject("pixels");
    int from = pixels.getAsJsonArray("data_offsets").get(0).getAsInt();
    FloatBuffer expected =
        tensors.position(8 + header + from).slice().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    int side = pixels.getAsJsonArray("shape").get(3).getAsInt();
    SensorConfig sensor = SensorConfig.clip(side);
    ImagePreprocessor preprocessor = new ImagePreprocessor(sensor);
    List<Path> pictures;
    try (Stream<Path> files = Files.list(clip.resolve("pictures"))) {
      pictures = files.sorted().toList();
    }
    assertEquals(pixels.getAsJsonArray("shape").get(0).getAsInt(), pictures.size());
    double most = 0;
    for (Path picture : pictures) {
      float[] values = preprocessor.preprocess(Files.readAllBytes(picture)).values();
      for (int i = 0; i < values.length; i++) {
        double grey = 255 * sensor.std().get(i / (side * side));
        most = Math.max(most, grey * Math.abs(values[i] - expected.get()));
      }
    }
    System.out.println(model + ": at most " + most + " grey levels from OpenCLIP's pixels");
    assertTrue(most < 0.01, most + " grey levels");
  }

  @ParameterizedTest
  @EnumSource(Resize.Fit.class)
  void constantsStayConstantAtEverySize(Resize.Fit fit) {
    for (int run = 0; run < 60; run++) {
      int width = run % 5 == 0 ? 1 : random.nextInt(1, 300);
      int height = run % 7 == 0 ? 1 : random.nextInt(1, 300);
      int side = random.nextInt(1, 70);
      byte value = (byte) random.nextInt(256);
      byte[] rgb = new byte[3 * width * height];
      Arrays.fill(rgb, value);
      for (Resize.Filter filter : Resize.Filter.values()) {
        SensorConfig sensor = sensor(side, filter, fit);
        RgbImage found = new ImagePreprocessor(sensor).sized(new RgbImage(width, height, rgb));
        String what = width + " x " + height + " to " + side + " by " + filter;
        assertEquals(side, found.width(), what);
        assertEquals(side, found.height(), what);
        for (int i = 0; i < found.rgb().length; i++) {
          byte beside = (byte) Math.round(255 * sensor.mean().get(i % 3));
          assertTrue(
              found.rgb()[i] == value || (fit == Resize.Fit.PAD && found.rgb()[i] == beside), what);
        }
      }
    }
  }

  /** An overshoot that ran over would be dark where all is bright. */
  @Test
  void whatOvershootsIsCutOff() {
    for (int run = 0; run < 60; run++) {
      int width = random.nextInt(1, 200);
      int height = random.nextInt(1, 200);
      int edge = random.nextInt(0, width);
      byte[] rgb = new byte[3 * width * height];
      for (int i = 0; i < rgb.length; i++) {
        rgb[i] = (byte) (i / 3 % width < edge ? 0 : 255);
      }
      int side = random.nextInt(1, 60);
      SensorConfig sensor = sensor(side, Resize.Filter.BICUBIC, Resize.Fit.SQUASH);
      byte[] found = new ImagePreprocessor(sensor).sized(new RgbImage(width, height, rgb)).rgb();
      for (int x = 0; x < side; x++) {
        double centre = (x + 0.5) * width / side;
        // Beyond the filter's first lobe either side keeps its colour within its overshoot.
        double reach = 1.01 * Math.max(1, (double) width / side);
        int value = found[3 * x] & 0xff;
        if (centre + reach < edge) {
          assertTrue(value < 40, value + " left of the edge");
        } else if (centre - reach > edge) {
          assertTrue(value > 215, value + " right of the edge");
        }
      }
    }
  }

  @Test
  void theSameSizeIsLeftAlone() {
    RgbImage image = picture(24, 24);
    for (Resize.Fit fit : Resize.Fit.values()) {
      assertSame(image, new ImagePreprocessor(sensor(24, Resize.Filter.BICUBIC, fit)).sized(image));
    }
  }

  private static byte[] png(RgbImage image) throws IOException {
    BufferedImage picture =
        new BufferedImage(image.width(), image.height(), BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < image.width() * image.height(); i++) {
      int colour = 0;
      for (int c = 0; c < 3; c++) {
        colour = colour << 8 | (image.rgb()[3 * i + c] & 0xff);
      }
      picture.setRGB(i % image.width(), i / image.width(), colour);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(picture, "png", out);
    return out.toByteArray();
  }

  /** This library's own resize reads every 9th column of the first; a crop would be another one. */
  @Test
  void filesAreReadWholeUpToFourMillionPixels() throws IOException {
    ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.clip(16));
    for (int[] size : new int[][] {{640, 211}, {211, 640}, {9_000, 16}}) {
      RgbImage image = picture(size[0], size[1]);
      assertArrayEquals(preprocessor.sized(image).rgb(), preprocessor.decode(png(image)).rgb());
    }
  }

  @Test
  void aLargerFileIsThinnedAlikeAlongBothSides() throws IOException {
    ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.clip(16));
    RgbImage image = picture(2049, 2048);
    byte[] thin = new byte[3 * 1025 * 1024];
    for (int i = 0; i < thin.length; i++) {
      int pixel = i / 3;
      thin[i] = image.rgb()[3 * (2 * (pixel / 1025) * 2049 + 2 * (pixel % 1025)) + i % 3];
    }
    assertArrayEquals(
        preprocessor.sized(new RgbImage(1025, 1024, thin)).rgb(),
        preprocessor.decode(png(image)).rgb());
  }

  /** Whatever a file's header says, what is kept of it is bounded and enough to be resized. */
  @Test
  void whatIsReadIsBoundedAndNoNarrowerThanTheModelSees() {
    PictureResize clip = new PictureResize(SensorConfig.clip(224));
    assertEquals(new ImageDecoder.Steps(1, 1), clip.of(2048, 2048));
    assertEquals(new ImageDecoder.Steps(2, 2), clip.of(2048, 2049));
    assertEquals(new ImageDecoder.Steps(5, 5), clip.of(10_000, 10_000));
    for (int run = 0; run < 2000; run++) {
      int side = random.nextInt(1, 600);
      int width = random.nextInt(16, 10_001);
      int height = random.nextInt(16, 10_001);
      PictureResize resize = new PictureResize(SensorConfig.clip(side));
      ImageDecoder.Steps steps = resize.of(width, height);
      long wide = Math.ceilDiv(width, steps.x());
      long high = Math.ceilDiv(height, steps.y());
      String what = width + " x " + height + " to " + side + " with " + steps;
      assertEquals(steps.x(), steps.y(), what);
      assertTrue(steps.x() == 1 || Math.min(wide, high) >= side, what);
      long most = Math.max(PictureResize.WHOLE_PIXELS, 64L * side * side);
      // A strip of less than 2 S rows is read whole.
      assertTrue(wide * high <= Math.max(most, 2L * side * 10_000), what);
      assertTrue(steps.x() == 1 || (long) width * height > most, what);
    }
  }

  @ParameterizedTest
  @EnumSource(Resize.Fit.class)
  void takesNoMoreMemoryThanItSays(Resize.Fit fit) throws IOException {
    AllocatedBytes allocated = new AllocatedBytes();
    for (int[] size : new int[][] {{1500, 1100}, {3000, 20}, {20, 3000}, {30, 40}}) {
      byte[] file = png(picture(size[0], size[1]));
      for (int side : new int[] {16, 224}) {
        ImagePreprocessor preprocessor =
            new ImagePreprocessor(sensor(side, Resize.Filter.BICUBIC, fit));
        PictureResize resize = new PictureResize(sensor(side, Resize.Filter.BICUBIC, fit));
        RgbImage picture = picture(size[0], size[1]);
        long said = resize.bytes(size[0], size[1]) + 2 * 3L * side * side;
        String what = " bytes, said " + said + " for " + size[0] + " x " + size[1] + " to " + side;
        resize.apply(picture);
        long before = allocated.ofThisThread();
        long own = allocated.ofThisThread() - before;
        before = allocated.ofThisThread();
        resize.apply(picture);
        long taken = allocated.ofThisThread() - before - own;
        assertTrue(taken <= said, taken + what);
        // Decoding and the tensor are on top of it.
        assertTrue(preprocessor.bytes(file) > said + 2L * size[0] * size[1], said + what);
      }
    }
  }
}
