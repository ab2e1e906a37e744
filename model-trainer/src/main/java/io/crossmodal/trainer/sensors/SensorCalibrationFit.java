/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.CalibrationFit;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Fits, for each of the four directions, the probability that two images show one place, on the
 * validation tiles and without labels. Across sensors a tile belongs to its partner; within a
 * sensor to itself, cropped and turned, for a copy that is the same to the bit would teach nothing.
 */
public final class SensorCalibrationFit {
  private static final int LEAST_PAIRS = 10;
  private static final SensorOptions.Augmentation VIEW =
      new SensorOptions.Augmentation(0.6, true, 0, 0);

  private SensorCalibrationFit() {}

  /**
   * Fits a model's calibrations.
   *
   * @param model has both sensors of the data set
   * @return one a direction; none where there are fewer than ten validation pairs
   */
  public static List<SensorCalibration> fit(FusionModel model, PairDataset dataset) {
    if (dataset.split(Split.VAL).size() < LEAST_PAIRS) {
      return List.of();
    }
    String[] names = {dataset.first().name(), dataset.second().name()};
    int side = model.bundle().manifest().config().sensor(names[0]).imageSize();
    DecodedPairs pairs = DecodedPairs.decode(dataset, Split.VAL, VIEW.sourceSide(side));
    BundleEncoder encoder = new BundleEncoder("", model, names[0], names[1]);
    List<List<TileFeatures>> whole = new ArrayList<>();
    List<List<TileFeatures>> viewed = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(1);
    for (int sensor = 0; sensor < names.length; sensor++) {
      List<BandImage> tiles = sensor == 0 ? pairs.first() : pairs.second();
      SensorConfig config = model.bundle().manifest().config().sensor(names[sensor]);
      whole.add(encoder.encode(sensor == 1, tiles.stream().map(t -> t.resize(side)).toList()));
      List<BandImage> views = new ArrayList<>();
      for (BandImage tile : tiles) {
        views.add(SensorView.draw(VIEW, random).place(tile, config.imageSize()));
      }
      viewed.add(encoder.encode(sensor == 1, views));
    }
    List<SensorCalibration> fitted = new ArrayList<>();
    for (int query = 0; query < names.length; query++) {
      for (int archive = 0; archive < names.length; archive++) {
        List<TileFeatures> asked = query == archive ? viewed.get(query) : whole.get(query);
        List<TileFeatures> found = whole.get(archive);
        int n = asked.size();
        double[][] cosines = new double[n][n];
        boolean[][] right = new boolean[n][n];
        for (int q = 0; q < n; q++) {
          for (int a = 0; a < n; a++) {
            cosines[q][a] = asked.get(q).cosine(found.get(a));
            right[q][a] = q == a;
          }
        }
        Calibration platt = CalibrationFit.platt(cosines, right, 0);
        fitted.add(
            new SensorCalibration(names[query], names[archive], platt.scale(), platt.bias()));
      }
    }
    return fitted;
  }
}
