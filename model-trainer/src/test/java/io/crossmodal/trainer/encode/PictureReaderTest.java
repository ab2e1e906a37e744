/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Thumbnails;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.Color;
import java.awt.GradientPaint;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PictureReaderTest {
  private static final SensorConfig RGB = SensorConfig.rgb(32);

  private static PictureReader reader(Look look) {
    return new PictureReader(new ImagePreprocessor(RGB), RGB, look);
  }

  private static BufferedImage thumbnail(PictureReader.Seen seen) throws IOException {
    byte[] file = Base64.getDecoder().decode(seen.thumbnail());
    assertEquals((byte) 0xd8, file[1], "a JPEG");
    return ImageIO.read(new ByteArrayInputStream(file));
  }

  /** A thumbnail is small, has the picture's proportions and its colours, not the tower's. */
  @ParameterizedTest
  @CsvSource({"600, 300, 192, 96", "150, 2000, 14, 192", "100, 60, 100, 60"})
  void thumbnailsAreThePictureInSmall(int width, int height, int wide, int high) throws Exception {
    BufferedImage drawn = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = drawn.createGraphics();
    graphics.setPaint(new GradientPaint(0, 0, Color.ORANGE, width, height, Color.BLUE));
    graphics.fillRect(0, 0, width, height);
    graphics.dispose();
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    ImageIO.write(drawn, "png", file);
    Look look = new Look(192, Optional.empty(), List.of());
    PictureReader.Seen seen = reader(look).picture(List.of(file.toByteArray()));
    BufferedImage small = thumbnail(seen);
    assertEquals(wide, small.getWidth());
    assertEquals(high, small.getHeight());
    assertTrue(seen.thumbnail().length() < 8 << 10, "bytes: " + seen.thumbnail().length());
    Color corner = new Color(small.getRGB(0, 0));
    assertEquals(255, corner.getRed(), 25);
    assertTrue(corner.getBlue() < 60, corner.toString());
    PictureReader.Seen plain = reader(Look.PLAIN).picture(List.of(file.toByteArray()));
    assertArrayEquals(plain.pixels().values(), seen.pixels().values(), "the tower sees the same");
    assertEquals("", plain.thumbnail());
  }

  /** Also of noise, which no JPEG packs well: about 5 kB, as it is promised. */
  @Test
  void thumbnailsStaySmall() {
    SplittableRandom random = new SplittableRandom(MicroTraining.seed());
    byte[] rgb = new byte[3 * 256 * 256];
    random.nextBytes(rgb);
    int bytes = new Thumbnails(192).of(new RgbImage(256, 256, rgb)).length() * 3 / 4;
    assertTrue(bytes < 12 << 10, "noise: " + bytes);
    assertEquals("", new Thumbnails(0).of(new RgbImage(256, 256, rgb)));
    for (int none : new int[] {-1, 15, 1025}) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> new Thumbnails(none));
      assertTrue(refused.getMessage().endsWith("got " + none), refused.getMessage());
    }
  }

  private static byte[] measured(int bands) {
    float[] values = new float[bands * 40 * 40];
    for (int i = 0; i < values.length; i++) {
      values[i] = i % 40 * 100;
    }
    return GeoTiffWriter.write(
        new BandImage(bands, 40, 40, values), GeoTiffWriter.Values.UINT16, null);
  }

  /** Values of 16 bits are refused, saying what to do, or stretched as it was said. */
  @Test
  void stretchesMeasuredValues() throws Exception {
    byte[] file = measured(1);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> reader(Look.PLAIN).picture(List.of(file)));
    assertTrue(refused.getMessage().contains("these are measured values"), refused.getMessage());
    Look look = new Look(192, Optional.of(Stretch.of("1000:3000")), List.of());
    PictureReader.Seen seen = reader(look).picture(List.of(file));
    assertEquals(Optional.of(Stretch.of("1000:3000")), seen.stretch());
    BufferedImage shown = thumbnail(seen);
    assertEquals(0, shown.getRGB(5, 20) & 0xff, 8, "below");
    assertEquals(128, shown.getRGB(20, 20) & 0xff, 12, "in the middle");
    assertEquals(255, shown.getRGB(35, 20) & 0xff, 8, "above");
    Look percentiles = new Look(0, Optional.of(Stretch.of("0%:100%")), List.of());
    assertEquals(
        Optional.of(Stretch.of("0:3900")), reader(percentiles).picture(List.of(file)).stretch());
    refused =
        assertThrows(
            IllegalArgumentException.class, () -> reader(look).picture(List.of(measured(4))));
    assertTrue(refused.getMessage().contains("name them, as by --rgb 3,2,1"), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "0", "3000:0", "5:5", "a:b", "-1%:50%", "2%:101%", "2%:98", "NaN:1"})
  void refusesStretchesThatAreNone(String text) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> Stretch.of(text));
    assertTrue(refused.getMessage().contains("stretch"), refused.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"0:3000", "2%:98%", "-25.5:0", "0.5%:99.5%"})
  void writesStretchesAsItReadsThem(String text) {
    assertEquals(text, Stretch.of(text).toString());
    assertEquals(Stretch.of(text), Stretch.of(Stretch.of(text).toString()));
  }

  /** A sensor of measured values takes them as they are. */
  @Test
  void stretchesNoValuesOfASensorThatTakesThem() {
    SensorConfig radar =
        new SensorConfig(
            "s1",
            32,
            List.of(0.0, 0.0),
            List.of(1.0, 1.0),
            new BandInput(List.of("VV", "VH"), BandInput.Values.AS_STORED));
    Look look = new Look(0, Optional.of(Stretch.of("0:1")), List.of());
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> new PictureReader(new ImagePreprocessor(radar), radar, look));
    assertTrue(refused.getMessage().contains("sensor [s1] takes measured values"));
  }
}
