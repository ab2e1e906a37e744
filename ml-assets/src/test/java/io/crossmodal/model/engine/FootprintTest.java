/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.util.List;
import org.junit.jupiter.api.Test;

class FootprintTest {
  private static final List<ModelConfig> CONFIGS =
      List.of(ModelConfig.micro(), ModelConfig.tiny(), ModelConfig.small(), ModelConfig.base());

  @Test
  void growsWithTheBatchAndWithTheTokens() {
    for (ModelConfig config : CONFIGS) {
      SensorConfig sensor = config.sensors().get(0);
      int m = config.imageTokens(sensor);
      assertEquals(2 * Footprint.score(config, 8, 12, m), Footprint.score(config, 16, 12, m));
      assertTrue(Footprint.score(config, 8, 12, m) < Footprint.score(config, 8, 13, m));
      assertTrue(Footprint.score(config, 8, 12, m) < Footprint.score(config, 8, 12, m + 1));
      assertEquals(
          2 * Footprint.attention(config, 8, 12, m), Footprint.attention(config, 16, 12, m));
      // The weights of all heads stay, which a score's last layer drops.
      long weights = 8L * config.heads() * 12 * m * Float.BYTES;
      assertTrue(
          Footprint.attention(config, 8, 12, m) >= Footprint.score(config, 8, 12, m) + weights);
      assertEquals(
          2 * Footprint.encodeImages(config, sensor, 4), Footprint.encodeImages(config, sensor, 8));
      assertTrue(Footprint.encodeTexts(config, 4, 12) < Footprint.encodeTexts(config, 4, 13));
    }
  }

  @Test
  void holdsAtLeastWhatGoesInAndWhatTheWidestLayerMakes() {
    ModelConfig base = ModelConfig.base();
    // 128 candidates at base: tokens in heap and in native memory, keys and values.
    long tokens = 128L * 197 * 768 * Float.BYTES;
    long score = Footprint.score(base, 128, 20, 197);
    assertTrue(score > 4 * tokens && score < 6 * tokens, score + " against " + tokens);
    // One 96 x 96 picture at tiny: the first stem's 16 x 48 x 48 values in and out of its norm.
    long stem = 16L * 48 * 48 * Float.BYTES;
    long tiny = Footprint.encodeImages(ModelConfig.tiny(), ModelConfig.tiny().sensors().get(0), 1);
    assertTrue(tiny > 2 * stem && tiny < 8 * stem, tiny + " against " + stem);
    // One 128 x 128 tile at ResNet-50: the first block's 256 x 32 x 32 values, normed and added.
    ModelConfig resnet =
        ModelConfig.ofSensors(
            128, 4, 512, 128, ImageTowerConfig.resnet50(), List.of(SensorConfig.s2(128)));
    long block = 256L * 32 * 32 * Float.BYTES;
    long tile = Footprint.encodeImages(resnet, resnet.sensors().get(0), 1);
    assertTrue(tile > 3 * block && tile < 7 * block, tile + " against " + block);
  }

  @Test
  void doesNotOverflowForTheLargestBatches() {
    assertTrue(Footprint.score(ModelConfig.base(), 16_384, 512, 197) > 1L << 34);
    ModelConfig base = ModelConfig.base();
    assertTrue(Footprint.encodeImages(base, base.sensors().get(0), 4096) > 1L << 32);
  }
}
