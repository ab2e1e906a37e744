/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.Split;
import org.junit.jupiter.api.Test;

class SensorRendererTest {
  private static final int SIZE = 48;

  private final SceneDatasetWriter scenes =
      new SceneDatasetWriter(new SceneDatasetWriter.Config(200, 0, 0, 11, SIZE, 0));
  private final SensorRenderer renderer = new SensorRenderer(SIZE);

  private Scene first(Scene.Terrain terrain) {
    for (int n = 0; n < 200; n++) {
      Scene scene = scenes.scene(Split.TRAIN, n);
      if (scene.terrain() == terrain) {
        return scene;
      }
    }
    throw new AssertionError("no " + terrain + " among 200 scenes");
  }

  private static double mean(BandImage image, int band) {
    double sum = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
      sum += image.values()[band * SIZE * SIZE + i];
    }
    return sum / (SIZE * SIZE);
  }

  @Test
  void theSameSceneGivesTheSameTiles() {
    Scene scene = first(Scene.Terrain.FARMLAND);
    SensorRenderer.Views once = renderer.render(scene);
    SensorRenderer.Views again = new SensorRenderer(SIZE).render(scene);
    assertArrayEquals(once.radar().values(), again.radar().values());
    assertArrayEquals(once.optical().values(), again.optical().values());
    assertEquals(2, once.radar().bands());
    assertEquals(10, once.optical().bands());
    for (float value : once.optical().values()) {
      assertTrue(value >= 0 && value < 10_000, "" + value);
    }
  }

  /** Water is dark for both sensors, a forest bright in the infrared and in VH. */
  @Test
  void groundLooksAsItDoes() {
    SensorRenderer.Views sea = renderer.render(first(Scene.Terrain.SEA));
    SensorRenderer.Views forest = renderer.render(first(Scene.Terrain.FOREST));
    SensorRenderer.Views city = renderer.render(first(Scene.Terrain.CITY));
    assertTrue(mean(sea.radar(), 0) + 6 < mean(forest.radar(), 0));
    assertTrue(mean(forest.radar(), 0) < mean(city.radar(), 0));
    assertTrue(mean(sea.optical(), 6) * 3 < mean(forest.optical(), 6));
    assertTrue(mean(forest.radar(), 1) < mean(forest.radar(), 0));
  }

  /** Four looks: a deviation of about 2.2 dB, and double bounce stands out of it at sea. */
  @Test
  void speckleAndDoubleBounce() {
    BandImage sea = renderer.render(first(Scene.Terrain.SEA)).radar();
    double mean = mean(sea, 0);
    double square = 0;
    float brightest = -99;
    int open = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
      float value = sea.values()[i];
      brightest = Math.max(brightest, value);
      if (value < mean + 8) {
        square += (value - mean) * (value - mean);
        open++;
      }
    }
    assertTrue(Math.sqrt(square / open) > 1.8 && Math.sqrt(square / open) < 4, "" + square / open);
    assertTrue(brightest > 0, "a ship's wall, got " + brightest);
  }

  @Test
  void labelsNameWhatIsThere() {
    Scene sea = first(Scene.Terrain.SEA);
    assertTrue(SensorRenderer.labels(sea).contains("sea"));
    assertTrue(SensorRenderer.labels(sea).contains("ship"));
  }
}
