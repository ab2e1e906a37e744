/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.MicroTraining;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HeatMapsTest {
  private static final long SEED = MicroTraining.seed();
  private static final int SIDE = HeatMaps.SIDE;

  @TempDir Path folder;

  @BeforeAll
  static void fonts() {
    FontAssumption.check();
  }

  private static RgbImage grey(int value) {
    byte[] rgb = new byte[3 * SIDE * SIDE];
    Arrays.fill(rgb, (byte) value);
    return new RgbImage(SIDE, SIDE, rgb);
  }

  private static double brightness(BufferedImage sheet, int tile, int x, int y) {
    int rgb = sheet.getRGB(HeatMaps.left(tile) + x, HeatMaps.top(tile) + y);
    return 0.299 * (rgb >> 16 & 0xff) + 0.587 * (rgb >> 8 & 0xff) + 0.114 * (rgb & 0xff);
  }

  /** Rows of (N, 1 + 3 x 3) weights: one heavy patch each. */
  private static WordPatchWeights heavy(int... patches) {
    float[] weights = new float[patches.length * 10];
    Arrays.fill(weights, 0.01f);
    for (int token = 0; token < patches.length; token++) {
      weights[token * 10 + 1 + patches[token]] = 0.5f;
    }
    return new WordPatchWeights(patches.length, 10, weights);
  }

  @Test
  void aWeightBrightensItsPlaceAndNoOther() throws Exception {
    List<WordSpan> words =
        List.of(
            new WordSpan("[CLS]", 0, 1), new WordSpan("tank", 1, 2), new WordSpan("[SEP]", 2, 3));
    // Row 1, column 2 of the grid for [CLS]; row 2, column 0 for "tank".
    BufferedImage sheet = HeatMaps.sheet(grey(120), words, heavy(5, 6, 0));
    assertEquals(HeatMaps.GAP + 3 * (SIDE + HeatMaps.GAP), sheet.getWidth(), "[SEP] is left out");
    assertEquals(HeatMaps.GAP + HeatMaps.TITLE + SIDE + HeatMaps.GAP, sheet.getHeight());
    int cell = SIDE / 3;
    for (int patch = 0; patch < 9; patch++) {
      int x = patch % 3 * cell + cell / 2;
      int y = patch / 3 * cell + cell / 2;
      assertEquals(120, brightness(sheet, 0, x, y), 1, "the picture itself");
      assertEquals(patch == 5, brightness(sheet, 1, x, y) > 150, "patch " + patch);
      assertEquals(patch == 6, brightness(sheet, 2, x, y) > 150, "patch " + patch);
    }
    // Half way between two centres it is half way bright: smooth, not blocks.
    double peak = brightness(sheet, 1, 2 * cell + cell / 2, cell + cell / 2);
    double between = brightness(sheet, 1, 2 * cell, cell + cell / 2);
    double far = brightness(sheet, 1, cell + cell / 2, cell + cell / 2);
    assertTrue(far < between && between < peak, far + " < " + between + " < " + peak);
  }

  @Test
  void aWordsPiecesShareOnePicture() throws Exception {
    List<WordSpan> words =
        List.of(new WordSpan("tanks", 0, 2), new WordSpan("<end_of_text>", 2, 3));
    BufferedImage sheet = HeatMaps.sheet(grey(120), words, heavy(0, 8));
    assertEquals(HeatMaps.GAP + 2 * (SIDE + HeatMaps.GAP), sheet.getWidth(), "no end token");
    int low = SIDE / 6;
    int high = SIDE - SIDE / 6;
    assertEquals(brightness(sheet, 1, low, low), brightness(sheet, 1, high, high), 6);
    assertTrue(brightness(sheet, 1, low, low) > brightness(sheet, 1, low, high) + 50);
  }

  @Test
  void theColoursGrowLighterEvenly() {
    double before = -1;
    for (int i = 0; i <= 90; i++) {
      double lightness = 0;
      for (int channel = 0; channel < 3; channel++) {
        double value = HeatMaps.ColourMap.channel(i / 90.0, channel);
        assertTrue(value >= 0 && value <= 255);
        lightness += new double[] {0.299, 0.587, 0.114}[channel] * value;
      }
      assertTrue(lightness > before, "step " + i);
      before = lightness;
    }
  }

  @Test
  void drawsASheetPerPairOfAModel() throws Exception {
    Path data = MicroTraining.scenes(folder, 0, 0, 2, SEED);
    List<byte[]> pictures =
        List.of(
            Files.readAllBytes(MicroTraining.read(data).split(Split.TEST).get(0).file()),
            Files.readAllBytes(MicroTraining.read(data).split(Split.TEST).get(1).file()));
    ModelBundle bundle = TestBundles.random("micro", ModelConfig.micro(), SEED);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      List<BufferedImage> sheets =
          HeatMaps.sheets(model, pictures, List.of("six tanks by a pond", "a road"));
      assertEquals(2, sheets.size());
      // [CLS], five words and the picture: two rows. [CLS], two words and the picture: one.
      assertEquals(
          HeatMaps.GAP + 2 * (HeatMaps.TITLE + SIDE + HeatMaps.GAP), sheets.get(0).getHeight());
      assertEquals(HeatMaps.GAP + 6 * (SIDE + HeatMaps.GAP), sheets.get(0).getWidth());
      assertEquals(HeatMaps.GAP + 4 * (SIDE + HeatMaps.GAP), sheets.get(1).getWidth());
      BufferedImage read = ImageIO.read(new ByteArrayInputStream(HeatMaps.png(sheets.get(1))));
      assertEquals(sheets.get(1).getWidth(), read.getWidth());
      assertEquals(sheets.get(1).getRGB(20, 60), read.getRGB(20, 60));
      assertThrows(
          ImageFormatException.class,
          () -> HeatMaps.sheets(model, List.of(new byte[9]), List.of("a road")));
    }
  }

  /** Weights of a cropped picture's patches must not lie over the whole of it. */
  @Test
  void showsWhatTheSensorSees() throws Exception {
    BufferedImage wide = new BufferedImage(96, 32, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < 32 * 32; i++) {
      wide.setRGB(32 + i % 32, i / 32, 0xff0000);
    }
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(wide, "png", png);
    byte[] squashed = Pictures.decode(png.toByteArray(), SensorConfig.rgb(16), SIDE).rgb();
    assertEquals(0, squashed[0]);
    byte[] cropped = Pictures.decode(png.toByteArray(), SensorConfig.clip(16), SIDE).rgb();
    for (int i = 0; i < SIDE * SIDE; i++) {
      boolean inside = i % SIDE > SIDE / 16 && i % SIDE < SIDE - SIDE / 16;
      assertTrue(!inside || (cropped[3 * i] & 0xff) > 250, "pixel " + i);
    }
  }
}
