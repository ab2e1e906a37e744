/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import java.util.List;

/** What the blocks of an {@link ImageTowerConfig} must be, by its kind. */
final class TowerChecks {
  private TowerChecks() {}

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
