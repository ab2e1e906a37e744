/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What the blocks of an {@link ImageTowerConfig} must be, by its kind, and what is around them. */
final class TowerChecks {
  private static final int MAX_SENSORS = 64;
  private static final int MAX_IMAGE_LAYERS = 2048;

  /** Of an image: a grid of 128 x 128 and [CLS]. */
  private static final int MAX_TOKENS = 128 * 128 + 1;

  private TowerChecks() {}

  /** Checks the sensors of a model, which have a tower of one shape each. */
  static void sensors(List<SensorConfig> sensors, ImageTowerConfig image) {
    if (sensors.isEmpty()) {
      throw new IllegalArgumentException("sensors must name at least one sensor");
    }
    Checks.within("sensors", sensors.size(), 1, MAX_SENSORS);
    Checks.within(
        "layers of all image towers",
        sensors.size() * ((long) image.layers() + image.stems().size() + image.stages().size()),
        1,
        MAX_IMAGE_LAYERS);
    Set<String> names = new HashSet<>();
    for (SensorConfig sensor : sensors) {
      if (!names.add(sensor.name())) {
        throw new IllegalArgumentException("sensor " + sensor.name() + " is listed twice");
      }
      int side = image.tokenSide(sensor.imageSize());
      Checks.within(
          "tokens of an image of " + sensor.name(), 1 + (long) side * side, 2, MAX_TOKENS);
    }
  }

  /** Checks a fusion encoder of a width of its own, which CLIP's towers alone leave room for. */
  static void fusionWidth(
      int width, int heads, int hidden, TextConfig text, ImageTowerConfig image, int layers) {
    if (layers == 0
        || text == null
        || !text.isClip()
        || image.kind() != ImageTowerConfig.Kind.CLIP) {
      throw new IllegalArgumentException(
          "fusion_width belongs to a fusion encoder over towers of CLIP, got " + width);
    }
    Checks.within("fusion_width", width, 1, hidden);
    if (width % heads != 0) {
      throw new IllegalArgumentException(
          "fusion_width " + width + " is not divisible by heads " + heads);
    }
  }

  static void efficientNet(
      ImageTowerConfig.Kind kind,
      List<Integer> stems,
      List<ImageTowerConfig.Stage> stages,
      Integer head,
      Boolean fineTokens) {
    boolean lite = kind == ImageTowerConfig.Kind.EFFICIENTNET_LITE;
    if ((head != null) != lite || (fineTokens != null && !lite)) {
      throw new IllegalArgumentException(
          "head, which must be there, and fine_tokens belong to an EfficientNet-Lite, got "
              + head
              + " and "
              + fineTokens
              + " for "
              + kind);
    }
    for (ImageTowerConfig.Stage stage : stages) {
      if ((stage.kernel() != null) != lite) {
        throw new IllegalArgumentException(
            "kernel and expansion belong to the blocks of an EfficientNet-Lite, all of them, got "
                + stage
                + " for "
                + kind);
      }
    }
    if (!lite) {
      return;
    }
    Checks.within("head", head, 1, ImageTowerConfig.MAX_WIDTH);
    if (stems.size() != 1) {
      throw new IllegalArgumentException("an EfficientNet-Lite has one stem, got stems " + stems);
    }
    int width = stems.get(0);
    for (ImageTowerConfig.Stage stage : stages) {
      Checks.within(
          "a block's width inside",
          (long) width * stage.expansion(),
          1,
          ImageTowerConfig.MAX_WIDTH);
      if (stage.expansion() == 1 && stage.stride() == 1 && stage.width() == width) {
        throw new IllegalArgumentException(
            "a block that keeps its input's shape must expand it, got " + stage);
      }
      width = stage.width();
    }
    boolean reduces = stages.subList(1, stages.size()).stream().anyMatch(s -> s.stride() == 2);
    if (!reduces) {
      throw new IllegalArgumentException(
          "an EfficientNet-Lite needs a block of stride 2 behind its first, got " + stages);
    }
  }

  static void bottlenecks(List<Integer> stems, List<ImageTowerConfig.Stage> stages) {
    if (stems.size() != 1) {
      throw new IllegalArgumentException("a ResNet has one stem, got stems " + stems);
    }
    for (ImageTowerConfig.Stage stage : stages) {
      if (stage.width() % 4 != 0) {
        throw new IllegalArgumentException(
            "the width of a bottleneck block must be a multiple of 4, got " + stage.width());
      }
    }
  }
}
