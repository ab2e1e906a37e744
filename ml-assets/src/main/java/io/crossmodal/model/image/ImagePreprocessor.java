/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import io.crossmodal.model.SensorConfig;
import java.util.Locale;

/**
 * From a picture file to what a sensor's tower takes: decode, resize to S x S, scale to 0..1,
 * subtract the mean, divide by the deviation. Thread-safe; the trainer uses the same code, so a
 * picture has the same tensor everywhere.
 */
public final class ImagePreprocessor {
  private final SensorConfig sensor;

  /**
   * A preprocessor for one sensor.
   *
   * @throws IllegalArgumentException when the sensor has another number of channels than the three
   *     that picture files give
   */
  public ImagePreprocessor(SensorConfig sensor) {
    this.sensor = sensor;
    if (sensor.channels() != 3) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor [%s] has %d channels; picture files give 3",
              sensor.name(),
              sensor.channels()));
    }
  }

  /**
   * From a picture file to a tensor.
   *
   * @throws ImageFormatException when the bytes are no picture we take
   */
  public PixelTensor preprocess(byte[] file) {
    return normalise(decode(file));
  }

  /**
   * Decoded and resized to S x S, not yet normalised: what the trainer keeps in memory.
   *
   * @throws ImageFormatException when the bytes are no picture we take
   */
  public RgbImage decode(byte[] file) {
    return ImageDecoder.decode(file, sensor.imageSize()).resize(sensor.imageSize());
  }

  /** Interleaved bytes to normalised planes. */
  public PixelTensor normalise(RgbImage image) {
    int area = image.width() * image.height();
    float[] values = new float[3 * area];
    byte[] rgb = image.rgb();
    for (int c = 0; c < 3; c++) {
      float scale = (float) (1 / (255 * sensor.std().get(c)));
      float shift = (float) (-sensor.mean().get(c) / sensor.std().get(c));
      for (int i = 0; i < area; i++) {
        values[c * area + i] = (rgb[3 * i + c] & 0xff) * scale + shift;
      }
    }
    return new PixelTensor(3, image.width(), values);
  }
}
