/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.SensorConfig;
import java.util.List;

/** Which pixels an image tower was trained on; its checkpoint does not say. */
public enum PixelNormalisation {
  /** ImageNet's means and deviations: DeiT, DINO, most of timm. */
  IMAGENET,
  /** Mean and deviation 0.5: Google's ViT, and timm's {@code augreg} weights made from it. */
  HALF;

  /** That sensor with these means and deviations. */
  SensorConfig of(SensorConfig sensor) {
    if (this == IMAGENET) {
      SensorConfig rgb = SensorConfig.rgb(sensor.imageSize());
      return new SensorConfig(sensor.name(), sensor.imageSize(), rgb.mean(), rgb.std());
    }
    List<Double> half = List.of(0.5, 0.5, 0.5);
    return new SensorConfig(sensor.name(), sensor.imageSize(), half, half);
  }
}
