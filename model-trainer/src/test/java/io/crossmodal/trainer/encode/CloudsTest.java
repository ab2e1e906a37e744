/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.raster.Rasters;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

final class CloudsTest {
  private static boolean isNone(Clouds clouds, String file) {
    return clouds.isClassification(Path.of(file));
  }

  /** Files that say what is cloud are told by where they lie and how they are called. */
  @Test
  void classificationsAreNoScenes() {
    Clouds usual = new Clouds(0.6, Optional.empty(), -1);
    assertTrue(isNone(usual, "a/SCL.tif"));
    assertTrue(isNone(usual, "a/T17SNB_20230614T160831_SCL_20m.jp2"));
    assertTrue(isNone(usual, "S2B_T17SNB_SCL.tif"));
    assertFalse(isNone(usual, "a/T17SNB_20230614T160831_TCI_10m.jp2"));
    assertFalse(isNone(usual, "SCL.tif/a.tif"));
    Clouds elsewhere = new Clouds(0.6, Optional.of("../masks/*.tif"), -1);
    assertTrue(isNone(elsewhere, "a/masks/one.tif"));
    assertFalse(isNone(elsewhere, "a/scenes/one.tif"));
    assertFalse(isNone(elsewhere, "a/scenes/SCL.tif"));
    assertFalse(isNone(new Clouds(0.6, Optional.empty(), 3), "a/SCL.tif"));
  }

  /** They are left out before scenes are looked at one by one. */
  @Test
  void classificationsAreLeftOutOfASource() {
    List<SourceImage> images =
        List.of(
            SourceImage.of("TCI.tif", Path.of("TCI.tif"), List.of(), Optional.empty()),
            SourceImage.of("SCL.tif", Path.of("SCL.tif"), List.of(), Optional.empty()));
    SourceImages source = new SourceImages("pictures", images, List.of(), List.of(), Map.of());
    Cutting cutting =
        new Cutting(
            64,
            64,
            false,
            OptionalDouble.empty(),
            0.5,
            Optional.of(new Clouds(0.6, Optional.empty(), -1)),
            Rasters.Choice.AUTO);
    assertEquals(
        images.subList(0, 1), source.withoutClassifications(Optional.of(cutting)).images());
    assertEquals(images, source.withoutClassifications(Optional.empty()).images());
  }

  /** A share is of the pixels that have data. */
  @Test
  void pixelsWithoutDataCountForNothing() {
    float[] values = new float[16];
    Arrays.fill(values, Float.NaN);
    Clouds band = new Clouds(0.6, Optional.empty(), 0);
    assertEquals(0, band.share(new BandImage(1, 4, 4, values.clone())));
    values[0] = 1;
    values[1] = 0;
    assertEquals(0.5, band.share(new BandImage(1, 4, 4, values)));
  }
}
