/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.Encoding;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A bundle's towers, called as a node calls them. */
final class BundleEncoder implements SensorEvaluation.Encoder {
  private static final int BATCH = 32;

  private final String name;
  private final FusionModel model;
  private final List<SensorConfig> sensors;

  /**
   * The towers of two sensors.
   *
   * @param model stays the caller's
   */
  BundleEncoder(String name, FusionModel model, String first, String second) {
    this.name = name;
    this.model = model;
    this.sensors =
        List.of(
            model.bundle().manifest().config().sensor(first),
            model.bundle().manifest().config().sensor(second));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public int side() {
    return sensors.get(0).imageSize();
  }

  @Override
  public List<TileFeatures> encode(boolean second, List<BandImage> tiles) {
    SensorConfig sensor = sensors.get(second ? 1 : 0);
    ImagePreprocessor preprocessor = new ImagePreprocessor(sensor);
    List<TileFeatures> features = new ArrayList<>();
    for (int from = 0; from < tiles.size(); from += BATCH) {
      List<PixelTensor> batch =
          tiles.subList(from, Math.min(tiles.size(), from + BATCH)).stream()
              .map(preprocessor::normalise)
              .toList();
      for (Encoding encoding : model.encodeImages(sensor.name(), batch)) {
        int h = encoding.tokens().hidden();
        // Token 0 is [CLS].
        float[][] patches = new float[encoding.tokens().count() - 1][];
        for (int p = 0; p < patches.length; p++) {
          int at = (p + 1) * h;
          patches[p] =
              TileFeatures.unit(Arrays.copyOfRange(encoding.tokens().values(), at, at + h));
        }
        features.add(new TileFeatures(encoding.embedding(), patches));
      }
    }
    return features;
  }
}
