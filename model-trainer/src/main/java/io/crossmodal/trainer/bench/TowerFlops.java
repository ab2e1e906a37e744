/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.bench;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ImageTowerConfig.Kind;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Floating-point operations of encoding one item: two for each weight of a matrix or convolution at
 * each place where it is applied, and attention's two products. Norms, activations and sums are
 * left out, as they are of a peak that a matrix product measures.
 */
final class TowerFlops {
  private static final Pattern PART = Pattern.compile("(stem|stage)(\\d+)\\.(\\w+)");

  private final ModelConfig config;

  TowerFlops(ModelConfig config) {
    this.config = config;
  }

  /**
   * Of a text.
   *
   * @param n its tokens
   */
  double text(long n) {
    TransformerConfig own = config.text().transformer();
    long width = own == null ? config.hidden() : own.width();
    double[] all = {4.0 * config.text().layers() * n * n * width};
    forEachProduct(
        "text.",
        (name, weight) -> {
          if (!name.equals("word") && !name.equals("position")) {
            all[0] += 2.0 * weight.size() * n;
          }
        });
    return all[0];
  }

  /** Of a picture of a sensor. */
  double image(SensorConfig sensor) {
    ImageTowerConfig tower = config.image();
    long grid = tower.gridSide(sensor.imageSize());
    boolean clip = tower.kind() == Kind.CLIP;
    boolean transformer = clip || tower.kind() == Kind.VISION_TRANSFORMER;
    long tokens = grid * grid + 1;
    long width = clip ? tower.transformer().width() : config.hidden();
    double[] all = {transformer ? 4.0 * tower.layers() * tokens * tokens * width : 0};
    forEachProduct(
        "image_" + sensor.name() + ".",
        (name, weight) -> {
          Matcher part = PART.matcher(name);
          long places;
          if (name.equals("position") || name.equals("cls")) {
            places = 0;
          } else if (name.startsWith("pool.")) {
            places = 1;
          } else if (part.lookingAt()) {
            long side = side(tower, sensor.imageSize(), part);
            places = side * side;
          } else {
            places = transformer && !name.startsWith("patch_") ? tokens : grid * grid;
          }
          all[0] += 2.0 * weight.size() * places;
        });
    return all[0];
  }

  /** Returns the side of what a convolution's weights make. */
  private static long side(ImageTowerConfig tower, long imageSize, Matcher part) {
    int index = Integer.parseInt(part.group(2));
    boolean stem = part.group(1).equals("stem");
    int stems = stem ? index + 1 : tower.stems().size();
    long side = imageSize >> stems;
    if (stem) {
      return side;
    }
    // Maximum pooling follows a ResNet's stem.
    side = tower.kind() == Kind.RESNET ? side / 2 : side;
    String name = part.group(3);
    boolean before = name.equals("expand") || (tower.kind() == Kind.RESNET && name.equals("first"));
    for (int i = 0; i < (before ? index : index + 1); i++) {
      side /= tower.stages().get(i).stride();
    }
    return side;
  }

  private interface Product {
    void count(String name, ScriptTensor weight);
  }

  private void forEachProduct(String prefix, Product product) {
    MtgfeArchitecture.build(config, Weights.SHAPES)
        .forEachTensor(
            (name, tensor) -> {
              if (name.startsWith(prefix) && tensor.shape().length > 1) {
                product.count(name.substring(prefix.length()), tensor);
              }
            });
  }
}
