/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.scene;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScenePairsWriterTest {
  private static final int SIZE = 32;
  private static final SceneDatasetWriter.Config CONFIG =
      new SceneDatasetWriter.Config(4, 2, 3, 11, SIZE, 0.3);

  @TempDir static Path folder;

  private static Path table;

  @BeforeAll
  static void write() throws Exception {
    table = new ScenePairsWriter(CONFIG).write(folder, () -> {});
  }

  /** The same captions for each sensor, beside its own tiles. */
  @Test
  void everySensorHasTheCaptionsOfItsTiles() throws Exception {
    SceneDatasetWriter scenes = new SceneDatasetWriter(CONFIG);
    for (String sensor : List.of("rgb", "s1", "s2")) {
      CaptionedDataset read = KarpathyReader.read(folder.resolve(sensor + ".json"));
      assertEquals(9, read.images().size());
      List<CaptionedImage> test = read.split(Split.TEST);
      assertEquals(3, test.size());
      for (int n = 0; n < test.size(); n++) {
        CaptionedImage image = test.get(n);
        assertEquals(folder.resolve(sensor), image.file().getParent());
        assertTrue(Files.isRegularFile(image.file()), image.toString());
        assertEquals(
            SceneCaptions.describe(scenes.scene(Split.TEST, n)).stream()
                .map(SceneCaption::text)
                .toList(),
            image.captions());
      }
    }
  }

  @Test
  void picturesAreThoseOfTheSceneDataSet() throws Exception {
    PairDataset pairs =
        PairsCsvReader.read(
            table,
            SensorSource.RGB,
            SensorSource.S1,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    assertEquals(
        List.of("id", "rgb", "s1", "s2", "labels", "group", "split"),
        PairsCsvReader.columns(table));
    DecodedPairs val = DecodedPairs.decode(pairs, Split.VAL, SIZE);
    SceneDatasetWriter scenes = new SceneDatasetWriter(CONFIG);
    for (int n = 0; n < 2; n++) {
      BufferedImage expected = scenes.picture(scenes.scene(Split.VAL, n));
      Path file = pairs.split(Split.VAL).get(n).first().get(0);
      BufferedImage written = ImageIO.read(file.toFile());
      BandImage decoded = val.first().get(n);
      for (int y = 0; y < SIZE; y++) {
        for (int x = 0; x < SIZE; x++) {
          int rgb = expected.getRGB(x, y);
          assertEquals(rgb, written.getRGB(x, y));
          for (int band = 0; band < 3; band++) {
            float value = (rgb >> (16 - 8 * band) & 0xff) / 255f;
            assertEquals(value, decoded.value(band, x, y), 1e-6f);
          }
        }
      }
      // The trainer's way to a tensor and the node's.
      ImagePreprocessor preprocessor = new ImagePreprocessor(SensorConfig.rgb(SIZE));
      assertArrayEquals(
          preprocessor.preprocess(Files.readAllBytes(file)).values(),
          preprocessor.normalise(decoded).values(),
          1e-5f);
    }
  }
}
