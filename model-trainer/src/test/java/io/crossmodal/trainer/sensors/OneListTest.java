/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class OneListTest {
  private static final int PLACES = 15;

  /**
   * Tiles of one sensor have cosines of 0.9 and more with each other, those of two sensors 0.1
   * where they show one place and 0 elsewhere; patches likewise.
   */
  private static TileFeatures tile(int sensor, int place) {
    float[] values = new float[2 + 2 * PLACES];
    values[sensor] = 0.95f;
    values[2 + place] = 0.3f;
    TileFeatures.unit(values);
    return new TileFeatures(values, new float[][] {values.clone()});
  }

  private static List<SensorCalibration> pairs(double within) {
    return List.of(
        new SensorCalibration("s1", "s1", 10, within),
        new SensorCalibration("s1", "s2", 10, 0),
        new SensorCalibration("s2", "s2", 10, within));
  }

  @Test
  void aFairScoreFindsThePartnerInOneList() {
    List<List<TileFeatures>> tiles = List.of(new ArrayList<>(), new ArrayList<>());
    for (int place = 0; place < PLACES; place++) {
      tiles.get(0).add(tile(0, place));
      tiles.get(1).add(tile(1, place));
    }
    ModelConfig config =
        SensorPreset.MICRO.config(List.of(SensorConfig.s1(16), SensorConfig.s2(16)));
    ModelBundle bundle =
        ModelBundle.random("m", config, 1).withSensorCalibrations(pairs(-9), pairs(-20));
    // Queries of s2 lack a calibration, so they have no rows.
    assertEquals(
        List.of(
            new OneListRow("m", "s1", "cosine", 0, 100),
            new OneListRow("m", "s1", "cosine, calibrated", 100, 90),
            new OneListRow("m", "s1", "MaxSim", 0, 100),
            new OneListRow("m", "s1", "MaxSim, calibrated", 100, 0)),
        new OneList(List.of("s1", "s2"), tiles).rows("m", bundle.manifest()));
  }
}
