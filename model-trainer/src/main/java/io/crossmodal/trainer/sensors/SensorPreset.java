/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.util.List;

/** Shapes of models for sensors. */
public enum SensorPreset {
  /** The smallest, for tests; 16 pixels. */
  MICRO(16),
  /**
   * A convolutional tower that trains from scratch on a CPU: residual blocks, one token in 8 x 8
   * pixels, [CLS] of 4 x 4 cells (decision 0022); a multiple of 8 pixels.
   */
  CONVOLUTIONAL(64),
  /** A small vision transformer; a multiple of 8 pixels. */
  VISION_TRANSFORMER(64),
  /** ViT-B/16 at BigEarthNet's patches, brought to 128 pixels; for a GPU. */
  VISION_TRANSFORMER_BASE(128),
  /**
   * The paper's ResNet-50, its first convolution as wide as the sensor has channels, without
   * pretraining; [CLS] of the mean over the grid, as there. BigEarthNet's patches are brought to
   * 128 pixels, a multiple of 32; for a GPU.
   */
  RESNET50(128);

  private final int imageSize;

  SensorPreset(int imageSize) {
    this.imageSize = imageSize;
  }

  /** Side of the images in pixels where none is asked for. */
  public int imageSize() {
    return imageSize;
  }

  /** A model of this shape. */
  public ModelConfig config(List<SensorConfig> sensors) {
    return switch (this) {
      case MICRO ->
          ModelConfig.ofSensors(
              16,
              2,
              32,
              8,
              ImageTowerConfig.convolutional(
                  List.of(8), List.of(new ImageTowerConfig.Stage(16, 2))),
              sensors);
      case CONVOLUTIONAL ->
          ModelConfig.ofSensors(
              128,
              4,
              512,
              128,
              ImageTowerConfig.residual(
                      List.of(16),
                      List.of(
                          new ImageTowerConfig.Stage(32, 2),
                          new ImageTowerConfig.Stage(64, 2),
                          new ImageTowerConfig.Stage(128, 1)))
                  .withPooling(ImageTowerConfig.Pooling.GRID),
              sensors);
      case VISION_TRANSFORMER ->
          ModelConfig.ofSensors(
              128, 4, 512, 128, ImageTowerConfig.visionTransformer(8, 4), sensors);
      case VISION_TRANSFORMER_BASE ->
          ModelConfig.ofSensors(
              768, 12, 3072, 128, ImageTowerConfig.visionTransformer(16, 12), sensors);
      case RESNET50 ->
          ModelConfig.ofSensors(128, 4, 512, 128, ImageTowerConfig.resnet50(), sensors);
    };
  }
}
