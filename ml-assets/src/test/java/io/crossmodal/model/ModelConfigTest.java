/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ModelConfigTest {
  private static final TextConfig TEXT = new TextConfig(57, 16, 1);
  private static final ImageTowerConfig TOWER = ImageTowerConfig.visionTransformer(4, 1);
  private static final List<SensorConfig> RGB = List.of(SensorConfig.rgb(16));

  private static void assertRefused(Executable action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  private static ModelConfig model(
      int hidden, int heads, int inner, int filter, double epsilon, int fusion) {
    return new ModelConfig(hidden, heads, inner, filter, epsilon, TEXT, TOWER, fusion, RGB);
  }

  @Test
  void aModelNamesTheValueItRefuses() {
    assertRefused(() -> model(0, 1, 1, 1, 1e-6, 2), "hidden", "1", "got 0");
    assertRefused(() -> model(8, -2, 1, 1, 1e-6, 2), "heads", "got -2");
    assertRefused(() -> model(770, 12, 1, 1, 1e-6, 2), "770", "heads 12");
    assertRefused(() -> model(8, 2, 0, 1, 1e-6, 2), "feed_forward", "got 0");
    assertRefused(() -> model(8, 2, 1, 0, 1e-6, 2), "filter_dimension", "got 0");
    assertRefused(() -> model(8, 2, 1, 1, 0, 2), "layer_norm_epsilon", "got 0.0");
    assertRefused(() -> model(8, 2, 1, 1, Double.NaN, 2), "layer_norm_epsilon", "got NaN");
    assertRefused(() -> model(8, 2, 1, 1, 1e-6, 1), "fusion_layers", "from 2 to 128", "got 1");
  }

  @Test
  void sensorsAreDistinctAndFitTheTower() {
    SensorConfig rgb = SensorConfig.rgb(16);
    assertRefused(
        () -> new ModelConfig(8, 2, 1, 1, 1e-6, TEXT, TOWER, 2, List.of()), "at least one sensor");
    assertRefused(
        () -> new ModelConfig(8, 2, 1, 1, 1e-6, TEXT, TOWER, 2, List.of(rgb, rgb)), "rgb", "twice");
    assertRefused(
        () -> new ModelConfig(8, 2, 1, 1, 1e-6, TEXT, TOWER, 2, List.of(SensorConfig.rgb(18))),
        "18",
        "stride 4");
    assertRefused(() -> ModelConfig.micro().sensor("s1"), "[s1]", "[rgb]");
    assertEquals(rgb, ModelConfig.micro().sensor("rgb"));
  }

  @Test
  void theImageTowerMayHaveAnEpsilonOfItsOwn() {
    ModelConfig shared = model(8, 2, 1, 1, 1e-12, 2);
    assertEquals(1e-12, shared.imageLayerNormEpsilon());
    ImageTowerConfig tower = TOWER.withLayerNormEpsilon(1e-6);
    ModelConfig own = new ModelConfig(8, 2, 1, 1, 1e-12, TEXT, tower, 2, RGB);
    assertEquals(1e-6, own.imageLayerNormEpsilon());
    assertEquals(1e-12, own.layerNormEpsilon());
    assertRefused(() -> TOWER.withLayerNormEpsilon(0), "layer_norm_epsilon", "got 0.0");
    // Fingerprints hash the text: unset, it must stay what it was before there was such a thing.
    assertEquals(
        "ImageTowerConfig[kind=VISION_TRANSFORMER, patch=4, layers=1, stems=[], stages=[]]",
        TOWER.toString());
    assertNotEquals(TOWER.toString(), tower.toString());
  }

  @Test
  void towersForTrainingFromScratchAreNamedWhereTheyAreSetOnly() {
    assertEquals("TextConfig[vocabularySize=57, maxTokens=16, layers=1]", TEXT.toString());
    TextConfig mean = new TextConfig(57, 16, 1, TextConfig.Kind.MEAN);
    assertTrue(mean.toString().endsWith(", kind=MEAN]"), mean.toString());
    assertTrue(mean.isMean() && !TEXT.isMean());
    ModelConfig model = new ModelConfig(8, 2, 1, 1, 1e-6, mean, TOWER, 2, RGB);
    assertTrue(model.withVocabularySize(60).text().isMean(), "stays with another vocabulary");
    List<ImageTowerConfig.Stage> stages =
        List.of(new ImageTowerConfig.Stage(8, 1), new ImageTowerConfig.Stage(8, 2));
    ImageTowerConfig residual = ImageTowerConfig.residual(List.of(8), stages);
    assertTrue(residual.toString().endsWith(", shortcuts=true]"), residual.toString());
    assertTrue(residual.withLayerNormEpsilon(1e-6).hasShortcuts());
    assertFalse(ImageTowerConfig.convolutional(List.of(8), stages).hasShortcuts());
    assertFalse(residual.projects(0));
    assertTrue(residual.projects(1));
    assertRefused(
        () ->
            new ImageTowerConfig(
                ImageTowerConfig.Kind.VISION_TRANSFORMER,
                4,
                1,
                List.of(),
                List.of(),
                null,
                true,
                null,
                null,
                null),
        "shortcuts",
        "VISION_TRANSFORMER");
  }

  @Test
  void clsIsMadeOfTheMeanWhereNothingElseIsSaid() {
    ImageTowerConfig mean =
        ImageTowerConfig.convolutional(List.of(8), List.of(new ImageTowerConfig.Stage(8, 2)));
    assertEquals(
        "ImageTowerConfig[kind=CONVOLUTIONAL, patch=0, layers=0, stems=[8],"
            + " stages=[Stage[width=8, stride=2]]]",
        mean.toString());
    ImageTowerConfig grid = mean.withPooling(ImageTowerConfig.Pooling.GRID);
    assertTrue(grid.toString().endsWith(", pooling=GRID]"), grid.toString());
    assertTrue(grid.withLayerNormEpsilon(1e-6).hasCells());
    assertEquals(1, mean.cells(64));
    assertEquals(1, mean.withPooling(ImageTowerConfig.Pooling.MEAN).cells(64));
    assertEquals(4, grid.cells(64));
    assertEquals(2, grid.cells(8));
    assertRefused(
        () -> TOWER.withPooling(ImageTowerConfig.Pooling.GRID), "GRID", "VISION_TRANSFORMER");
  }

  @Test
  void aResNetHalvesTwiceBeforeItsBlocks() {
    ImageTowerConfig fifty = ImageTowerConfig.resnet50();
    assertEquals(16, fifty.stages().size());
    assertEquals(32, fifty.stride());
    assertEquals(4, fifty.gridSide(128));
    assertRefused(
        () -> ImageTowerConfig.resnet(8, List.of(new ImageTowerConfig.Stage(10, 1))), "4", "10");
    assertRefused(
        () ->
            new ImageTowerConfig(
                ImageTowerConfig.Kind.RESNET,
                0,
                0,
                List.of(8, 8),
                fifty.stages(),
                null,
                null,
                null,
                null,
                null),
        "one stem",
        "[8, 8]");
  }

  @Test
  void partsNameTheValueTheyRefuse() {
    assertRefused(() -> new TextConfig(4, 16, 1), "vocabulary_size", "got 4");
    assertRefused(() -> new TextConfig(57, 2, 1), "max_tokens", "got 2");
    assertRefused(() -> new TextConfig(57, 16, 0), "layers", "got 0");
    assertRefused(() -> ImageTowerConfig.visionTransformer(0, 1), "patch", "got 0");
    assertRefused(() -> ImageTowerConfig.visionTransformer(4, 0), "layers", "got 0");
    List<ImageTowerConfig.Stage> stages = List.of(new ImageTowerConfig.Stage(8, 2));
    assertRefused(() -> ImageTowerConfig.convolutional(List.of(), stages), "stems", "got 0");
    assertRefused(() -> ImageTowerConfig.convolutional(List.of(8), List.of()), "stages", "got 0");
    assertRefused(() -> ImageTowerConfig.convolutional(List.of(8, 0), stages), "stem", "got 0");
    assertRefused(() -> new ImageTowerConfig.Stage(0, 2), "width", "got 0");
    assertRefused(() -> new ImageTowerConfig.Stage(8, 3), "stride", "1 or 2", "got 3");
  }

  @Test
  void aSensorNamesTheValueItRefuses() {
    List<Double> one = List.of(1.0);
    assertRefused(() -> new SensorConfig("RGB", 16, one, one), "[RGB]", "[a-z]");
    assertRefused(() -> new SensorConfig("a); b", 16, one, one), "[a); b]");
    assertRefused(() -> new SensorConfig("s1", 0, one, one), "image_size", "got 0");
    assertRefused(() -> new SensorConfig("s1", 16, one, List.of()), "s1", "1 and 0");
    assertRefused(() -> new SensorConfig("s1", 16, List.of(), List.of()), "s1", "0 and 0");
    assertRefused(() -> new SensorConfig("s1", 16, one, List.of(0.0)), "std", "[0.0]");
    assertRefused(() -> new SensorConfig("s1", 16, one, List.of(Double.NaN)), "std", "NaN");
    assertRefused(() -> new SensorConfig("s1", 16, List.of(Double.NaN), one), "mean", "NaN");
    assertRefused(() -> SensorConfig.rgb(16).withSampledFrom(16), "sampled_from", "got 16");
    assertRefused(() -> SensorConfig.s1(16).withSampledFrom(20), "sampled_from", "bands");
    // Fingerprints hash this text; of a sensor that resizes it must stay what it was.
    assertEquals(
        "SensorConfig[name=rgb, imageSize=16, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224,"
            + " 0.225]]",
        SensorConfig.rgb(16).toString());
    assertTrue(SensorConfig.rgb(16).withSampledFrom(20).toString().contains("sampledFrom=20"));
    SensorConfig clip = SensorConfig.clip(16);
    assertTrue(
        clip.toString().endsWith(", resize=Resize[filter=BICUBIC, fit=CROP]]"), clip.toString());
    assertEquals(clip, SensorConfig.clip(20).withImageSize(16));
    assertEquals(SensorConfig.rgb(16), SensorConfig.rgb(16).withResize(null));
    assertRefused(() -> clip.withSampledFrom(20), "rgb", "resize", "sampled_from 20");
    assertRefused(() -> SensorConfig.s1(16).withResize(clip.resize()), "s1", "resize", "[VV, VH]");
  }

  @Test
  void countsTokens() {
    ModelConfig base = ModelConfig.base();
    assertEquals(197, base.imageTokens(base.sensor("rgb")));
    ModelConfig tiny = ModelConfig.tiny();
    assertEquals(37, tiny.imageTokens(tiny.sensor("rgb")));
    assertEquals(99, tiny.withVocabularySize(99).text().vocabularySize());
    assertEquals(tiny, tiny.withVocabularySize(99).withVocabularySize(512));
  }

  @Test
  void aCalibrationNamesTheValuesItRefuses() {
    assertRefused(() -> new Calibration(-0.1, 1, 0), "lambda", "-0.1");
    assertRefused(() -> new Calibration(1, 0, 0), "scale", "0.0");
    assertRefused(() -> new Calibration(1, 1, Double.NaN), "NaN");
    assertRefused(() -> new Calibration(Double.POSITIVE_INFINITY, 1, 0), "Infinity");
  }

  @Test
  void aCalibrationRanksByTheSumAndStaysInZeroToOne() {
    Calibration calibration = new Calibration(0.5, 2, -1);
    assertEquals(4.0, calibration.logit(3, 2));
    assertEquals(1 / (1 + Math.exp(-7)), calibration.probability(3, 2), 1e-7);
    assertEquals(0, calibration.probability(-1e30f, 0));
    assertEquals(1, calibration.probability(1e30f, 0));
  }

  @Test
  void pairLogitsComeInPairs() {
    assertRefused(() -> new PairLogits(new float[2], new float[3]), "2", "3");
  }
}
