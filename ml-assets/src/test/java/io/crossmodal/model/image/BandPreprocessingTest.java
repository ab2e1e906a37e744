/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.TestTiffs;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class BandPreprocessingTest {
  private static SensorConfig sensor(BandInput.Values values, String... names) {
    List<Double> mean = Arrays.stream(names).map(name -> -12.0).toList();
    List<Double> std = Arrays.stream(names).map(name -> 4.0).toList();
    return new SensorConfig("s1", 16, mean, std, new BandInput(List.of(names), values));
  }

  private static byte[] file(BandImage image) {
    return TestTiffs.write(image);
  }

  private static BandImage flat(int bands, float value) {
    float[] values = new float[bands * 32 * 32];
    Arrays.fill(values, value);
    return new BandImage(bands, 32, 32, values);
  }

  @Test
  void zScoresOfAFile() {
    ImagePreprocessor s1 = new ImagePreprocessor(sensor(BandInput.Values.AS_STORED, "VV", "VH"));
    PixelTensor tensor = s1.preprocess(file(flat(2, -20)));
    assertEquals(2, tensor.channels());
    assertEquals(16, tensor.side());
    for (float value : tensor.values()) {
      assertEquals(-2, value, 1e-5f);
    }
  }

  @Test
  void powersBecomeDecibels() {
    ImagePreprocessor s1 = new ImagePreprocessor(sensor(BandInput.Values.POWER_TO_DECIBEL, "VV"));
    BandImage power = flat(1, 0.01f);
    power.values()[5] = 0;
    PixelTensor tensor = s1.preprocess(file(power));
    for (float value : tensor.values()) {
      assertEquals(-2, value, 1e-5f);
    }
  }

  @Test
  void aFewUndefinedPixelsBecomeTheMean() {
    ImagePreprocessor s1 = new ImagePreprocessor(sensor(BandInput.Values.AS_STORED, "VV", "VH"));
    BandImage image = flat(2, -20);
    Arrays.fill(image.values(), 0, 32 * 4, Float.NaN);
    PixelTensor tensor = s1.preprocess(file(image));
    assertEquals(0, tensor.values()[0]);
    assertEquals(-2, tensor.values()[255], 1e-5f);
    Arrays.fill(image.values(), 0, 32 * 16, Float.NaN);
    String message =
        assertThrows(ImageFormatException.class, () -> s1.preprocess(file(image))).getMessage();
    assertTrue(message.contains("VV") && message.contains("50 %"), message);
  }

  @Test
  void otherBandsAreRefused() throws IOException {
    ImagePreprocessor s1 = new ImagePreprocessor(sensor(BandInput.Values.AS_STORED, "VV", "VH"));
    String message =
        assertThrows(ImageFormatException.class, () -> s1.preprocess(file(flat(3, -20))))
            .getMessage();
    assertTrue(message.contains("3 bands") && message.contains("[VV, VH]"), message);
    BufferedImage grey = new BufferedImage(32, 32, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 1024; i++) {
      grey.getRaster().setSample(i % 32, i / 32, 0, 90);
    }
    ImagePreprocessor one = new ImagePreprocessor(sensor(BandInput.Values.AS_STORED, "VV"));
    assertEquals(102 / 4f, one.preprocess(png(grey)).values()[7], 1e-4f);
    BufferedImage red = new BufferedImage(32, 32, BufferedImage.TYPE_INT_RGB);
    red.setRGB(3, 3, 0xff0000);
    assertThrows(ImageFormatException.class, () -> one.preprocess(png(red)));
    ImagePreprocessor three =
        new ImagePreprocessor(sensor(BandInput.Values.AS_STORED, "B8", "B4", "B3"));
    assertEquals(3, three.preprocess(png(red)).channels());
    assertThrows(ImageFormatException.class, () -> s1.preprocess(png(red)));
  }

  private static byte[] png(BufferedImage image) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }
}
